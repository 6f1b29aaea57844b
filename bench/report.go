package main

import (
	"fmt"
	"strconv"
	"time"
)

// A report is one pipeline as a CI job would post it: five e2e jobs with two
// steps each, one build, one failed attempt. All of it follows from its
// number, so every program here writes the same rows without sharing data.
type report struct {
	ID          int64
	Project     string
	CreatedAt   time.Time
	Duration    int // seconds
	DurationE2E int // seconds
	HasRestarts bool
	Build       int // seconds of the build named buildName
	Jobs        [jobsPerReport]job
	Failed      job
}

// A job is an entry of "jobs" or of "jobs_failed".
type job struct {
	Name       string
	StartedAt  time.Time
	FinishedAt time.Time
	Duration   int // seconds
	Up, E2E    int // seconds; zero in a failed attempt
}

const (
	jobsPerReport = 5
	// rowsPerReport: the pipeline, its jobs, the build, the failed attempt.
	rowsPerReport = 1 + jobsPerReport + 1 + 1
	buildName     = "build-e2e"
)

// firstCreated is when the first report's pipeline was created; each later
// one came a second after the one before.
var firstCreated = time.Date(2024, 1, 1, 8, 0, 0, 0, time.UTC)

var jobNames = [jobsPerReport]string{"e2e:checkout", "e2e:login", "e2e:search", "e2e:admin", "e2e:export"}

// newReport makes the report with that number, of one of so many projects.
func newReport(id int64, projects int) report {
	n := int(id % 100_000)
	r := report{
		ID:          id,
		Project:     fmt.Sprintf("acme/project-%03d", n%projects),
		CreatedAt:   firstCreated.Add(time.Duration(id%30_000_000)*time.Second + time.Duration(1+n%999)*time.Millisecond),
		Duration:    400 + n%300,
		DurationE2E: 200 + n%150,
		HasRestarts: true,
		Build:       60 + n%40,
	}
	started := r.CreatedAt.Add(time.Duration(r.Duration-r.DurationE2E) * time.Second)
	for i := range r.Jobs {
		up, e2e := 20+(n+i)%15, 90+(n*7+i*13)%60
		r.Jobs[i] = job{
			Name: jobNames[i], StartedAt: started, Up: up, E2E: e2e, Duration: up + e2e + 5,
			FinishedAt: started.Add(time.Duration(up+e2e+5) * time.Second),
		}
	}
	r.Failed = job{
		Name: jobNames[n%jobsPerReport], StartedAt: started, Duration: 30 + n%20,
		FinishedAt: started.Add(time.Duration(30+n%20) * time.Second),
	}
	return r
}

// wireTime is how the companion client writes a time. The original insists
// on the fraction.
const wireTime = "2006-01-02T15:04:05.000Z07:00"

// appendJSON appends the body of POST /save_metrics. Names here need no
// escapes; it is written by hand because the generator shares the machine
// with what it measures.
func (r report) appendJSON(b []byte) []byte {
	b = append(b, `{"jobs":[`...)
	for i, j := range r.Jobs {
		if i > 0 {
			b = append(b, ',')
		}
		b = j.appendJSON(b)
		b = append(b, `,"up":`...)
		b = strconv.AppendInt(b, int64(j.Up), 10)
		b = append(b, `,"e2e":`...)
		b = strconv.AppendInt(b, int64(j.E2E), 10)
		b = append(b, '}')
	}
	b = append(b, `],"jobs_failed":[`...)
	b = append(r.Failed.appendJSON(b), '}')
	b = append(b, `],"builds":[{"`+buildName+`":`...)
	b = strconv.AppendInt(b, int64(r.Build), 10)
	b = append(b, `}],"build":`...)
	b = strconv.AppendInt(b, int64(r.Build), 10)
	b = append(b, `,"created_at":"`...)
	b = r.CreatedAt.AppendFormat(b, wireTime)
	b = append(b, `","ref":"master","duration":`...)
	b = strconv.AppendInt(b, int64(r.Duration), 10)
	b = append(b, `,"duration_e2e":`...)
	b = strconv.AppendInt(b, int64(r.DurationE2E), 10)
	b = append(b, `,"has_restarts":`...)
	b = strconv.AppendBool(b, r.HasRestarts)
	b = append(b, `,"project":"`...)
	b = append(b, r.Project...)
	b = append(b, `","pipeline_id":`...)
	b = strconv.AppendInt(b, r.ID, 10)
	return append(b, '}')
}

// appendJSON appends all but the steps and the closing brace.
func (j job) appendJSON(b []byte) []byte {
	b = append(b, `{"name":"`...)
	b = append(b, j.Name...)
	b = append(b, `","started_at":"`...)
	b = j.StartedAt.AppendFormat(b, wireTime)
	b = append(b, `","finished_at":"`...)
	b = j.FinishedAt.AppendFormat(b, wireTime)
	b = append(b, `","duration":`...)
	return strconv.AppendInt(b, int64(j.Duration), 10)
}

// A posted is the same report as the servers of the baselines decode it.
type posted struct {
	PipelineID  int64            `json:"pipeline_id"`
	Project     string           `json:"project"`
	Ref         string           `json:"ref"`
	CreatedAt   string           `json:"created_at"`
	Duration    float64          `json:"duration"`
	DurationE2E float64          `json:"duration_e2e"`
	HasRestarts bool             `json:"has_restarts"`
	Jobs        []postedJob      `json:"jobs"`
	JobsFailed  []postedJob      `json:"jobs_failed"`
	Builds      []map[string]int `json:"builds"`
	Build       float64          `json:"build"`
}

type postedJob struct {
	Name       string  `json:"name"`
	StartedAt  string  `json:"started_at"`
	FinishedAt string  `json:"finished_at"`
	Duration   float64 `json:"duration"`
	Up         float64 `json:"up"`
	E2E        float64 `json:"e2e"`
}
