package ci

import (
	"cmp"
	"slices"
	"strconv"
	"time"
)

// A Record is all that is known of one pipeline: the words of every source,
// each with its rank, and what follows from them (see Derive). Merging reports
// into a record gives the same record in any order, however often each comes;
// only of several legacy reports the first one stays.
type Record struct {
	// Words is what was said of the pipeline itself; its Jobs and Legacy are
	// empty.
	Words Report
	// Ranks has the rank of each of the pipeline's registers.
	Ranks Ranks
	// Attempts are the attempts that sources with words of their own told of,
	// by key, and after Derive also the entries of the legacy report.
	Attempts map[string]*AttemptRecord
	// Legacy is the report of POST /save_metrics, if one came.
	Legacy *Legacy

	Derived
}

// An AttemptRecord is all that is known of one attempt.
type AttemptRecord struct {
	Key string // "#123", "push:NAME:1" or "legacy:job:0"
	Attempt
	Ranks Ranks
	DerivedAttempt
}

// Merge adds what the report says to the record and tells whether anything in
// it changed. It looks at nothing but its arguments. Field by field, the word
// with the greater rank stays; as ranks are totally ordered, the order in
// which reports come can't matter.
func (rec *Record) Merge(r *Report) (changed bool) {
	rank := Rank{AsOf: r.asOf(), Source: max(r.Source, Push)}
	changed = mergeRegisters(pipelineRegisters, &rec.Words, r, &rec.Ranks, rank, r.toldRanks())
	if r.Legacy != nil && rec.Legacy == nil {
		rec.Legacy, changed = r.Legacy, true
	}
	rec.Words.Project = r.Project
	rec.Words.Pipeline.ID = r.Pipeline.ID
	nth := map[string]int{}
	for i := range r.Jobs {
		a := &r.Jobs[i]
		key := "#" + a.ID
		if a.ID == "" {
			nth[a.Name]++
			key = "push:" + a.Name + ":" + strconv.Itoa(nth[a.Name])
		}
		if r.Told != nil {
			key = r.Told.Jobs[i].Key
		}
		changed = rec.mergeAttempt(key, a, rank, r.toldJobRanks(i)) || changed
	}
	return changed
}

func (rec *Record) mergeAttempt(key string, a *Attempt, rank Rank, told Ranks) (changed bool) {
	known := rec.Attempts[key]
	if known == nil {
		if rec.Attempts == nil {
			rec.Attempts = map[string]*AttemptRecord{}
		}
		known = &AttemptRecord{Key: key}
		known.ID = a.ID
		rec.Attempts[key], changed = known, true
	}
	rank.Finished = a.State == Finished
	if mergeRegisters(attemptRegisters, &known.Attempt, a, &known.Ranks, rank, told) {
		changed = true
	}
	return changed
}

// A Rank says how far a word is to be believed: one about something that has
// finished before all others, then the later one, then the better source, and
// last the greater text, so that there are no ties.
type Rank struct {
	AsOf     int64 // Unix milliseconds of the latest instant in the message
	Source   Source
	Finished bool
}

func (r Rank) compare(o Rank) int {
	if r.Finished != o.Finished {
		if r.Finished {
			return 1
		}
		return -1
	}
	return cmp.Or(cmp.Compare(r.AsOf, o.AsOf), cmp.Compare(r.Source, o.Source))
}

// Ranks holds the rank of each register by its position; one whose source is
// 0 was never said.
type Ranks []Rank

func (rs Ranks) at(i int) Rank {
	if i < len(rs) {
		return rs[i]
	}
	return Rank{}
}

// said tells whether register i has a word.
func (rs Ranks) said(i int) bool { return rs.at(i).Source != 0 }

// mergeRegisters takes what ranks higher. Told, if not nil, has a rank for each
// register in the place of the message's one.
func mergeRegisters[T any](registers []register[T], stored, message *T, ranks *Ranks, rank Rank, told Ranks) (changed bool) {
	for i, reg := range registers {
		if !reg.said(message) {
			continue
		}
		r := rank
		r.Finished = rank.Finished && reg.end
		if told != nil {
			if r = told.at(i); r.Source == 0 {
				continue
			}
		}
		have := ranks.at(i)
		if have.Source != 0 {
			c := cmp.Or(r.compare(have), cmp.Compare(reg.text(message), reg.text(stored)))
			if c <= 0 {
				continue
			}
		}
		if len(*ranks) < len(registers) {
			*ranks = append(*ranks, make(Ranks, len(registers)-len(*ranks))...)
		}
		reg.take(stored, message)
		(*ranks)[i], changed = r, true
	}
	return changed
}

// asOf is the instant, in Unix milliseconds, that the message speaks of: the
// CI's own time of the last change, else the latest instant written in the
// message; never our clock. It is 0 where no instant is written.
func (r *Report) asOf() int64 {
	p := &r.Pipeline
	if !p.UpdatedAt.IsZero() {
		return p.UpdatedAt.UnixMilli()
	}
	var latest int64
	for _, t := range r.instants() {
		latest = max(latest, t.UnixMilli())
	}
	return latest
}

// instants lists every instant written in the report's own words, of which
// none is zero.
func (r *Report) instants() []time.Time {
	p := &r.Pipeline
	all := []time.Time{p.CreatedAt, p.StartedAt, p.FinishedAt}
	for i := range r.Jobs {
		a := &r.Jobs[i]
		all = append(all, a.CreatedAt, a.StartedAt, a.FinishedAt)
		for j := range a.Steps {
			all = append(all, a.Steps[j].StartedAt)
		}
	}
	return slices.DeleteFunc(all, time.Time.IsZero)
}
