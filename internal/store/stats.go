package store

import (
	"errors"
	"maps"
	"sync"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
)

// Stats are the store's counters since it was opened.
type Stats struct {
	Reports      map[string]int64        // by outcome: created, merged, unchanged, invalid, clash, away, busy, closed, failed
	Deliveries   map[DeliveryState]int64 // by how they ended: done, ignored, failed
	Queue        int                     // reports that wait for a commit
	Batches      int64
	BatchReports int64            // reports in all batches, each try counted
	CommitTime   time.Duration    // spent on all batches
	Errors       map[string]int64 // failed batches by class: data, conflict, away
	Away         bool             // the database is not in use: it does not answer
	PackedDays   int64            // by this process; see KeepPacked
}

type stats struct {
	mu sync.Mutex
	Stats
}

// Stats returns a copy of the counters.
func (s *Store) Stats() Stats {
	s.stats.mu.Lock()
	defer s.stats.mu.Unlock()
	c := s.stats.Stats
	c.Reports, c.Errors, c.Deliveries = maps.Clone(c.Reports), maps.Clone(c.Errors), maps.Clone(c.Deliveries)
	c.Queue, c.Away = len(s.queue), s.away.Load()
	return c
}

func (s *stats) report(outcome Outcome, err error) {
	name := outcome.String()
	if err != nil {
		name = failure(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.Reports == nil {
		s.Reports = map[string]int64{}
	}
	s.Reports[name]++
}

func (s *stats) delivery(state DeliveryState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.Deliveries == nil {
		s.Deliveries = map[DeliveryState]int64{}
	}
	s.Deliveries[state]++
}

func failure(err error) string {
	var invalid *ci.InvalidError
	switch {
	case errors.As(err, &invalid):
		return "invalid"
	case errors.Is(err, ErrClash):
		return "clash"
	case errors.Is(err, ErrAway):
		return "away"
	case errors.Is(err, ErrBusy):
		return "busy"
	case errors.Is(err, ErrClosed):
		return "closed"
	}
	return "failed"
}

func (s *stats) batch(reports int, took time.Duration, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Batches++
	s.BatchReports += int64(reports)
	s.CommitTime += took
	if err != nil {
		if s.Errors == nil {
			s.Errors = map[string]int64{}
		}
		s.Errors[string(classify(err))]++
	}
}

func (s *stats) packed(days int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.PackedDays += days
}
