package otlp

import (
	"cmp"
	"net/url"
	"strconv"
	"strings"
	"time"

	tracepb "go.opentelemetry.io/proto/slim/otlp/trace/v1"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
)

// A Result is what a request told.
type Result struct {
	Reports []ci.Report
	// Spans is how many spans each report was made of.
	Spans []int
	// Lost is how many spans of pipelines could not be used, as nothing in the
	// request tells which pipeline they are of.
	Lost int
}

// Parse reads a request. Spans that are not of pipelines are passed over. The
// error is for the sender.
func Parse(media string, body []byte) (Result, error) {
	spans, err := read(media, body)
	if err != nil {
		return Result{}, err
	}
	b := builder{byKey: map[string]int{}, ofTrace: map[string]*span{}, jobs: map[*span]place{}}
	for _, s := range spans { // of several in a trace, each has its own spans below it
		if s.isPipeline() || s.runID() != "" && b.ofTrace[s.trace] == nil {
			b.ofTrace[s.trace] = s
		}
	}
	for _, s := range spans {
		if s.isPipeline() {
			b.pipeline(s)
		}
	}
	for _, s := range spans {
		if !s.isPipeline() && s.isTask() && s.task() == nil {
			b.job(s)
		}
	}
	for _, s := range spans {
		if !s.isPipeline() {
			b.step(s)
		}
	}
	for i := range b.result.Reports {
		b.result.Reports[i].Normalize()
	}
	return b.result, nil
}

// isPipeline tells whether the span is a pipeline's.
func (s *span) isPipeline() bool {
	return s.has("cicd.pipeline.result", "ci.pipeline.run.result", "ci.pipeline.run.completed") ||
		s.parent == "" && !s.isTask() && s.runID() != ""
}

// isTask tells whether the span is a job's, or that of a part of one.
func (s *span) isTask() bool {
	return s.has("cicd.pipeline.task.name", "cicd.pipeline.task.run.id") || s.attributes["jenkins.pipeline.step.type"] == "stage"
}

// maxDepth is how far up the parents of a span are looked for.
const maxDepth = 100

// above is the nearest parent that is wanted.
func (s *span) above(wanted func(*span) bool) *span {
	for up, depth := s.up, 0; up != nil && depth < maxDepth; up, depth = up.up, depth+1 {
		if wanted(up) {
			return up
		}
	}
	return nil
}

// task is the outermost task that the span is a part of.
func (s *span) task() (outermost *span) {
	for up, depth := s.up, 0; up != nil && depth < maxDepth && !up.isPipeline(); up, depth = up.up, depth+1 {
		if up.isTask() {
			outermost = up
		}
	}
	return outermost
}

// runID is the pipeline's id: Jenkins numbers the runs of each of its jobs.
func (s *span) runID() string {
	if id := s.get("cicd.pipeline.run.id"); id != "" {
		return id
	}
	name, number := s.get("ci.pipeline.id"), s.get("ci.pipeline.run.number")
	if name == "" || number == "" {
		return ""
	}
	return name + "/" + number
}

// project is the repository's path, else what comes nearest.
func (s *span) project() string {
	if full := s.get("vcs.repository.url.full", "vcs.repository.url"); full != "" {
		if u, err := url.Parse(full); err == nil && u.Host != "" {
			if path := strings.TrimSuffix(strings.Trim(u.Path, "/"), ".git"); path != "" {
				return path
			}
		}
	}
	if owner, name := s.get("vcs.owner.name"), s.get("vcs.repository.name"); name != "" {
		return strings.TrimPrefix(owner+"/"+name, "/")
	}
	return s.get("git.repository", "ci.pipeline.id", "service.name")
}

func (s *span) provider() string {
	if s.get("ci.pipeline.id") != "" {
		return "jenkins"
	}
	switch name := s.get("vcs.provider.name"); name {
	case "github", "gitlab", "gitea":
		return name
	}
	return "otlp"
}

// A builder makes the reports of a request.
type builder struct {
	result  Result
	byKey   map[string]int   // positions in result, by project and run
	ofTrace map[string]*span // who tells of which pipeline a trace is
	jobs    map[*span]place
}

// A place is that of a job.
type place struct{ report, job int }

// report finds or makes the report of the pipeline that a span is of.
func (b *builder) report(s *span) (at int, known bool) {
	of := s
	if of.runID() == "" {
		of = s.above(func(up *span) bool { return up.runID() != "" })
	}
	if of == nil {
		of = b.ofTrace[s.trace]
	}
	if of == nil || of.project() == "" {
		return 0, false
	}
	id, project := of.runID(), of.project()
	if id == "" {
		id = of.trace // a pipeline without a number: nobody else tells of it
	}
	at, known = b.byKey[project+"\x00"+id]
	if !known {
		r := ci.Report{Provider: of.provider(), Project: project, Pipeline: pipelineOf(of), Source: ci.Push}
		if n, err := strconv.ParseInt(id, 10, 64); err == nil && n > 0 {
			r.Pipeline.ID = n
		} else {
			r.Pipeline.ExternalID = id
		}
		at = len(b.result.Reports)
		b.byKey[project+"\x00"+id] = at
		b.result.Reports, b.result.Spans = append(b.result.Reports, r), append(b.result.Spans, 0)
	}
	b.result.Spans[at]++
	return at, true
}

