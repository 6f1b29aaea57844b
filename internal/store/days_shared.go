package store

import (
	"context"
	"sync"
)

// maxShared is how many numbers all that is shared at a time may have together:
// 64 MB.
const maxShared = 8_000_000

// sharedDays are days that some readings have in common: what one of them
// unpacks or makes of rows is there for the others. All was committed by the time
// at which the first reading began, and none has seen less.
type sharedDays struct {
	store *Store

	mu   sync.Mutex
	days map[sharedKey]*sharedDay
	size int64
}

type sharedKey struct {
	dayKey

	want   Parts
	isMade bool // of rows
}

// A sharedDay is one that is there, or under way.
type sharedDay struct {
	done chan struct{} // closed when day is there
	day  *Day          // nil: it could not be made
}

type sharedDaysKey struct{}

// ShareDays returns a context whose readings have days in common until done is
// called: those of one page, which ask about the same days at the same time. As
// far as there is memory for it, each day is unpacked, or made of rows, once. What
// the readings find was true when the first began, or later.
func (s *Store) ShareDays(ctx context.Context) (shared context.Context, done func()) {
	d := &sharedDays{store: s, days: map[sharedKey]*sharedDay{}}
	return context.WithValue(ctx, sharedDaysKey{}, d), d.forget
}

// sharedOf are the days that the context's readings have in common; nil: none.
func sharedOf(ctx context.Context) *sharedDays {
	d, _ := ctx.Value(sharedDaysKey{}).(*sharedDays)
	return d
}

// get returns a day that nobody changes any more, which fill makes if need be.
// Nil: there is none, or no room for it, and the caller has to make its own.
func (d *sharedDays) get(ctx context.Context, key sharedKey, fill func(*Day) error) *Day {
	if d == nil {
		return nil
	}
	d.mu.Lock()
	one, found := d.days[key]
	for want := key.want; !found && want < allParts; { // one with more parts will do
		want++
		one, found = d.days[sharedKey{key.dayKey, want, key.isMade}]
	}
	if !found && d.days != nil && d.store.shared.Load() < maxShared {
		one = &sharedDay{done: make(chan struct{})}
		d.days[key] = one
	}
	d.mu.Unlock()
	switch {
	case found:
		select {
		case <-one.done:
			return one.day
		case <-ctx.Done():
			return nil
		}
	case one == nil:
		return nil
	}
	defer close(one.done)
	day := &Day{}
	if fill(day) == nil {
		one.day = day
		d.count(day.size())
	}
	return one.day
}

func (d *sharedDays) count(size int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.days != nil {
		d.size += size
		d.store.shared.Add(size)
	}
}

func (d *sharedDays) forget() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.store.shared.Add(-d.size)
	d.days, d.size = nil, 0
}

// size is about how many numbers the day has.
func (d *Day) size() int64 {
	const ofPipeline, ofAttempt, ofStep = 16, 14, 2 // texts are half a number, flags an eighth
	return ofPipeline*int64(len(d.Pipelines.Created)) + ofAttempt*int64(len(d.Attempts.Started)) + ofStep*int64(len(d.Steps.MS))
}
