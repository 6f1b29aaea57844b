package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// An environment is running servers with their database.
type environment struct {
	subject  subject
	database database
	servers  []*server
	urls     []string
}

func (l *lab) start(ctx context.Context, s subject) (*environment, error) {
	e := &environment{subject: s}
	if s.url != "" {
		e.urls = []string{s.url}
		return e, nil
	}
	if s.baseline == "" {
		if err := l.build(ctx); err != nil {
			return nil, err
		}
	}
	if s.engine != "" {
		d, err := l.fresh(ctx, s.engine)
		if err != nil {
			return nil, err
		}
		e.database = d
	}
	program, args := l.collector, []string{"serve"}
	if s.baseline != "" {
		program, args = l.self, []string{s.baseline}
	}
	if s.engine != "" {
		args = append(args, "--database", e.database.url)
	}
	for range max(1, s.replicas) {
		up, err := startServer(ctx, l.dir, program, args...)
		if err != nil {
			return nil, errors.Join(err, e.close())
		}
		e.servers = append(e.servers, up)
		e.urls = append(e.urls, up.url)
	}
	return e, nil
}

func (e *environment) pids() []int {
	var pids []int
	for _, s := range e.servers {
		pids = append(pids, s.pid())
	}
	return pids
}

func (e *environment) ready() (d time.Duration) {
	for _, s := range e.servers {
		d = max(d, s.ready)
	}
	return d
}

func (e *environment) idle() (bytes int64) {
	for _, pid := range e.pids() {
		bytes = max(bytes, memory(pid, "status", "VmRSS"))
	}
	return bytes
}

// stopServers ends them, so that what they hold open is closed.
func (e *environment) stopServers() error {
	var errs []error
	for _, s := range e.servers {
		if err := s.stop(); err != nil {
			errs = append(errs, err, s.output())
		}
	}
	e.servers = nil
	return errors.Join(errs...)
}

func (e *environment) close() error {
	err := e.stopServers()
	if e.database.drop != nil {
		err = errors.Join(err, e.database.drop())
	}
	return err
}

// check compares what the database holds with what was promised: each report
// that was answered 200 once, with all its rows. A report without an answer,
// or with 503, may be there or not.
func (e *environment) check(ctx context.Context, t tally) (string, error) {
	if e.database.url == "" {
		return "", nil
	}
	rows, err := e.database.stored(ctx)
	if err != nil {
		return "", fmt.Errorf("counting what is stored: %w", err)
	}
	created, unknown := t["200"], int64(0)
	for _, name := range t.others("200", "208", "400") {
		unknown += t[name]
	}
	switch n := rows[0]; {
	case n < created || n > created+unknown:
		return fmt.Sprintf("%d answers 200, %d pipelines stored", created, n), nil
	case rows != [4]int64{n, n * jobsPerReport, n, n}:
		return fmt.Sprintf("%d pipelines, but %d jobs, %d builds, %d failed attempts", rows[0], rows[1], rows[2], rows[3]), nil
	}
	return "", nil
}
