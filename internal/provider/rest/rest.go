// Package rest asks the APIs of CI systems politely: within a budget, again
// when that helps, and only on the host that the operator named. It knows no CI
// system's words.
package rest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
)

// The defaults of a Config, and what it can't change.
const (
	DefaultRate        = 5.0              // requests a second
	DefaultBurst       = 10               // requests that may go before the rate counts
	DefaultConcurrency = 4                // requests under way at once
	DefaultTimeout     = 30 * time.Second // of one try, its body included
	DefaultTries       = 8                // of one request that fails
	MaxBody            = 32 << 20         // bytes of an answer that is read as a whole
	MaxWait            = 2 * time.Hour    // that an API may ask for
	maxWaits           = 100              // times that one request is told to wait
	maxMessage         = 300              // bytes of what an API says went wrong
	maxRedirects       = 5                // on the same host
)

// Config says what to ask and how hard. Only Base must be set.
type Config struct {
	// Base is the API's address, such as https://gitlab.example.com/api/v4.
	Base string
	// Secret is the header that lets us in, such as PRIVATE-TOKEN or
	// Authorization. It goes to Base's host alone and is never logged.
	SecretHeader, Secret string
	// Header is sent with each request.
	Header http.Header

	Rate        float64       // requests a second; 0: DefaultRate
	Burst       int           // 0: DefaultBurst
	Concurrency int           // 0: DefaultConcurrency
	Timeout     time.Duration // 0: DefaultTimeout
	Tries       int           // 0: DefaultTries

	Log       *slog.Logger                               // of long waits; nil: discarded
	Now       func() time.Time                           // nil: time.Now
	Sleep     func(context.Context, time.Duration) error // nil: it sleeps
	Transport http.RoundTripper                          // nil: one of its own, with the proxy of the environment
}

// A Client asks one API. All its users share its budget.
type Client struct {
	config Config
	base   *url.URL
	http   *http.Client
	budget *budget

	requests, limited, retried, notModified atomic.Int64
}

// Counts is how much a client has asked.
type Counts struct {
	Requests    int64 // all that went out, each try
	Retried     int64 // tries that failed and were made again
	Limited     int64 // answers that told us to wait
	NotModified int64 // answers that an ETag saved
}

// New returns a client. It fails where Base is no address of HTTP.
func New(c Config) (*Client, error) {
	base, err := url.Parse(c.Base)
	if err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Host == "" {
		return nil, errors.New("the address of the API must be like https://ci.example.com/api")
	}
	if base.User != nil || base.RawQuery != "" || base.Fragment != "" {
		return nil, errors.New("the address of the API must have no user, password, query or fragment")
	}
	c.fill()
	base.Path = strings.TrimRight(base.Path, "/")
	cl := &Client{config: c, base: base, budget: newBudget(&c)}
	cl.http = &http.Client{Transport: c.Transport, CheckRedirect: cl.checkRedirect}
	return cl, nil
}

func (c *Config) fill() {
	c.Rate = cmp.Or(c.Rate, DefaultRate)
	c.Burst = cmp.Or(c.Burst, DefaultBurst)
	c.Concurrency = cmp.Or(c.Concurrency, DefaultConcurrency)
	c.Timeout = cmp.Or(c.Timeout, DefaultTimeout)
	c.Tries = cmp.Or(c.Tries, DefaultTries)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Sleep == nil {
		c.Sleep = sleep
	}
	if c.Transport == nil {
		own := http.DefaultTransport.(*http.Transport).Clone() //nolint:forcetypeassert // it is one
		own.MaxIdleConnsPerHost = c.Concurrency
		c.Transport = own
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Counts tells how much was asked so far.
func (c *Client) Counts() Counts {
	return Counts{Requests: c.requests.Load(), Retried: c.retried.Load(), Limited: c.limited.Load(), NotModified: c.notModified.Load()}
}

// CloseIdle ends the connections that nobody uses.
func (c *Client) CloseIdle() { c.http.CloseIdleConnections() }

// isHome tells whether an address is on the host that the operator named.
func (c *Client) isHome(u *url.URL) bool {
	return u.Scheme == c.base.Scheme && strings.EqualFold(u.Host, c.base.Host) && u.User == nil
}

// checkRedirect follows no way to another host: it would get the secret, and
// nobody named it.
func (c *Client) checkRedirect(r *http.Request, before []*http.Request) error {
	switch {
	case !c.isHome(r.URL):
		return errElsewhere
	case len(before) > maxRedirects:
		return errors.New("the API redirects without an end")
	}
	return nil
}

// ErrUnreadable is about an answer that came and is not what was asked for.
var ErrUnreadable = errors.New("can't be read")

var errElsewhere = errors.New("the API sends us to another host, which is not followed")

// A StatusError is an answer that is no success and that asking again does not
// change.
type StatusError struct {
	Status  int    // such as 404
	Method  string // such as GET
	Path    string // that was asked for, without the query
	Message string // what the API said, shortened
}

// Error says what was asked and what the answer was.
func (e *StatusError) Error() string {
	text := fmt.Sprintf("%s %s is answered %d %s", e.Method, e.Path, e.Status, http.StatusText(e.Status))
	if e.Message != "" {
		text += ": " + e.Message
	}
	return text
}

// HasStatus tells whether err is an answer with that status.
func HasStatus(err error, status int) bool {
	e, ok := errors.AsType[*StatusError](err)
	return ok && e.Status == status
}

// drain reads what is left of a small answer, so that its connection can be
// used again, and closes it.
func drain(body io.ReadCloser) {
	_, _ = io.CopyN(io.Discard, body, 64<<10) // whether it works changes nothing
	_ = body.Close()
}
