package gitlabtest

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// Epoch is when the first generated pipeline was created.
var Epoch = time.Date(2026, 6, 1, 8, 0, 0, 0, time.UTC)

var plan = []struct{ name, stage string }{
	{"build-e2e", "build"}, {"lint", "test"}, {"unit", "test"}, {"e2e:cart", "test"}, {"e2e:checkout", "test"}, {"deploy", "deploy"},
}

// Generate makes up n pipelines of a few projects of the group acme: with
// retries, failures, cancellations, manual jobs, children, pipelines of other
// projects, tags and merge requests. The same seed makes up the same.
func Generate(seed uint64, n int) *World {
	w := &World{nextID: 100}
	g := &generator{w: w, rand: rand.New(rand.NewPCG(seed, seed)), now: Epoch} //nolint:gosec // to be the same each time
	projects := []*Project{w.AddProject("acme/shop"), w.AddProject("acme/pay/api"), w.AddProject("acme/infra")}
	for made := 0; made < n; {
		g.now = g.now.Add(time.Duration(g.rand.IntN(1200_000)) * time.Millisecond)
		p := projects[g.rand.IntN(len(projects))]
		pipeline := g.pipeline(p, g.now)
		made++
		if made+1 < n && g.chance(10) {
			other := p
			if g.chance(40) {
				other = projects[g.rand.IntN(len(projects))]
			}
			g.trigger(pipeline, other)
			made++
		}
	}
	return w
}

type generator struct {
	w    *World
	rand *rand.Rand
	now  time.Time
}

func (g *generator) chance(percent int) bool { return g.rand.IntN(100) < percent }

func (g *generator) millis(most int) time.Duration {
	return time.Duration(1+g.rand.IntN(most)) * time.Millisecond
}

func (g *generator) pipeline(p *Project, created time.Time) *Pipeline {
	id := g.w.id()
	pl := &Pipeline{ID: id, Project: p, Ref: "main", Source: "push", Status: "success", Created: created, SHA: fmt.Sprintf("%040x", id*2654435761)}
	switch {
	case g.chance(30):
		pl.Ref, pl.Source = fmt.Sprintf("refs/merge-requests/%d/head", id%50+1), "merge_request_event"
	case g.chance(5):
		pl.Ref, pl.Tag = fmt.Sprintf("v1.%d.0", id), true
	case g.chance(20):
		pl.Ref = fmt.Sprintf("feature/%d", id%7)
	}
	if g.chance(20) {
		pl.Name = "Nightly"
	}
	p.Pipelines = append(p.Pipelines, pl)
	if id%17 == 0 {
		d := &Deployment{ID: id, Environment: "elsewhere", Status: "success", SHA: pl.SHA, Finished: created.Add(time.Hour).Truncate(time.Second)}
		if id%3 == 0 {
			d.Status = "failed"
		}
		p.Deployments = append(p.Deployments, d)
	}
	at, stage := created, ""
	end := created
	for _, step := range plan {
		if step.stage != stage {
			at, stage = end, step.stage
		}
		if last := g.attempts(pl, step.name, step.stage, at); last.After(end) {
			end = last
		}
	}
	pl.settle()
	return pl
}

// attempts runs a job until it succeeds or nobody retries it, and returns its
// end.
func (g *generator) attempts(pl *Pipeline, name, stage string, at time.Time) time.Time {
	for n := 1; ; n++ {
		j := &Job{ID: g.w.id(), Name: name, Stage: stage, Number: n, Created: at, Status: "success", Tags: []string{"docker"}, AllowFailure: name == "lint"}
		pl.Jobs = append(pl.Jobs, j)
		switch {
		case name == "deploy" && n == 1 && g.chance(60):
			j.Status = "manual"
			return at
		case g.chance(2):
			j.Status, j.Finished = "canceled", at.Add(g.millis(5000)) // before a runner took it
			return j.Finished
		}
		j.Started = at.Add(g.millis(60_000))
		j.Queued = j.Started.Sub(at).Seconds()
		j.Finished = j.Started.Add(g.millis(600_000))
		j.Runner = fmt.Sprintf("runner-%d", g.rand.IntN(4)+1)
		if name == "deploy" {
			j.Environment = "production"
		}
		j.Log = g.log(j)
		if !g.chance(12) {
			return j.Finished
		}
		j.Status, j.Reason = "failed", "script_failure"
		if g.chance(20) {
			j.Reason = "runner_system_failure"
		}
		if n == 4 || g.chance(30) {
			return j.Finished
		}
		j.Retried = true
		at = j.Finished.Add(g.millis(30_000))
	}
}

// log is what the job wrote: sections of the runner, one of the script, and
// what the command time says.
func (g *generator) log(j *Job) string {
	var b strings.Builder
	at := j.Started.Unix()
	fmt.Fprintf(&b, "Running with gitlab-runner 18.5.0\n\x1b[0Ksection_start:%d:get_sources\r\x1b[0KGetting source\n", at)
	fmt.Fprintf(&b, "\x1b[0Ksection_end:%d:get_sources\r\x1b[0K\n", at+2)
	if !strings.HasPrefix(j.Name, "e2e") {
		return b.String()
	}
	up := g.rand.IntN(90)
	fmt.Fprintf(&b, "\x1b[0Ksection_start:%d:seed_data[collapsed=true]\r\x1b[0KSeed\n\x1b[0Ksection_end:%d:seed_data\r\x1b[0K\n", at+2, at+5)
	fmt.Fprintf(&b, "\nreal\t%dm%d.%03ds\nuser\t0m0.1s\nsys\t0m0.0s\n", up/60, up%60, g.rand.IntN(1000))
	fmt.Fprintf(&b, "\nreal\t%dm%d.%03ds\nuser\t0m0.1s\nsys\t0m0.0s\nJob succeeded\n", g.rand.IntN(3), g.rand.IntN(60), g.rand.IntN(1000))
	return b.String()
}

// trigger lets a bridge of the pipeline start another one.
func (g *generator) trigger(pl *Pipeline, other *Project) {
	b := &Job{ID: g.w.id(), Name: "start " + other.Path, Stage: "deploy", Number: 1, Bridge: true, Status: "success", Created: pl.Created, Started: pl.Finished, Finished: pl.Finished.Add(time.Second)}
	if b.Started.IsZero() {
		b.Started, b.Finished = pl.Created, pl.Created.Add(time.Second)
	}
	child := g.pipeline(other, b.Started)
	child.Parent, child.ParentJob, child.Source = pl, b.ID, "pipeline"
	if other == pl.Project {
		child.Source, child.Ref, child.Tag = "parent_pipeline", pl.Ref, pl.Tag
	}
	b.Downstream = child
	pl.Jobs = append(pl.Jobs, b)
	pl.settle()
}

// settle computes what follows for a pipeline from its jobs.
func (p *Pipeline) settle() {
	p.Status, p.Started, p.Finished, p.Updated = "success", time.Time{}, time.Time{}, p.Created
	for _, j := range p.Jobs {
		for _, t := range []time.Time{j.Created, j.Finished} {
			if t.After(p.Updated) {
				p.Updated = t
			}
		}
		if !j.Started.IsZero() && (p.Started.IsZero() || j.Started.Before(p.Started)) {
			p.Started = j.Started
		}
		if j.Finished.After(p.Finished) {
			p.Finished = j.Finished
		}
		switch {
		case j.Retried || j.AllowFailure:
		case j.Status == "failed":
			p.Status = "failed"
		case j.Status == "canceled" && p.Status == "success":
			p.Status = "canceled"
		}
	}
	p.Updated = p.Updated.Add(7 * time.Millisecond)
}
