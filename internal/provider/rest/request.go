package rest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// A Request is what to ask for.
type Request struct {
	Method string     // empty: GET
	Path   string     // beneath the base, escaped: /projects/acme%2Fshop
	Query  url.Values // added to it
	Body   any        // sent as JSON; nil: nothing is sent
	ETag   string     // of an answer that we have: NotModified if it is still right
	// Repeatable says that a request other than GET may be sent again when
	// nobody knows whether it was done.
	Repeatable bool
	Timeout    time.Duration // of one try; 0: the client's
	Accept     string        // empty: JSON

	address string // a page's, in place of path and query
}

// An Answer is what came, besides the body.
type Answer struct {
	Status      int
	Header      http.Header
	ETag        string
	NotModified bool // the body is the one that ETag of the request stands for
	next        string
}

// JSON asks and decodes the answer into a value; nil: the answer is not read.
// What is in the value already stays where the answer does not say otherwise.
func (c *Client) JSON(ctx context.Context, r Request, into any) (Answer, error) {
	return c.Stream(ctx, r, func(body io.Reader) error {
		if into == nil {
			return nil
		}
		limited := &io.LimitedReader{R: body, N: MaxBody + 1}
		b, err := io.ReadAll(limited)
		if err != nil {
			return err // on its way: worth another try
		}
		if limited.N == 0 {
			return &permanentError{fmt.Errorf("the answer to %s %w: it is larger than %d MiB", r.Path, ErrUnreadable, MaxBody>>20)}
		}
		if err := json.Unmarshal(b, into); err != nil {
			return &permanentError{fmt.Errorf("the answer to %s %w: %w", r.Path, ErrUnreadable, err)}
		}
		return nil
	})
}

// Pages asks for a list and for all pages after it, as the Link header says.
// It stops after an error.
func Pages[T any](ctx context.Context, c *Client, r Request) iter.Seq2[[]T, error] {
	return func(yield func([]T, error) bool) {
		for {
			var page []T
			a, err := c.JSON(ctx, r, &page)
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(page, nil) || a.next == "" || a.NotModified {
				return
			}
			r.address, r.ETag = a.next, ""
		}
	}
}

// permanentError is a failure that another try does not mend.
type permanentError struct{ err error }

func (e *permanentError) Error() string { return e.err.Error() }
func (e *permanentError) Unwrap() error { return e.err }

// Stream asks and hands the body of a success to read, which is called again
// from the body's beginning when the connection broke.
func (c *Client) Stream(ctx context.Context, r Request, read func(io.Reader) error) (Answer, error) {
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.Multiplier = time.Second, 2
	waits := 0
	for tries := 1; ; tries++ {
		a, err := c.try(ctx, &r, read)
		if err == nil {
			return a, nil
		}
		if ctx.Err() != nil {
			return a, ctx.Err()
		}
		if l, ok := errors.AsType[*limitedError](err); ok && waits < maxWaits {
			c.limited.Add(1)
			if err := c.obey(ctx, l, pause); err != nil {
				return a, err
			}
			waits++
			tries-- // it was not our request that was wrong
			continue
		}
		if tries >= c.config.Tries || !again(&r, err) {
			return a, c.explain(&r, err)
		}
		c.retried.Add(1)
		if err := c.config.Sleep(ctx, pause.NextBackOff()); err != nil {
			return a, err
		}
	}
}

// again tells whether another try may help and does no harm.
func again(r *Request, err error) bool {
	if _, permanent := errors.AsType[*permanentError](err); permanent || errors.Is(err, errElsewhere) {
		return false
	}
	if s, ok := errors.AsType[*StatusError](err); ok && s.Status < http.StatusInternalServerError && s.Status != http.StatusRequestTimeout {
		return false
	}
	return r.Method == "" || r.Method == http.MethodGet || r.Repeatable
}

// try asks once, when the budget allows it.
func (c *Client) try(ctx context.Context, r *Request, read func(io.Reader) error) (Answer, error) {
	free, err := c.budget.take(ctx)
	if err != nil {
		return Answer{}, err
	}
	defer free()
	timeout := r.Timeout
	if timeout == 0 {
		timeout = c.config.Timeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	req, err := c.build(ctx, r)
	if err != nil {
		return Answer{}, &permanentError{err}
	}
	c.requests.Add(1)
	resp, err := c.http.Do(req) //nolint:bodyclose // drain closes it
	if err != nil {
		return Answer{}, withoutAddress(err)
	}
	defer drain(resp.Body)
	c.budget.learn(resp)
	return c.answer(req, resp, read)
}

func (c *Client) answer(req *http.Request, resp *http.Response, read func(io.Reader) error) (Answer, error) {
	a := Answer{Status: resp.StatusCode, Header: resp.Header, ETag: resp.Header.Get("ETag")}
	switch {
	case resp.StatusCode == http.StatusNotModified:
		c.notModified.Add(1)
		a.NotModified = true
		return a, nil
	case isLimit(resp):
		return a, &limitedError{status: c.failure(req, resp), until: until(resp, c.config.Now())}
	case resp.StatusCode/100 != 2:
		return a, c.failure(req, resp)
	}
	var err error
	if a.next, err = c.next(req.URL, resp.Header); err != nil {
		return a, err
	}
	return a, read(resp.Body)
}

// build makes the request that goes out.
func (c *Client) build(ctx context.Context, r *Request) (*http.Request, error) {
	address := r.address
	if address == "" {
		address = c.base.String() + r.Path
		if len(r.Query) > 0 {
			address += "?" + r.Query.Encode()
		}
	}
	var body io.Reader
	if r.Body != nil {
		b, err := json.Marshal(r.Body)
		if err != nil {
			return nil, fmt.Errorf("write the request: %w", err)
		}
		body = bytes.NewReader(b)
	}
	method := r.Method
	if method == "" {
		method = http.MethodGet
	}
	req, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		return nil, fmt.Errorf("%s is no path", r.Path)
	}
	if !c.isHome(req.URL) {
		return nil, errElsewhere
	}
	maps.Copy(req.Header, c.config.Header)
	if c.config.Secret != "" {
		req.Header.Set(c.config.SecretHeader, c.config.Secret)
	}
	if r.ETag != "" {
		req.Header.Set("If-None-Match", r.ETag)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if r.Accept != "" {
		req.Header.Set("Accept", r.Accept)
	} else if req.Header.Get("Accept") == "" {
		req.Header.Set("Accept", "application/json")
	}
	return req, nil
}

// next is the address of the next page. One on another host is an error, as
// what is on it would be missing.
func (c *Client) next(from *url.URL, h http.Header) (string, error) {
	for _, line := range h.Values("Link") {
		address, found := nextLink(line)
		if !found {
			continue
		}
		u, err := from.Parse(address)
		if err != nil || !c.isHome(u) {
			return "", &permanentError{errors.New("the next page is on another host, which is not followed: name that host as the API's")}
		}
		return u.String(), nil
	}
	return "", nil
}

// nextLink finds the next page in a Link header: <address>; rel="next", ...
func nextLink(line string) (address string, found bool) {
	for {
		_, rest, isLink := strings.Cut(line, "<")
		address, rest, closed := strings.Cut(rest, ">")
		if !isLink || !closed {
			return "", false
		}
		params, _, _ := strings.Cut(rest, ",")
		if isNext(params) {
			return address, true
		}
		line = rest
	}
}

func isNext(params string) bool {
	for p := range strings.SplitSeq(params, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(p), "=")
		if strings.EqualFold(name, "rel") && slices.Contains(strings.Fields(strings.Trim(value, `"`)), "next") {
			return true
		}
	}
	return false
}
