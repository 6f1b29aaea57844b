//go:build linux

package faults_test

import (
	"fmt"
	"testing"
	"time"
)

// A verdict is what became of all reports of a test: a row of the fault table.
type verdict struct {
	sent, acknowledged  int
	lost, doubled, half int // acknowledged and not there; there twice; not as it was said
	answers             map[string]int
	longest             time.Duration // that an answer took
}

func (v *verdict) add(other verdict) {
	v.sent += other.sent
	v.acknowledged += other.acknowledged
	v.lost += other.lost
	v.doubled += other.doubled
	v.half += other.half
	v.longest = max(v.longest, other.longest)
	if v.answers == nil {
		v.answers = map[string]int{}
	}
	for answer, n := range other.answers {
		v.answers[answer] += n
	}
}

// tell writes the row: `make soak | grep -o '| .*'` is the fault table. Its
// columns: what was done; reports sent, acknowledged, lost, doubled, half
// stored; answers 200 or 201, 208, 400, 503, none for the server was dead; the slowest
// answer, and the longest until all was well again.
func (v verdict) tell(t testing.TB, recovered time.Duration, what string, args ...any) {
	t.Helper()
	t.Logf("| %s | %d | %d | %d | %d | %d | %d | %d | %d | %d | %d | %s | %s |", fmt.Sprintf(what, args...),
		v.sent, v.acknowledged, v.lost, v.doubled, v.half,
		v.answers["200"]+v.answers["201"], v.answers["208"], v.answers["400"], v.answers["503"], v.answers["none"],
		v.longest.Round(time.Millisecond), recovered.Round(time.Millisecond))
}
