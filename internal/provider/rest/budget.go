package rest

import (
	"context"
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// spare is the share of an API's own budget that is left to others: when less
// is there, requests are spread over the time until it is filled again.
const spare = 0.1

// A budget says when the next request may go out: not too many at once, not
// too many a second, and none while the API told us to wait.
type budget struct {
	now    func() time.Time
	sleep  func(context.Context, time.Duration) error
	places chan struct{}

	mu      sync.Mutex
	limiter *rate.Limiter
	usual   rate.Limit
	burst   int
	resume  time.Time // nobody asks before
}

func newBudget(c *Config) *budget {
	return &budget{
		now: c.Now, sleep: c.Sleep, places: make(chan struct{}, c.Concurrency),
		limiter: rate.NewLimiter(rate.Limit(c.Rate), c.Burst), usual: rate.Limit(c.Rate), burst: c.Burst,
	}
}

// take waits for a place and for its turn. The place must be freed.
func (b *budget) take(ctx context.Context) (free func(), err error) {
	select {
	case b.places <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	free = func() { <-b.places }
	for wait := b.turn(); wait > 0; wait = b.rest() {
		if err := b.sleep(ctx, wait); err != nil {
			free()
			return nil, err
		}
	}
	if err := ctx.Err(); err != nil {
		free()
		return nil, err
	}
	return free, nil
}

// turn takes a turn and tells how long it is until it comes.
func (b *budget) turn() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	from := now
	if b.resume.After(from) {
		from = b.resume
	}
	return from.Sub(now) + b.limiter.ReserveN(from, 1).DelayFrom(from)
}

// rest is how long it is until anybody may ask; it may have grown meanwhile.
func (b *budget) rest() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.resume.Sub(b.now())
}

// hold lets nobody ask until then.
func (b *budget) hold(until time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if until.After(b.resume) {
		b.resume = until
	}
}

// learn takes from an answer what the API says of its own budget.
func (b *budget) learn(resp *http.Response) {
	now := b.now()
	said, ok := readLimit(resp.Header, now)
	if !ok || !said.reset.After(now) {
		return
	}
	if said.remaining <= 0 {
		b.hold(earlier(said.reset, now.Add(MaxWait)))
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	limit, burst := b.usual, b.burst
	if float64(said.remaining) < spare*float64(said.limit) {
		limit, burst = min(limit, rate.Limit(float64(said.remaining)/said.reset.Sub(now).Seconds())), 1
	}
	if limit != b.limiter.Limit() {
		b.limiter.SetLimitAt(now, limit)
		b.limiter.SetBurstAt(now, burst)
	}
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
