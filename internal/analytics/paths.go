package analytics

import (
	"slices"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// Paths are the wall times of pipelines in parts along their critical paths.
type paths struct {
	parts []part // each once
	place map[part]int
	jobs  []jobPlaces // of the names of the day that is read
}

// A jobPlaces is where the two parts of a job are; 0: it was not seen yet, for
// parts that belong to no job come first.
type jobPlaces struct{ run, queue int }

// A stretch is so much of a wall time.
type stretch struct {
	part int // its place among the parts
	ms   int64
}

// A walk is the wall time of one pipeline and what it was made of.
type walk struct {
	createdMS, wallMS int64
	workflow          string
	parts             []stretch
}

// A place names a pipeline.
type place struct{ project, pipeline int64 }

// The parts that belong to no job have these places.
const (
	retryPlace = iota
	blockedPlace
	gapPlace
)

func newPaths() *paths {
	return &paths{parts: []part{{PartRetry, ""}, {PartBlocked, ""}, {PartGap, ""}}, place: map[part]int{}}
}

// day takes the next day.
func (p *paths) day(v *sieve) {
	names := len(v.Attempts.Name.Values)
	p.jobs = slices.Grow(p.jobs[:0], names)[:names]
	clear(p.jobs)
}

// job is where the parts of a job of the day are.
func (p *paths) job(name *store.Texts, code uint32) jobPlaces {
	at := &p.jobs[code]
	if at.run == 0 {
		of := func(one part) int {
			i, known := p.place[one]
			if !known {
				i = len(p.parts)
				p.place[one], p.parts = i, append(p.parts, one)
			}
			return i
		}
		*at = jobPlaces{of(part{PartRun, name.Values[code]}), of(part{PartQueue, name.Values[code]})}
	}
	return *at
}

// walk adds the parts of a pipeline of the day to some.
func (p *paths) walk(v *sieve, pipeline int, some []stretch) []stretch {
	of, a := &v.Pipelines, &v.Attempts
	some = append(some, stretch{retryPlace, orZero(of.PathRetry[pipeline])}, stretch{blockedPlace, orZero(of.PathBlocked[pipeline])}, stretch{gapPlace, orZero(of.PathGap[pipeline])})
	from, to := v.attemptsOf(pipeline)
	for k := from; k < to; k++ {
		if a.PathRun[k] != none {
			at := p.job(&a.Name, a.Name.Codes[k])
			some = append(some, stretch{at.run, a.PathRun[k]}, stretch{at.queue, orZero(a.PathQueue[k])})
		}
	}
	return some
}

// isWalked tells whether a pipeline of the window has a wall time that counts.
func (v *sieve) isWalked(w Window, pipeline int) bool {
	return v.Pipelines.Wall[pipeline] != none && v.in(w, pipeline) && v.counts(pipeline) && v.isOK(pipeline)
}

// A walked side sums up walks.
type walked struct {
	pipelines, wallMS int64
	squares           squares
	parts             []int64
	seen              []bool
}

// add puts a wall time on the side if its parts sum to it. They do not where a
// pipeline was told of by its reported duration alone.
func (s *walked) add(wallMS int64, parts []stretch) {
	sum := int64(0)
	for _, one := range parts {
		sum += one.ms
	}
	if sum != wallMS {
		return
	}
	s.pipelines++
	s.wallMS += wallMS
	s.squares.add(wallMS)
	for _, one := range parts {
		for len(s.parts) <= one.part {
			s.parts, s.seen = append(s.parts, 0), append(s.seen, false)
		}
		s.parts[one.part] += one.ms
		s.seen[one.part] = true
	}
}

// side is the same by the parts themselves.
func (p *paths) side(s *walked) side {
	all := side{s.pipelines, s.wallMS, s.squares, map[part]int64{}}
	for i, ms := range s.parts {
		if s.seen[i] {
			all.parts[p.parts[i]] = ms
		}
	}
	return all
}