// pipelineOf is what the attributes say, without state and times.
func pipelineOf(s *span) ci.Pipeline {
	p := ci.Pipeline{
		Workflow: s.get("cicd.pipeline.name", "ci.pipeline.name", "ci.pipeline.id"), URL: s.get("cicd.pipeline.run.url.full", "ci.pipeline.run.url"),
		Ref: s.get("vcs.ref.head.name", "vcs.repository.ref.name", "git.branch"), Commit: s.get("vcs.ref.head.revision", "vcs.repository.ref.revision"),
		ChangeID: s.get("vcs.change.id"), Trigger: s.get("gitlab.pipeline.source"),
	}
	switch kind := s.get("vcs.ref.head.type", "vcs.ref.type"); {
	case p.ChangeID != "":
		p.RefKind = "change"
	case kind == "branch", kind == "tag":
		p.RefKind = kind
	}
	return p
}

func (b *builder) pipeline(s *span) {
	at, known := b.report(s)
	if !known {
		b.result.Lost++
		return
	}
	p := &b.result.Reports[at].Pipeline
	started, finished := s.times()
	p.CreatedAt, p.StartedAt = started, started
	p.State, p.Result, p.RawStatus = s.end("cicd.pipeline.result", "ci.pipeline.run.result")
	if p.State == ci.Finished {
		p.FinishedAt, p.UpdatedAt = finished, finished
	}
}

func (b *builder) job(s *span) {
	at, known := b.report(s)
	if !known {
		b.result.Lost++
		return
	}
	a := ci.Attempt{
		ID:   cmp.Or(s.attributes["cicd.pipeline.task.run.id"], s.id),
		Name: cmp.Or(s.attributes["cicd.pipeline.task.name"], s.attributes["jenkins.pipeline.step.name"], s.name),
		URL:  s.attributes["cicd.pipeline.task.run.url.full"], Environment: s.get("cicd.pipeline.task.run.environment.name", "deployment.environment.name"),
	}
	a.StartedAt, a.FinishedAt = s.times()
	a.State, a.Result, a.RawStatus = s.end("cicd.pipeline.task.run.result", "cicd.pipeline.task.run.status")
	if a.State != ci.Finished {
		a.FinishedAt = time.Time{}
	}
	if id, name := s.get("cicd.worker.id"), s.get("cicd.worker.name", "jenkins.pipeline.step.agent.label"); id != "" || name != "" {
		a.Runner = &ci.Runner{ID: id, Name: name}
	}
	jobs := &b.result.Reports[at].Jobs
	b.jobs[s] = place{at, len(*jobs)}
	*jobs = append(*jobs, a)
}

// step adds the span to its job, if it stands right below one. How long a job
// waited, some tell by a span that is called after it.
func (b *builder) step(s *span) {
	at, known := b.jobs[s.up]
	if !known {
		return
	}
	a := &b.result.Reports[at.report].Jobs[at.job]
	started, finished := s.times()
	if started.IsZero() || finished.IsZero() {
		return
	}
	b.result.Spans[at.report]++
	took := finished.Sub(started).Seconds()
	if s.name == "queue-"+a.Name {
		a.QueuedS = &took
		return
	}
	name := cmp.Or(s.attributes["cicd.pipeline.task.name"], s.name)
	if name != "" {
		a.Steps = append(a.Steps, ci.Step{Name: name, StartedAt: started, DurationS: took})
	}
}

// times are never in the wrong order: clocks of two machines may disagree.
func (s *span) times() (started, finished time.Time) {
	started, finished = instant(s.raw.GetStartTimeUnixNano()), instant(s.raw.GetEndTimeUnixNano())
	if finished.Before(started) && !finished.IsZero() {
		finished = started
	}
	return started, finished
}

func instant(nanos uint64) time.Time {
	if nanos == 0 || nanos > 1<<63-1 {
		return time.Time{}
	}
	return time.Unix(0, int64(nanos)).UTC()
}

// end says how it ended: by one of the attributes, else by the span's status. A
// span is sent when it is over.
func (s *span) end(names ...string) (ci.State, ci.Result, string) {
	word := ""
	for _, n := range names {
		word = cmp.Or(word, s.attributes[n])
	}
	result, known := results[strings.ToLower(word)]
	switch {
	case known:
		return ci.Finished, result, word
	case s.raw.GetEndTimeUnixNano() == 0:
		return "", "", word
	case s.raw.GetStatus().GetCode() == tracepb.Status_STATUS_CODE_ERROR:
		return ci.Finished, ci.Failure, word
	case s.raw.GetStatus().GetCode() == tracepb.Status_STATUS_CODE_OK:
		return ci.Finished, ci.Success, word
	}
	return ci.Finished, "", word
}

// results are the conventions' words, and those of Jenkins.
var results = map[string]ci.Result{
	"success": ci.Success, "failure": ci.Failure, "error": ci.Error, "timeout": ci.Timeout, "cancellation": ci.Cancellation, "skip": ci.Skip,
	"unstable": ci.Success, "aborted": ci.Cancellation, "not_built": ci.Skip, "not_build": ci.Skip,
}
