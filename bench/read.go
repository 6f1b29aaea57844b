package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/bench/filled"
)

// The read bench: each question of the API by HTTP, on a database of a year,
// while reports arrive, beside the original's own SQL on the original's tables.

// reading is the flags of the read bench.
type reading struct {
	pipelines int64
	busy      int64
	times     int
	rate      float64
	engines   string
	program   string
	only      string
	fill      string
	on        string
}

func readCommand(ctx context.Context, args []string) (err error) {
	var o reading
	fs := newFlags("read")
	fs.Int64Var(&o.pipelines, "pipelines", 100_000, "pipelines in the database, ten jobs each; the targets are for 1,000,000")
	fs.IntVar(&o.times, "times", 20, "how often each question is asked")
	fs.Float64Var(&o.rate, "rate", 50, "reports a second that arrive meanwhile")
	fs.StringVar(&o.engines, "engines", "SQLite,PostgreSQL", "engines, separated by commas")
	fs.StringVar(&o.program, "program", "", "a built collector; empty: build it")
	fs.Int64Var(&o.busy, "busy", 60_000, "so many of them are of the busy project, at least 600")
	fs.StringVar(&o.only, "only", "", "ask only questions that have one of these in their names, separated by commas")
	fs.StringVar(&o.fill, "fill", "", "fill this empty SQLite file or PostgreSQL database, and do nothing else")
	fs.StringVar(&o.on, "on", "", "ask on this database, filled before, and leave it where it is")
	if err := fs.Parse(args[1:]); err != nil {
		return err
	}
	if o.fill != "" {
		return filled.Year(ctx, o.fill, o.pipelines, o.busy, func(string) {})
	}
	l, err := newLab(ctx, options{}, os.Stderr)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	if l.collector = o.program; l.collector == "" {
		if err := l.build(ctx); err != nil {
			return err
		}
	}
	if o.on != "" {
		return l.read(ctx, o, databaseAt(o.on))
	}
	for e := range strings.SplitSeq(o.engines, ",") {
		if err := l.readFresh(ctx, o, engine(e)); err != nil {
			return err
		}
	}
	return nil
}

// databaseAt is a database of somebody else.
func databaseAt(url string) database {
	d := database{engine: sqlite, url: url, drop: func() error { return nil }}
	if strings.HasPrefix(url, "postgres") {
		d.engine = postgres
	}
	return d
}

// A question is a path to get, with its target for the p95 on a million
// pipelines; 0: none.
type askedQuestion struct {
	name, path string
	target     time.Duration
}

func questionsToAsk() []askedQuestion {
	var all []askedQuestion
	add := func(name, path, project, span string, target time.Duration) {
		q := url.Values{"range": {span}}
		who := "all projects"
		if project != "" {
			q.Set("project", project)
			who = strings.TrimSuffix(strings.TrimPrefix(project, "bench/"), "-0001")
		}
		join := "?"
		if strings.Contains(path, "?") {
			join = "&"
		}
		all = append(all, askedQuestion{fmt.Sprintf("%s, %s, %s", name, who, span), path + join + q.Encode(), target})
	}
	ms := time.Millisecond
	targets := map[string]time.Duration{
		"stats usual 30d": 10 * ms, "stats usual 1y": 20 * ms, "stats busy 30d": 15 * ms, "stats busy 1y": 60 * ms,
		"jobs busy 30d": 60 * ms, "jobs busy 1y": 150 * ms,
	}
	for _, span := range []string{"30d", "1y"} {
		for who, project := range map[string]string{"usual": filled.Usual, "busy": filled.Busy} {
			target := func(name string) time.Duration { return targets[name+" "+who+" "+span] }
			add("stats", "/api/v1/stats", project, span, target("stats"))
			add("stats time_to_e2e", "/api/v1/stats?metric=time_to_e2e", project, span, target("stats"))
			add("stats job_run", "/api/v1/stats?metric="+url.QueryEscape("job_run:e2e:cart"), project, span, 0)
			add("one job", "/api/v1/job?job="+url.QueryEscape("e2e:cart"), project, span, 0)
			for _, name := range []string{"jobs", "breakdown", "critical-path", "restarts", "flaky", "queue", "outcomes", "cost", "changes", "findings", "dora", "concurrency", "pipelines"} {
				add(name, "/api/v1/"+name, project, span, target(name))
			}
		}
	}
	add("overview", "/api/v1/overview", "", "30d", 100*ms)
	add("overview", "/api/v1/overview", "", "1y", 300*ms)
	all = append(all,
		askedQuestion{"one pipeline", "/api/v1/pipelines/1?project=" + url.QueryEscape(filled.Busy), 10 * ms},
		askedQuestion{"page of a project, usual, 30d", "/p/" + filled.Usual + "?again=", 150 * ms},
		askedQuestion{"page of all projects, 30d", "/?again=", 150 * ms},
	)
	for _, span := range []string{"30d", "90d"} {
		all = append(all, askedQuestion{"page of a project, busy, " + span, "/p/" + filled.Busy + "?range=" + span + "&again=", 150 * ms})
		for _, page := range []string{"pipelines", "jobs", "jobs/e2e:cart", "flaky", "queue", "compare", "dora"} {
			all = append(all, askedQuestion{"page " + page + ", busy, " + span, "/p/" + filled.Busy + "/-/" + page + "?range=" + span + "&again=", 150 * ms})
		}
	}
	slices.SortStableFunc(all, func(a, b askedQuestion) int { return strings.Compare(a.name, b.name) })
	return all
}

