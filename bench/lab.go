package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// A lab is where it is measured.
type lab struct {
	options   options
	self      string   // this program
	collector string   // the program under test, once it is built
	cluster   *cluster // nil: no PostgreSQL
	dir       string   // for databases and logs
	kept      map[engine]database
	progress  io.Writer
	reachable string // why there is no PostgreSQL
}

// newLab looks for PostgreSQL.
func newLab(ctx context.Context, o options, progress io.Writer) (l *lab, err error) {
	l = &lab{options: o, kept: map[engine]database{}, progress: progress}
	if l.self, err = os.Executable(); err != nil {
		return nil, err
	}
	if l.dir, err = os.MkdirTemp("", "bench-"); err != nil {
		return nil, err
	}
	if address := os.Getenv("PMC_TEST_POSTGRES"); address == "" {
		l.reachable = "PMC_TEST_POSTGRES does not name a throw-away PostgreSQL"
	} else if l.cluster, err = openCluster(ctx, address); err != nil {
		return nil, errors.Join(err, l.close())
	}
	return l, nil
}

// build builds the collector, once.
func (l *lab) build(ctx context.Context) error {
	if l.collector != "" {
		return nil
	}
	path := filepath.Join(l.dir, "pipeline-metrics-collector")
	out, err := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", path, "./cmd/pipeline-metrics-collector").CombinedOutput()
	if err != nil {
		return fmt.Errorf("building the collector (run the bench in the project's root): %w\n%s", err, out)
	}
	l.collector = path
	return nil
}

func (l *lab) close() error {
	var errs []error
	for _, d := range l.kept {
		errs = append(errs, d.drop())
	}
	return errors.Join(append(errs, os.RemoveAll(l.dir))...)
}

func (l *lab) fresh(ctx context.Context, e engine) (database, error) {
	if e == postgres {
		return l.cluster.fresh(ctx)
	}
	return freshSQLite(l.dir)
}

// firstFor gives reports that the subject does not know yet: an original
// keeps its database from one measurement to the next.
func (l *lab) firstFor(s subject) int64 {
	if s.url == "" {
		return firstNumber
	}
	const hundredths = 10_000_000 // of seconds, in a bit more than a day
	return 100 * (time.Now().UnixMilli() / 10 % hundredths)
}

// measure runs all scenarios that the claims need, round after round.
func (l *lab) measure(ctx context.Context, all []claim) (findings, error) {
	f := findings{options: l.options, runs: map[string][]run{}}
	var err error
	if f.machine, err = describeMachine(ctx, l.dir); err != nil {
		return f, err
	}
	if l.cluster != nil {
		f.machine.Postgres = l.cluster.version
	}
	scenarios := l.needed(all, &f)
	for round := range l.options.rounds {
		for _, s := range scenarios {
			r, err := s.measure(ctx, l)
			if err != nil {
				return f, fmt.Errorf("%s, round %d: %w", s.name, round+1, err)
			}
			f.runs[s.name] = append(f.runs[s.name], r)
			fmt.Fprintf(l.progress, "round %d of %d: %s: %s/s, p99 %s\n", round+1, l.options.rounds, s.name,
				thousands(r.perSecond()), milliseconds(r.Accepted.P99))
		}
	}
	return f, nil
}

// needed lists each scenario once, and notes what can't be measured here.
func (l *lab) needed(all []claim, f *findings) []scenario {
	var scenarios []scenario
	seen := map[string]bool{}
	for _, c := range all {
		needs := append([]scenario{c.of}, c.to...)
		if l.cluster == nil && needsPostgres(needs) {
			f.skipped = append(f.skipped, c.id+": "+l.reachable+".")
			continue
		}
		f.claims = append(f.claims, c)
		for _, s := range needs {
			if !seen[s.name] {
				seen[s.name] = true
				scenarios = append(scenarios, s)
				f.order = append(f.order, s.name)
			}
		}
	}
	return scenarios
}

func needsPostgres(all []scenario) bool {
	for _, s := range all {
		if strings.Contains(s.name, string(postgres)) || strings.HasPrefix(s.name, rowByRow.String()) {
			return true
		}
	}
	return false
}
