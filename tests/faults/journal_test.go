//go:build linux

package faults_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"
)

// A journal knows of each report what its senders were told.
type journal struct {
	mu      sync.Mutex
	first   report // the reports are first, first+1, ...
	entries []entry
	acks    int            // answers 200 and 208
	latest  time.Time      // of the latest of them
	answers map[string]int // all answers, by status
	wrong   []string       // what must not be
	lost    int            // reports that were acknowledged, and then saved again
	longest time.Duration  // that an answer took
	moments chan struct{}  // somebody waits for an acknowledgement
}

// An entry is what became of one report.
type entry struct {
	created int            // answers 200
	known   int            // answers 208
	unclear bool           // a sender was not told what became of it
	told    [messages]bool // which native reports are acknowledged
}

func (e entry) acknowledged() bool { return e.created+e.known > 0 }

func newJournal(first report) *journal {
	return &journal{first: first, answers: map[string]int{}, moments: make(chan struct{})}
}

// next is a report that nobody has sent yet.
func (j *journal) next() report {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.entries = append(j.entries, entry{})
	return j.first + report(len(j.entries)-1)
}

// old is one of the acknowledged reports, if chance finds one.
func (j *journal) old() (n report, found bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.entries) == 0 {
		return 0, false
	}
	i := rand.IntN(len(j.entries))
	return j.first + report(i), j.entries[i].acknowledged()
}

// acknowledgedBefore tells whether some sender has been told already that the
// report is stored.
func (j *journal) acknowledgedBefore(n report) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.entries[n-j.first].acknowledged()
}

// answered notes the answer to a report. lost tells that the report was
// acknowledged before it was sent.
func (j *journal) answered(n report, status int, wasStored bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	e := &j.entries[n-j.first]
	switch status {
	case 200:
		e.created++
		if wasStored {
			j.lost++
			j.note("report %d was acknowledged, and then saved again: it was lost", n)
		} else if e.created > 1 {
			j.note("report %d got 200 twice", n)
		}
	case 208:
		e.known++
	default:
		e.unclear = true
		return
	}
	j.acks++
	j.latest = time.Now()
	select {
	case j.moments <- struct{}{}:
	default:
	}
}

// told notes that a native report is acknowledged.
func (j *journal) told(n report, message int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.entries[n-j.first].told[message] = true
}

func (j *journal) toldBefore(n report, message int) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.entries[n-j.first].told[message]
}

// forgotten notes that something acknowledged was lost.
func (j *journal) forgotten(format string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lost++
	j.note(format, args...)
}

// tally counts an answer, of whatever kind, and how long it took.
func (j *journal) tally(answer string, took time.Duration) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.answers[answer]++
	j.longest = max(j.longest, took)
}

// fault notes what must not be.
func (j *journal) fault(format string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.note(format, args...)
}

func (j *journal) note(format string, args ...any) {
	j.wrong = append(j.wrong, fmt.Sprintf(format, args...))
}

func (j *journal) acknowledgements() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.acks
}

// awaitSilence waits until no report has been acknowledged for a while.
func (j *journal) awaitSilence(t testing.TB) {
	t.Helper()
	last := func() time.Time {
		j.mu.Lock()
		defer j.mu.Unlock()
		return j.latest
	}
	for began := time.Now(); time.Since(last()) < time.Second; time.Sleep(10 * time.Millisecond) {
		if time.Since(began) > time.Minute {
			t.Fatal("reports are still saved after a minute")
		}
	}
}

// await waits until so many more reports are acknowledged, and returns how long
// that took.
func (j *journal) await(t testing.TB, more int) time.Duration {
	t.Helper()
	began, from := time.Now(), j.acknowledgements()
	for j.acknowledgements() < from+more {
		if time.Since(began) > settled {
			t.Fatalf("%d reports acknowledged in %s, want %d", j.acknowledgements()-from, settled, more)
		}
		time.Sleep(time.Millisecond)
	}
	return time.Since(began)
}

// awaitMoment returns at the very moment when a sender is told that its report
// is stored: what is not durable then would be lost by a kill.
func (j *journal) awaitMoment(t testing.TB) {
	t.Helper()
	select {
	case <-j.moments:
	case <-time.After(settled):
		t.Fatalf("no report acknowledged in %s", settled)
	}
}

// judge fails the test for all that senders saw and must not be. It returns
// what they saw.
func (j *journal) judge(t testing.TB) verdict {
	t.Helper()
	j.mu.Lock()
	defer j.mu.Unlock()
	v := verdict{sent: len(j.entries), lost: j.lost, answers: j.answers, longest: j.longest}
	for i, e := range j.entries {
		if e.acknowledged() {
			v.acknowledged++
		}
		if e.known > 0 && e.created == 0 && !e.unclear {
			j.note("report %d was said to be stored already, and nobody had stored it", j.first+report(i))
		}
	}
	for _, w := range j.wrong {
		t.Error(w)
	}
	return v
}
