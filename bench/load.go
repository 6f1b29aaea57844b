package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// A plan says which load to make.
type plan struct {
	URLs     []string // of the servers, without path; clients are dealt out to them in turn
	Clients  int      // connections
	Rate     float64  // reports a second of an open loop; 0: closed loop, each client as fast as it is answered
	Projects int      // the reports are of so many projects
	First    int64    // number of the first report
	// Repeat is the share of posts that repeat one of the newest reports, some
	// of which are still under way.
	Repeat float64
	// Only, if not zero, repeats the first so many reports for ever.
	Only int64
	// Webhooks: the reports are posted as webhooks of GitLab.
	Webhooks bool
}

// A result is what a load got.
type result struct {
	Elapsed  time.Duration
	Answers  tally
	Accepted latency // of answers 200, 202 and 208
	NoRetry  int64   // answers 503 without a Retry-After header
}

// perSecond is how many reports a second were accepted.
func (r result) perSecond() float64 {
	if r.Elapsed <= 0 {
		return 0
	}
	return float64(r.Answers.accepted()) / r.Elapsed.Seconds()
}

const (
	requestTimeout = 30 * time.Second
	// pauseAfter503 is how long a client waits before its next report when it
	// was sent away: less than any Retry-After, so harsher than the real ones.
	pauseAfter503 = 100 * time.Millisecond
)

// A generator posts reports. Its connections outlive a run, so that a first
// run can warm up a second.
type generator struct {
	plan    plan
	clients []*client
	next    atomic.Int64 // number of the next new report
	Total   tally        // of all runs
}

// A client is one connection with its own tally.
type client struct {
	http   *http.Client
	url    string
	body   []byte
	result result
	times  []time.Duration
}

func newGenerator(p plan) *generator {
	g := &generator{plan: p, Total: tally{}}
	g.next.Store(p.First)
	path := "/save_metrics"
	if p.Webhooks {
		path = webhookPath
	}
	for i := range p.Clients {
		transport := &http.Transport{MaxIdleConnsPerHost: 1, DisableCompression: true}
		g.clients = append(g.clients, &client{
			http: &http.Client{Transport: transport, Timeout: requestTimeout},
			url:  p.URLs[i%len(p.URLs)] + path,
		})
	}
	return g
}

// close closes the connections.
func (g *generator) close() {
	for _, c := range g.clients {
		c.http.CloseIdleConnections()
	}
}

// run makes the load for that long; what is under way then is awaited and
// counted, and the time until its end too.
func (g *generator) run(ctx context.Context, d time.Duration) result {
	start := time.Now()
	if g.plan.Rate > 0 {
		return g.send(ctx, openLoop(newSchedule(start, g.plan.Rate), start.Add(d)))
	}
	return g.send(ctx, closedLoop(start.Add(d)))
}

// fill posts n reports as fast as they are accepted.
func (g *generator) fill(ctx context.Context, n int64) result {
	var sent atomic.Int64
	return g.send(ctx, func() (time.Time, bool) { return time.Now(), sent.Add(1) <= n })
}

// send lets all clients post at that pace.
func (g *generator) send(ctx context.Context, pace pacer) result {
	start := time.Now()
	var wg sync.WaitGroup
	for _, c := range g.clients {
		c.result = result{Answers: tally{}}
		c.times = c.times[:0]
		wg.Go(func() {
			for {
				intended, ok := pace()
				if !ok || ctx.Err() != nil {
					return
				}
				r := newReport(g.number(), g.plan.Projects)
				if c.body = c.body[:0]; g.plan.Webhooks {
					c.body = r.appendWebhook(c.body)
				} else {
					c.body = r.appendJSON(c.body)
				}
				c.post(ctx, intended)
			}
		})
	}
	wg.Wait()
	return g.collect(time.Since(start))
}

// A pacer waits until the next report is due and says when it was meant to
// be sent; false at the end. All clients share it.
type pacer func() (time.Time, bool)

func closedLoop(end time.Time) pacer {
	return func() (time.Time, bool) {
		now := time.Now()
		return now, now.Before(end)
	}
}

func openLoop(s schedule, end time.Time) pacer {
	var i atomic.Int64
	return func() (time.Time, bool) {
		at := s.at(i.Add(1) - 1)
		if !at.Before(end) {
			return at, false
		}
		time.Sleep(time.Until(at))
		return at, true
	}
}

// number picks the report to post.
func (g *generator) number() int64 {
	const recent = 64 // how far a repeated report lies back at most
	if g.plan.Only > 0 {
		return g.plan.First + (g.next.Add(1)-g.plan.First)%g.plan.Only
	}
	if newest := g.next.Load() - 1; rand.Float64() < g.plan.Repeat && newest >= g.plan.First {
		return max(g.plan.First, newest-rand.Int64N(recent))
	}
	return g.next.Add(1) - 1
}

func (g *generator) collect(elapsed time.Duration) result {
	all := result{Elapsed: elapsed, Answers: tally{}}
	var times []time.Duration
	for _, c := range g.clients {
		all.Answers.add(c.result.Answers)
		all.NoRetry += c.result.NoRetry
		times = append(times, c.times...)
	}
	all.Accepted = summarize(times)
	g.Total.add(all.Answers)
	return all
}

// post sends the body and takes the time of its answer from the intended
// time on, so that waiting for a free client counts as waiting.
func (c *client) post(ctx context.Context, intended time.Time) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(c.body))
	if err != nil {
		c.result.Answers["error: "+err.Error()]++
		return
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Gitlab-Event", "Pipeline Hook") // of a webhook; the others don't look at it
	resp, err := c.http.Do(req)
	if err == nil {
		_, err = io.Copy(io.Discard, resp.Body)
		err = errors.Join(err, resp.Body.Close())
	}
	if err != nil {
		c.result.Answers["error: "+errorName(err)]++
		return
	}
	c.result.Answers[strconv.Itoa(resp.StatusCode)]++
	switch resp.StatusCode {
	case http.StatusOK, http.StatusAccepted, http.StatusAlreadyReported:
		c.times = append(c.times, time.Since(intended))
	case http.StatusServiceUnavailable:
		if resp.Header.Get("Retry-After") == "" {
			c.result.NoRetry++
		}
		time.Sleep(pauseAfter503)
	}
}

// errorName is short and without addresses, so that equal errors count as
// one.
func errorName(err error) string {
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		return "timeout"
	}
	for next := errors.Unwrap(err); next != nil; next = errors.Unwrap(err) {
		err = next
	}
	return fmt.Sprint(err)
}
