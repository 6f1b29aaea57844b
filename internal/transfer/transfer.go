// Package transfer carries what is known from one database to another, as
// lines of JSON, and the views as CSV. It holds no SQL and opens no file.
package transfer

import (
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
)

// Version is that of the format. A reader takes its own and those before.
const Version = 1

// MaxLine is the greatest line of an export, in bytes: a pipeline with all that
// is known of it.
const MaxLine = 256 << 20

// A line is one line of an export: the first says what follows, the last that
// it is whole, and between them stand projects, deliveries that were not read
// yet, and pipelines. A pipeline is a native report, with ranks beside it; a
// line without ranks is a report like any other.
type line struct {
	Export   *header   `json:"export,omitempty"`
	Project  *project  `json:"project_info,omitempty"`
	Delivery *delivery `json:"delivery,omitempty"`
	End      *Totals   `json:"end,omitempty"`
	*ci.Report
	Ranks *ranks `json:"ranks,omitempty"`
}

type header struct {
	Version   int       `json:"version"`
	At        time.Time `json:"at"`
	Pipelines int64     `json:"pipelines"` // about as many as follow
	// Settings are those that the server was started with, by which it derives
	// what follows from the words. Exports of before have none.
	Settings *ci.Settings `json:"settings,omitempty"`
}

type project struct {
	Name          string            `json:"project"`
	DefaultBranch string            `json:"default_branch,omitempty"`
	Team          string            `json:"team,omitempty"`
	Number        int64             `json:"ci_number,omitempty"`
	E2eJobs       []string          `json:"e2e_jobs,omitempty"`
	Schedules     []ci.Schedule     `json:"schedules,omitempty"`
	Packages      map[string]string `json:"packages,omitempty"`
	Settings      *ci.Settings      `json:"settings,omitempty"` // what people decided on it
}

type delivery struct {
	Provider string `json:"provider"`
	Key      string `json:"delivery_id"`
	Event    string `json:"event,omitempty"`
	Body     []byte `json:"body"`
}

// ranks are those of ci.Told in their stored form.
type ranks struct {
	Pipeline string    `json:"pipeline,omitempty"`
	Jobs     []jobRank `json:"jobs,omitempty"`
	Branch   string    `json:"branch,omitempty"`
}

type jobRank struct {
	Key   string `json:"key"`
	Ranks string `json:"ranks,omitempty"`
}

// Totals say how much was carried.
type Totals struct {
	Projects   int64 `json:"projects"`
	Deliveries int64 `json:"deliveries"`
	Pipelines  int64 `json:"pipelines"`
}

func ranksOf(t *ci.Told) *ranks {
	r := &ranks{Pipeline: t.Pipeline.String(), Branch: t.Branch, Jobs: make([]jobRank, len(t.Jobs))}
	for i, j := range t.Jobs {
		r.Jobs[i] = jobRank{j.Key, j.Ranks.String()}
	}
	return r
}

func (r *ranks) told() (*ci.Told, error) {
	t := &ci.Told{Branch: r.Branch, Jobs: make([]ci.ToldJob, len(r.Jobs))}
	var err error
	if t.Pipeline, err = ci.ParsePipelineRanks(r.Pipeline); err != nil {
		return nil, err
	}
	for i, j := range r.Jobs {
		t.Jobs[i].Key = j.Key
		if t.Jobs[i].Ranks, err = ci.ParseAttemptRanks(j.Ranks); err != nil {
			return nil, err
		}
	}
	return t, nil
}
