// Package kept lets one answer serve all who ask the same for some seconds. It
// knows nothing of what it keeps.
package kept

import (
	"context"
	"errors"
	"sync"
	"time"
)

const (
	// Fresh is how long one answer serves all who ask the same, at the least.
	Fresh = 5 * time.Second
	// maxMaking is how long making an answer may take.
	maxMaking = 30 * time.Second
)

// Answers are kept by what was asked, so that many who ask the same ask the
// database once. While an answer is made, all others wait for it. Set the
// fields before the first use.
type Answers[T any] struct {
	Now func() time.Time
	// Size is how much an answer takes, and Most how much of that is kept.
	Size func(T) int
	Most int

	mu   sync.Mutex
	all  map[string]*entry[T]
	size int
}

type entry[T any] struct {
	done   chan struct{} // closed when the rest is there
	answer T
	size   int
	err    error
	until  time.Time
}

// errUnmade is what those get who waited for somebody that panicked.
var errUnmade = errors.New("the answer was not made")

// Get returns the answer of the key, made if need be: whole tells that no part
// of it failed. It is kept at least as long as it took to make, so that whoever
// asks for a slow one again and again keeps the database busy for half of the
// time at most; that holds for failures and for answers that lack a part, too,
// which are gone at once where they came at once. Somebody who waits for another
// one's answer waits as long as ctx lets him; who makes one makes it for all, and
// goes on when ctx is done.
func (a *Answers[T]) Get(ctx context.Context, key string, ask func(context.Context) (answer T, whole bool, err error)) (T, error) {
	e, mine := a.find(key)
	if !mine {
		select {
		case <-e.done:
			return e.answer, e.err
		case <-ctx.Done():
			var none T
			return none, ctx.Err()
		}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), maxMaking)
	defer cancel()
	var whole bool
	begun := a.Now()
	e.err = errUnmade
	defer func() { a.made(e, begun, whole) }()
	e.answer, whole, e.err = ask(ctx)
	return e.answer, e.err
}

// find returns the entry of the key, and whether it is for the caller to fill.
func (a *Answers[T]) find(key string) (e *entry[T], mine bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if e, ok := a.all[key]; ok && (e.until.IsZero() || a.Now().Before(e.until)) {
		return e, false
	}
	if a.all == nil {
		a.all = map[string]*entry[T]{}
	}
	a.drop(key)
	e = &entry[T]{done: make(chan struct{})}
	a.all[key] = e
	return e, true
}

// made lets those go on who wait for the entry.
func (a *Answers[T]) made(e *entry[T], begun time.Time, whole bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	end := a.Now()
	keep := end.Sub(begun)
	if whole && e.err == nil {
		keep = max(keep, Fresh)
	}
	e.until, e.size = end.Add(keep), a.Size(e.answer)
	a.size += e.size
	a.shrink(end)
	close(e.done)
}

// drop forgets an answer, if it is there.
func (a *Answers[T]) drop(key string) {
	if e, ok := a.all[key]; ok && !e.until.IsZero() {
		a.size -= e.size
		delete(a.all, key)
	}
}

// shrink forgets what is old, and all if that is not enough.
func (a *Answers[T]) shrink(now time.Time) {
	for key, e := range a.all {
		if !e.until.IsZero() && !now.Before(e.until) {
			a.drop(key)
		}
	}
	if a.size > a.Most {
		for key := range a.all {
			a.drop(key)
		}
	}
}
