// Package push sends reports from inside a job: what a file says, what the CI
// system's environment says, and how long the marked steps took. What can't be
// sent waits on disk for the next time. It never touches a database.
package push

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/provider/native"
)

// The limits of what is sent at once.
const (
	maxReports  = native.MaxReports
	maxSent     = 4 << 20 // bytes of a body with several reports
	maxOne      = 8 << 20 // bytes of a report
	sendTimeout = 15 * time.Second
)

// Config is all that a push needs.
type Config struct {
	// URL is the server's address, such as https://metrics.example.com. Empty:
	// nothing can be sent, and all waits on disk.
	URL   string
	Token string
	// Dir holds what could not be sent yet.
	Dir string
	// Wait is how long to try.
	Wait time.Duration
	// Current is what is known of the job that this runs in: it fills what the
	// reports leave out.
	Current ci.Report
	Client  *http.Client // nil: one with sensible limits
	// Tell is told what people should know.
	Tell func(format string, args ...any)
}

// A Result says what became of a push.
type Result struct {
	Sent    int // reports that the server took, also those of earlier pushes
	Refused int // reports that are not valid
	Waiting int // files on disk that wait for the next push
}

// Push sends the reports of in, and what waits from earlier pushes; where in is
// nil, it sends what is known of the current job. Everything is on disk before
// it is sent. The error says what could not be read, kept or sent.
func Push(ctx context.Context, c Config, in io.Reader) (Result, error) {
	if c.Client == nil {
		c.Client = &http.Client{Timeout: sendTimeout, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	p := &pusher{Config: c, spool: spool{c.Dir}}
	ctx, cancel := context.WithTimeout(ctx, c.Wait)
	defer cancel()
	err := p.take(in)
	err = errors.Join(err, p.sendAll(ctx))
	waiting, werr := p.spool.list()
	p.result.Waiting = len(waiting)
	return p.result, errors.Join(err, werr)
}

type pusher struct {
	Config

	spool  spool
	result Result
	parts  []json.RawMessage // for the next file
	size   int
}

// take puts all reports of in on disk.
func (p *pusher) take(in io.Reader) error {
	if in == nil {
		return errors.Join(p.add(p.Current, 1), p.keep())
	}
	var bad error
	err := values(in, func(n int, raw json.RawMessage) error {
		r, err := native.Decode(raw)
		if err == nil {
			Fill(&r, &p.Current)
			err = p.add(r, n)
		}
		if invalid, ok := errors.AsType[*ci.InvalidError](err); ok {
			p.result.Refused++
			bad = fmt.Errorf("report %d is not valid: %w", n, invalid)
			p.Tell("%v", bad)
			return nil // the others are none the worse
		}
		return err
	})
	return errors.Join(err, p.keep(), bad)
}

// add takes a report into the next file.
func (p *pusher) add(r ci.Report, n int) error {
	r.Normalize()
	if err := r.Validate(); err != nil {
		return err
	}
	raw, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("write report %d: %w", n, err)
	}
	if len(p.parts) == maxReports || p.size+len(raw) > maxSent {
		if err := p.keep(); err != nil {
			return err
		}
	}
	p.parts, p.size = append(p.parts, raw), p.size+len(raw)
	return nil
}

// keep writes the next file.
func (p *pusher) keep() error {
	if len(p.parts) == 0 {
		return nil
	}
	body, err := json.Marshal(p.parts)
	if err != nil {
		return fmt.Errorf("write reports: %w", err)
	}
	p.parts, p.size = nil, 0
	return p.spool.put(body)
}