func (l *lab) tell(s string) { fmt.Fprintf(l.progress, "%s %s\n", time.Now().Format(time.TimeOnly), s) }

// readFresh fills a database and asks on it.
func (l *lab) readFresh(ctx context.Context, o reading, e engine) error {
	d, err := l.fresh(ctx, e)
	if err != nil {
		return err
	}
	if err = filled.Year(ctx, d.url, o.pipelines, o.busy, func(s string) { l.tell(string(e) + ": " + s) }); err != nil {
		err = fmt.Errorf("fill %s: %w", e, err)
	} else {
		err = l.read(ctx, o, d)
	}
	return errors.Join(err, d.drop())
}

// read starts the collector on a filled database and asks.
func (l *lab) read(ctx context.Context, o reading, d database) (err error) {
	e := d.engine
	l.tell(string(e) + ": packing what is not packed")
	if err := filled.Pack(ctx, d.url); err != nil {
		return fmt.Errorf("pack %s: %w", e, err)
	}
	seed := ""
	if e == postgres {
		if seed, err = seedTable(ctx, d, o.times); err != nil {
			return fmt.Errorf("the original's SQL: %w", err)
		}
	}
	s, err := startServer(ctx, l.dir, l.collector, "serve", "--database", d.url, "--log-level", "error")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	loading, stop := context.WithCancel(ctx)
	g := newGenerator(plan{URLs: []string{s.url}, Clients: 8, Rate: o.rate, Projects: defaultProjects, First: 100 * (time.Now().Unix() % 1e7)}) // others than on a database that was asked before
	load := make(chan result, 1)
	m := startMeter(d.process, s.pid())
	go func() { load <- g.run(loading, time.Hour) }()
	l.tell(string(e) + ": asking")
	fmt.Printf("\n### %s, %d pipelines, %.0f reports/s arriving\n\n| question | p50 ms | p95 ms | target ms | CPU ms |\n|---|---|---|---|---|\n", e, o.pipelines, o.rate)
	for _, q := range questionsToAsk() {
		if slices.ContainsFunc(strings.Split(o.only, ","), func(part string) bool { return strings.Contains(q.name, part) }) {
			fmt.Println(s.ask(ctx, d, q, o.times))
		}
	}
	strangers := m.stop().others()
	stop()
	r := <-load
	g.close()
	fmt.Printf("\nReports meanwhile: p50 %s, p99 %s, answers %v. Others' cores: %.2f.\n", milliseconds(r.Accepted.P50), milliseconds(r.Accepted.P99), r.Answers, strangers)
	fmt.Print(seed)
	return err
}

func keysOf[T any](m map[string]T) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// ask asks a question some times and writes a row of the table. The CPU is that
// of the server and its database, also for the reports that arrive meanwhile.
func (s *server) ask(ctx context.Context, d database, q askedQuestion, times int) string {
	var took []time.Duration
	var m *meter
	for i := range times + 2 { // the first two are not counted
		start := time.Now()
		if i == 2 {
			m = startMeter(d.process, s.pid())
		}
		path := q.path
		if strings.HasSuffix(path, "=") {
			path += strconv.Itoa(i) // a page that was not made yet
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+path, http.NoBody)
		if err != nil {
			return fmt.Sprintf("| %s | %v | | | |", q.name, err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return fmt.Sprintf("| %s | %v | | | |", q.name, err)
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close() // it was read to its end
		if err != nil || resp.StatusCode != http.StatusOK {
			return fmt.Sprintf("| %s | %s %.100s | | | |", q.name, resp.Status, body)
		}
		if i >= 2 {
			took = append(took, time.Since(start))
		}
		if time.Since(start) > 3*time.Second && i >= 3 {
			break
		}
	}
	u := m.stop()
	cpu := (u.Server + u.Database) / time.Duration(len(took))
	slices.Sort(took)
	ms := func(d time.Duration) string { return fmt.Sprintf("%.1f", float64(d.Microseconds())/1000) }
	p50, p95 := took[len(took)/2], took[min(len(took)-1, len(took)*95/100)]
	target := ""
	if q.target > 0 {
		target = ms(q.target)
		if p95 > q.target {
			target += " **missed**"
		}
	}
	return fmt.Sprintf("| %s | %s | %s | %s | %s |", q.name, ms(p50), ms(p95), target, ms(cpu))
}
