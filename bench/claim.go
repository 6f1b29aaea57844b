package main

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"time"
)

// A claim is a target: a figure of one scenario, mostly as a ratio to the
// best of others in the same round.
type claim struct {
	id     string
	what   string
	of     scenario
	to     []scenario // empty: the figure itself is judged
	figure func(run) float64
	show   func(float64) string
	// least or most is what the median must reach or keep; both 0: no target.
	least, most float64
	// fault says why a run can't meet the claim whatever its figure; nil: no
	// such reason.
	fault func(run) string
	// isRate: the figure is a rate, so CPU a report says the same in another way.
	isRate bool
}

func perSecond(r run) float64 { return r.perSecond() }
func p50(r run) float64       { return r.Accepted.P50.Seconds() }
func p99(r run) float64       { return r.Accepted.P99.Seconds() }
func peak(r run) float64      { return float64(r.used.Peak) }
func idle(r run) float64      { return float64(r.Idle) }
func ready(r run) float64     { return r.Ready.Seconds() }

// claims lists all targets of the write path that one run can judge.
func claims(o options) []claim {
	all := []claim{
		{id: "postgres-rows", what: "PostgreSQL, 64 clients, to the row-by-row server", of: onPostgres.at(64), to: []scenario{rowByRow.at(64)}, figure: perSecond, isRate: true, show: rate, least: 5},
		{id: "postgres-raw", what: "PostgreSQL, 64 clients, to raw inserts by unnest, one connection", of: onPostgres.at(64), to: []scenario{raw(postgres, 100)}, figure: perSecond, isRate: true, show: rate, least: 0.55},
		{id: "sqlite-nothing", what: "SQLite, 64 clients, to the server that stores nothing", of: onSQLite.at(64), to: []scenario{nothing.at(64)}, figure: perSecond, isRate: true, show: rate, least: 0.75},
		{id: "sqlite-raw", what: "SQLite, 64 clients, to raw prepared inserts, one connection", of: onSQLite.at(64), to: []scenario{raw(sqlite, 100)}, figure: perSecond, isRate: true, show: rate},
	}
	for _, s := range []subject{onPostgres, onSQLite} {
		all = append(all, claimsOf(s, o)...)
	}
	two := subject{engine: postgres, replicas: 2}
	all = append(all, claim{id: "postgres-replicas", what: "two replicas on one PostgreSQL to one, 256 clients", of: two.at(256), to: []scenario{onPostgres.at(256)}, figure: perSecond, isRate: true, show: rate, least: 1.2})
	all = append(all,
		claim{id: "postgres-adoption", what: fmt.Sprintf("taking over %s pipelines of the original in place", thousands(float64(o.pipelines))), of: adoption(o.pipelines), figure: perSecond, show: rate, least: 20_000},
		claim{id: "postgres-adoption-memory", what: "taking over a database of the original: peak memory", of: adoption(o.pipelines), figure: peak, show: megabytes, most: 100 << 20},
	)
	if o.original != "" {
		all = append(all, claimsToOriginal(o.original)...)
	}
	return all
}

// claimsOf lists what holds for each engine alike.
func claimsOf(s subject, o options) []claim {
	id, name := strings.ToLower(string(s.engine)), string(s.engine)
	calm, beside := plan{Clients: 64, Rate: o.rate}, rate(o.rate)
	return []claim{
		{id: id + "-single", what: name + ", one client: p50 to one bare transaction", of: s.at(1), to: []scenario{raw(s.engine, 1)}, figure: p50, show: seconds, most: 1.3},
		{id: id + "-overload", what: name + ", 2,000 clients: to the best of 64 and 256, nothing but 503 with Retry-After", of: s.at(2000), to: []scenario{s.at(64), s.at(256)}, figure: perSecond, isRate: true, show: rate, least: 0.9, fault: badAnswers},
		{id: id + "-overload-memory", what: name + ", 2,000 clients: peak memory", of: s.at(2000), figure: peak, show: megabytes, most: 256 << 20},
		{id: id + "-memory", what: name + ", 256 clients: peak memory", of: s.at(256), figure: peak, show: megabytes, most: 80 << 20},
		{id: id + "-idle", what: name + ", idle: memory", of: s.at(256), figure: idle, show: megabytes, most: 30 << 20},
		{id: id + "-start", what: fmt.Sprintf("%s, start to ready on %s pipelines", name, thousands(float64(o.pipelines))), of: restart(s.engine, o.pipelines), figure: ready, show: seconds, most: 1},
		{id: id + "-slow", what: fmt.Sprintf("%s, %s reports/s: p99 beside 100 clients that send half a body, to p99 without", name, thousands(o.rate)), of: s.under(beside+" beside 100 slow clients", calm, 100), to: []scenario{s.under(beside, calm, 0)}, figure: p99, show: seconds, most: 2, fault: badAnswers},
		{id: id + "-duplicates", what: name + ", 64 clients that repeat known reports (208), to new ones", of: s.under("c=64, all known", plan{Clients: 64, Only: 1000}, 0), to: []scenario{s.at(64)}, figure: perSecond, isRate: true, show: rate, fault: not208},
		{id: id + "-webhooks", what: name + ", 64 clients that deliver webhooks of GitLab, kept durably, to the server that stores nothing", of: s.hooks(64), to: []scenario{nothing.hooks(64)}, figure: perSecond, isRate: true, show: rate, least: 0.6, fault: badDeliveries},
		{id: id + "-mixed", what: name + ", 64 clients, a third of the posts equal to one just sent, to all new", of: s.under("c=64, a third repeated", plan{Clients: 64, Repeat: 1. / 3}, 0), to: []scenario{s.at(64)}, figure: perSecond, isRate: true, show: rate, fault: badAnswers},
	}
}

