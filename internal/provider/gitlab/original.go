package gitlab

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/provider/rest"
)

// An Original says which of a pipeline's jobs count, in the words of the
// client that the original had.
type Original struct {
	StageBuild string
	JobsBuild  []string
	StageE2e   string
	NotE2e     []string // names of jobs of that stage that are no end-to-end tests
	Steps      []string // "up", "e2e", or "pull", "up", "e2e"
	// Optimistic leaves the steps out of a job whose log does not have them;
	// else that is an error.
	Optimistic bool
	// Warn is told of what an optimist passes over; nil: nobody is.
	Warn func(job string, err error)
}

// Metrics is the report that the original's client makes of a pipeline, as it
// is posted to /save_metrics. Times are as GitLab wrote them, seconds are cut
// off to whole ones.
type Metrics struct {
	Jobs         []MetricsJob       `json:"jobs"`
	Builds       []map[string]int64 `json:"builds"`
	Build        int64              `json:"build"`
	CreatedAt    string             `json:"created_at"`
	Ref          string             `json:"ref"`
	DurationS    int64              `json:"duration"`
	DurationE2eS int64              `json:"duration_e2e"`
	JobsFailed   []MetricsJob       `json:"jobs_failed"`
	HasRestarts  bool               `json:"has_restarts"`
	ProjectID    int64              `json:"project_id"`
	Project      string             `json:"project"`
	PipelineID   int64              `json:"pipeline_id"`
}

// A MetricsJob is an attempt of an end-to-end job in such a report.
type MetricsJob struct {
	Name       string  `json:"name"`
	StartedAt  *string `json:"started_at"`
	FinishedAt *string `json:"finished_at"`
	DurationS  int64   `json:"duration"`
	PullS      *int64  `json:"pull,omitempty"`
	UpS        *int64  `json:"up,omitempty"`
	E2eS       *int64  `json:"e2e,omitempty"`
	NoPullS    *int64  `json:"up_without_pull,omitempty"`
}

// ErrNoE2e is a pipeline without an end-to-end job, of which nothing is sent.
var ErrNoE2e = errors.New("it has no end-to-end job")

// failedPage is how many failed attempts the original's client looks at: the
// first page, of GitLab's usual size.
const failedPage = 20

// A plainJob is what the original's client reads of a job.
type plainJob struct {
	ID         int64    `json:"id"`
	Name       string   `json:"name"`
	Stage      string   `json:"stage"`
	StartedAt  *string  `json:"started_at"`
	FinishedAt *string  `json:"finished_at"`
	Duration   *float64 `json:"duration"`
}

// Metrics makes the report that the original's client would have made of
// GitLab's answers, to the last digit. Its Project is to be filled in.
func (c *Client) Metrics(ctx context.Context, p Project, pipeline int64, o *Original) (*Metrics, error) {
	m, err := c.metrics(ctx, &p, pipeline, o)
	if err != nil {
		return nil, fmt.Errorf("pipeline %d: %w", pipeline, err)
	}
	return m, nil
}

func (c *Client) metrics(ctx context.Context, p *Project, pipeline int64, o *Original) (*Metrics, error) {
	var about struct {
		CreatedAt string `json:"created_at"`
		Ref       string `json:"ref"`
	}
	if _, err := c.JSON(ctx, rest.Request{Path: p.path("/pipelines/%d", pipeline)}, &about); err != nil {
		return nil, err
	}
	m := &Metrics{CreatedAt: about.CreatedAt, Ref: about.Ref, ProjectID: p.ID, PipelineID: pipeline, Jobs: []MetricsJob{}, JobsFailed: []MetricsJob{}, Builds: []map[string]int64{}}
	var all []plainJob
	for page, err := range rest.Pages[plainJob](ctx, c.Client, rest.Request{Path: p.path("/pipelines/%d/jobs", pipeline), Query: url.Values{"per_page": {strconv.Itoa(perPage)}}}) {
		if err != nil {
			return nil, err
		}
		all = append(all, page...)
	}
	for i := range all {
		if err := m.addE2e(ctx, c, p, &all[i], o); err != nil {
			return nil, err
		}
	}
	if len(m.Jobs) == 0 {
		return nil, ErrNoE2e
	}
	for i := range all {
		if err := m.addBuild(&all[i], o); err != nil {
			return nil, err
		}
	}
	if err := m.span(); err != nil {
		return nil, err
	}
	return m, m.addFailed(ctx, c, p, pipeline, o)
}

func (o *Original) isE2e(j *plainJob) bool {
	return j.Stage == o.StageE2e && !slices.Contains(o.NotE2e, j.Name)
}

func (m *Metrics) addBuild(j *plainJob, o *Original) error {
	if j.Stage != o.StageBuild || !slices.Contains(o.JobsBuild, j.Name) {
		return nil
	}
	if j.Duration == nil {
		return fmt.Errorf("the build %s did not run, or not yet", j.Name)
	}
	m.Builds = append(m.Builds, map[string]int64{j.Name: int64(*j.Duration)})
	m.Build += int64(*j.Duration)
	return nil
}

func (m *Metrics) addE2e(ctx context.Context, c *Client, p *Project, j *plainJob, o *Original) error {
	if !o.isE2e(j) || j.Duration == nil {
		return nil
	}
	mj := j.metrics()
	if err := mj.addSteps(ctx, c, p, j.ID, o.Steps); err != nil {
		if ctx.Err() != nil || !o.Optimistic {
			return fmt.Errorf("job %s: %w", j.Name, err)
		}
		if o.Warn != nil {
			o.Warn(j.Name, err)
		}
	}
	m.Jobs = append(m.Jobs, mj)
	return nil
}

