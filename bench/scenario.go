package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"time"
)

// The numbers of the reports; the original stores them in 32 bits.
const (
	firstNumber     = 1_000_000
	slowFirst       = 2_000_000_000
	defaultProjects = 20
)

// A run is what one measurement gave.
type run struct {
	result
	used    usage
	Idle    int64         // resident memory of one server before the load, bytes
	Ready   time.Duration // start of a server to ready
	Checked bool          // what the database holds was compared with what was promised
	Wrong   string        // how it differs; empty: not at all
}

// cpu is the CPU time that all took for one report, in seconds; 0: not known.
func (r run) cpu() float64 {
	u := r.used
	return (u.Server + u.Database + u.Generator).Seconds() / float64(max(1, r.Answers.accepted()))
}

// A scenario is something to measure. Its name is what tables call it.
type scenario struct {
	name    string
	measure func(context.Context, *lab) (run, error)
}

// A subject is what a load goes to.
type subject struct {
	baseline string // a command of this program; empty: the collector
	engine   engine // empty: no database
	replicas int    // 0 is 1
	webhooks bool   // what is posted are webhooks
	url      string // of a server that runs already; the rest is unknown then
}

var (
	onPostgres = subject{engine: postgres}
	onSQLite   = subject{engine: sqlite}
	rowByRow   = subject{baseline: "serve-rows", engine: postgres}
	nothing    = subject{baseline: "serve-nothing"}
)

func (s subject) String() string {
	switch {
	case s.url != "":
		return "the original"
	case s.baseline == "serve-rows":
		return "row by row"
	case s.baseline == "serve-nothing":
		return "store nothing"
	case s.replicas > 1:
		return fmt.Sprintf("%s, %d replicas", s.engine, s.replicas)
	default:
		return string(s.engine)
	}
}

// under is the scenario of a load on the subject, with slow clients beside it.
func (s subject) under(name string, p plan, slow int) scenario {
	return scenario{name: s.String() + ", " + name, measure: func(ctx context.Context, l *lab) (run, error) {
		return l.load(ctx, s, p, slow)
	}}
}

// at is the scenario of so many clients that post new reports.
func (s subject) at(clients int) scenario {
	return s.under(fmt.Sprintf("c=%d", clients), plan{Clients: clients}, 0)
}

// load measures one load on fresh servers and a fresh database.
func (l *lab) load(ctx context.Context, s subject, p plan, slow int) (r run, err error) {
	up, err := l.start(ctx, s)
	if err != nil {
		return run{}, err
	}
	defer func() { err = errors.Join(err, up.close()) }()
	time.Sleep(settle)
	r.Ready, r.Idle = up.ready(), up.idle()

	p.URLs = up.urls
	p.Projects = defaultProjects
	p.First = l.firstFor(s)
	g := newGenerator(p)
	defer g.close()
	calm, err := stallHalfway(ctx, p.URLs[0], slow)
	if err != nil {
		return r, err
	}
	if p.Only > 0 {
		g.fill(ctx, p.Only)
	}
	g.run(ctx, l.options.warmUp)
	m := startMeter(up.database.process, up.pids()...)
	r.result = g.run(ctx, l.options.length)
	r.used = m.stop()
	calm()
	if err := up.stopServers(); err != nil {
		return r, err
	}
	r.Checked = up.database.url != ""
	if s.webhooks && r.Checked {
		r.Wrong, err = up.checkDeliveries(ctx, g.Total)
	} else {
		r.Wrong, err = up.check(ctx, g.Total)
	}
	return r, err
}

// raw is the scenario of inserting straight into a fresh database, in a
// process of its own.
func raw(e engine, batch int) scenario {
	name := fmt.Sprintf("raw inserts into %s, batch %d", e, batch)
	return scenario{name: name, measure: func(ctx context.Context, l *lab) (r run, err error) {
		d, err := l.fresh(ctx, e)
		if err != nil {
			return r, err
		}
		defer func() { err = errors.Join(err, d.drop()) }()
		m := startMeter(d.process)
		cmd := exec.CommandContext(ctx, l.self, "insert", "--engine", string(e), "--database", d.url,
			"--batch", strconv.Itoa(batch), "--length", l.options.length.String())
		cmd.Stderr = l.progress
		out, err := cmd.Output()
		if err != nil {
			return r, fmt.Errorf("%s: %w", name, err)
		}
		time.Sleep(settle) // the database's process of it ends: half ended, it is found neither alive nor among the ended
		var done inserted
		if err := json.Unmarshal(out, &done); err != nil {
			return r, err
		}
		r.used = m.stop()
		r.used.Server = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
		r.result = result{Elapsed: done.Elapsed, Answers: tally{"200": done.Reports}, Accepted: done.Batch}
		r.Checked = true
		r.Wrong, err = (&environment{database: d}).check(ctx, r.Answers)
		return r, err
	}}
}

// restart is the scenario of starting on a database that holds many
// pipelines. The database is filled once, over HTTP, and kept.
func restart(e engine, pipelines int64) scenario {
	name := fmt.Sprintf("%s, start on %s pipelines", e, thousands(float64(pipelines)))
	return scenario{name: name, measure: func(ctx context.Context, l *lab) (run, error) {
		kept, err := l.filled(ctx, e, pipelines)
		if err != nil {
			return run{}, err
		}
		up, err := startServer(ctx, l.dir, l.collector, "serve", "--database", kept.url)
		if err != nil {
			return run{}, err
		}
		time.Sleep(settle)
		return run{Ready: up.ready, Idle: memory(up.pid(), "status", "VmRSS")}, up.stop()
	}}
}

func (l *lab) filled(ctx context.Context, e engine, pipelines int64) (database, error) {
	if d, ok := l.kept[e]; ok {
		return d, nil
	}
	up, err := l.start(ctx, subject{engine: e})
	if err != nil {
		return database{}, err
	}
	l.kept[e] = up.database
	g := newGenerator(plan{URLs: up.urls, Clients: 64, Projects: defaultProjects, First: firstNumber})
	defer g.close()
	if got := g.fill(ctx, pipelines); got.Answers["200"] != pipelines {
		err = fmt.Errorf("filling a database with %d pipelines: answers %v", pipelines, got.Answers)
	}
	return up.database, errors.Join(err, up.stopServers())
}