func claimsToOriginal(url string) []claim {
	original := subject{url: strings.TrimSuffix(url, "/")}
	compare := func(s subject, clients int, least float64) claim {
		return claim{
			id:   fmt.Sprintf("original-%s-%d", strings.ToLower(string(s.engine)), clients),
			what: fmt.Sprintf("%s, %d clients, to the original", s.engine, clients),
			of:   s.at(clients), to: []scenario{original.at(clients)}, figure: perSecond, isRate: true, show: rate, least: least,
		}
	}
	slowest := func(clients int) claim {
		c := compare(onPostgres, clients, 0)
		c.id, c.what, c.figure, c.isRate, c.show, c.most = c.id+"-p99", c.what+": p99", p99, false, seconds, 0.1
		return c
	}
	return []claim{
		compare(onPostgres, 64, 16), slowest(64), compare(onPostgres, 256, 25), slowest(256),
		compare(onSQLite, 1, 10), compare(onSQLite, 64, 28),
	}
}

// sweep is the table of the write path: more clients, same reports.
func sweep() []claim {
	var all []claim
	for _, s := range []subject{rowByRow, nothing, onPostgres, onSQLite} {
		for _, clients := range []int{1, 8, 64, 256} {
			all = append(all, claim{id: "sweep-" + strings.ToLower(strings.ReplaceAll(s.String(), " ", "-")), what: s.at(clients).name, of: s.at(clients)})
		}
	}
	return all
}

// pick keeps the claims whose id matches one of the patterns; without any, all
// that judge something.
func pick(all []claim, patterns []string) ([]claim, error) {
	if len(patterns) == 0 {
		return slices.DeleteFunc(all, func(c claim) bool { return c.figure == nil }), nil
	}
	var picked []claim
	for _, c := range all {
		for _, pattern := range patterns {
			ok, err := path.Match(pattern, c.id)
			if err != nil {
				return nil, fmt.Errorf("--only %q: %w", pattern, err)
			}
			if ok {
				picked = append(picked, c)
				break
			}
		}
	}
	if len(picked) == 0 {
		return nil, fmt.Errorf("--only %s: no row has such a name", strings.Join(patterns, ","))
	}
	return picked, nil
}

// badAnswers finds answers that overload does not excuse.
func badAnswers(r run) string {
	if r.NoRetry > 0 {
		return fmt.Sprintf("%d answers 503 without Retry-After", r.NoRetry)
	}
	if bad := r.Answers.others("200", "208", "503"); len(bad) > 0 {
		return fmt.Sprintf("%d answers %s", r.Answers[bad[0]], bad[0])
	}
	return ""
}

// badDeliveries finds answers to webhooks that none should get.
func badDeliveries(r run) string {
	if bad := r.Answers.others("202"); len(bad) > 0 {
		return fmt.Sprintf("%d answers %s", r.Answers[bad[0]], bad[0])
	}
	return ""
}

func not208(r run) string {
	if bad := r.Answers.others("208"); len(bad) > 0 {
		return fmt.Sprintf("%d answers %s", r.Answers[bad[0]], bad[0])
	}
	return ""
}

// A verdict is a claim with what the rounds said of it.
type verdict struct {
	claim
	value    spread // of the ratio, or of the figure itself
	figures  spread
	baseline spread
	byCPU    spread // of the ratios of CPU a report, for rates alone
	faults   []string
}

// judge takes the ratio within each round, so that a slow minute of the
// machine weighs on both sides.
func (c claim) judge(runs map[string][]run) verdict {
	v := verdict{claim: c}
	var values, figures, baselines, byCPU []float64
	for i, r := range runs[c.of.name] {
		figure := c.figure(r)
		figures = append(figures, figure)
		value := figure
		if len(c.to) > 0 {
			best, cpu := 0.0, 0.0
			for _, s := range c.to {
				baseline := runs[s.name][i]
				if f := c.figure(baseline); f > best {
					best, cpu = f, baseline.cpu()
				}
			}
			if own := r.cpu(); c.isRate && own > 0 && cpu > 0 {
				byCPU = append(byCPU, cpu/own)
			}
			baselines = append(baselines, best)
			value = figure / best
		}
		values = append(values, value)
		if c.fault != nil {
			if f := c.fault(r); f != "" {
				v.faults = append(v.faults, f)
			}
		}
	}
	v.value, v.figures, v.baseline, v.byCPU = spreadOf(values), spreadOf(figures), spreadOf(baselines), spreadOf(byCPU)
	return v
}

// met is yes, no, or a dash without a target.
func (v verdict) met() string {
	switch {
	case len(v.faults) > 0:
		return "no: " + v.faults[0]
	case v.least == 0 && v.most == 0:
		return "–"
	case v.least > 0 && v.value.Median < v.least, v.most > 0 && v.value.Median > v.most:
		return "no"
	default:
		return "yes"
	}
}

// target is the bound in words.
func (v verdict) target() string {
	show := v.show
	if len(v.to) > 0 {
		show = ratio
	}
	switch {
	case v.least > 0:
		return ">= " + show(v.least)
	case v.most > 0:
		return "<= " + show(v.most)
	default:
		return "–"
	}
}

func rate(v float64) string      { return thousands(v) + "/s" }
func ratio(v float64) string     { return fmt.Sprintf("%.2fx", v) }
func megabytes(v float64) string { return fmt.Sprintf("%.0f MB", v/(1<<20)) }
func seconds(v float64) string   { return milliseconds(time.Duration(v * float64(time.Second))) }