func (j *plainJob) metrics() MetricsJob {
	return MetricsJob{Name: j.Name, StartedAt: j.StartedAt, FinishedAt: j.FinishedAt, DurationS: int64(*j.Duration)}
}

// span computes the durations: from the creation of the pipeline, and from the
// first start, to the last finish.
func (m *Metrics) span() error {
	created, err := time.Parse(time.RFC3339Nano, m.CreatedAt)
	if err != nil {
		return fmt.Errorf("created_at %q is no time", m.CreatedAt)
	}
	var first, last time.Time
	for _, j := range m.Jobs {
		if j.StartedAt == nil || j.FinishedAt == nil {
			return fmt.Errorf("the job %s has not finished yet", j.Name)
		}
		started, err := time.Parse(time.RFC3339Nano, *j.StartedAt)
		finished, ferr := time.Parse(time.RFC3339Nano, *j.FinishedAt)
		if err != nil || ferr != nil {
			return fmt.Errorf("the times of the job %s are none", j.Name)
		}
		if first.IsZero() || started.Before(first) {
			first = started
		}
		if finished.After(last) {
			last = finished
		}
	}
	m.DurationS, m.DurationE2eS = int64(last.Sub(created)/time.Second), int64(last.Sub(first)/time.Second)
	return nil
}

// addFailed adds the failed attempts, retried ones too: those on the first
// page, as in the original.
func (m *Metrics) addFailed(ctx context.Context, c *Client, p *Project, pipeline int64, o *Original) error {
	var failed []plainJob
	q := url.Values{"scope[]": {"failed"}, "include_retried": {"true"}, "per_page": {strconv.Itoa(failedPage)}}
	if _, err := c.JSON(ctx, rest.Request{Path: p.path("/pipelines/%d/jobs", pipeline), Query: q}, &failed); err != nil {
		return err
	}
	for i := range failed {
		if j := &failed[i]; o.isE2e(j) && j.Duration != nil {
			m.JobsFailed = append(m.JobsFailed, j.metrics())
		}
	}
	m.HasRestarts = len(m.JobsFailed) > 0
	return nil
}

// CheckSteps tells whether the names of steps are some that the original has.
func CheckSteps(names []string) error {
	if slices.Equal(names, []string{"up", "e2e"}) || slices.Equal(names, []string{"pull", "up", "e2e"}) {
		return nil
	}
	return errors.New("the names of steps must be: up e2e, or: pull up e2e")
}

func (j *MetricsJob) addSteps(ctx context.Context, c *Client, p *Project, job int64, names []string) error {
	if err := CheckSteps(names); err != nil {
		return err
	}
	var seconds []int64
	err := c.log(ctx, p, id(strconv.FormatInt(job, 10)), func(log io.Reader) (err error) {
		seconds, err = originalTimings(log)
		return err
	})
	if err != nil {
		return err
	}
	if len(seconds) != len(names) {
		return fmt.Errorf("%d names of steps are given, and its log has %d lines of the command time", len(names), len(seconds))
	}
	if len(seconds) == 2 {
		j.UpS, j.E2eS = &seconds[0], &seconds[1]
		return nil
	}
	j.PullS, j.UpS, j.E2eS, j.NoPullS = &seconds[0], new(seconds[0]+seconds[1]), &seconds[2], &seconds[1]
	return nil
}

// A line that ends with one of these is a timing to the original. The dot
// stands for any character, as it does there.
var originalTiming = regexp.MustCompile(`real\t([0-9]+)m([0-9]+)(.)([0-9]+)s$`)

// tailSize is how much of a line's end may be a timing.
const tailSize = 64

// originalTimings are the timings of a log in whole seconds. A line without an
// end is none, and a log that is not UTF-8 has none.
func originalTimings(log io.Reader) (all []int64, err error) {
	r := bufio.NewReaderSize(log, pieceSize)
	text := &utf8Reader{}
	var tail []byte
	for {
		piece, err := r.ReadSlice('\n')
		text.see(piece)
		tail = append(tail, piece...)
		if len(tail) > tailSize {
			tail = slices.Clone(tail[len(tail)-tailSize:])
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF):
			if !text.valid() {
				return nil, errors.New("its log is not UTF-8")
			}
			return all, nil
		case err != nil:
			return nil, fmt.Errorf("read its log: %w", err)
		}
		if m := originalTiming.FindSubmatch(bytes.TrimSuffix(tail, []byte("\n"))); m != nil {
			seconds, ok := originalSeconds(m)
			if !ok {
				return nil, fmt.Errorf("its log has a time that is none: %q", m[0])
			}
			all = append(all, seconds)
		}
		tail = tail[:0]
	}
}

func originalSeconds(m [][]byte) (seconds int64, ok bool) {
	between := string(m[3])
	if between != "." && (between < "0" || between > "9") {
		return 0, false
	}
	minutes, err := strconv.ParseFloat(string(m[1]), 64)
	rest, rerr := strconv.ParseFloat(string(m[2])+between+string(m[4]), 64)
	total := 60*minutes + rest
	return int64(total), err == nil && rerr == nil && total <= 1e9
}

// A utf8Reader sees a text in pieces and tells whether it is UTF-8.
type utf8Reader struct {
	rest   []byte // of a character that is not whole yet
	broken bool
}

func (u *utf8Reader) see(piece []byte) {
	b := piece
	if len(u.rest) > 0 {
		b = append(u.rest, piece...) //nolint:gocritic // it is not used again
	}
	u.rest = nil
	for len(b) > 0 && !u.broken {
		if !utf8.FullRune(b) {
			u.rest = slices.Clone(b)
			return
		}
		r, size := utf8.DecodeRune(b)
		u.broken = r == utf8.RuneError && size == 1
		b = b[size:]
	}
}

func (u *utf8Reader) valid() bool { return !u.broken && len(u.rest) == 0 }
