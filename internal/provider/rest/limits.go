package rest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// A limit is what an API says of the budget that it gives us.
type limit struct {
	limit, remaining int64
	reset            time.Time // then it is filled again
}

// unixSince tells an instant from a number of seconds: no API asks us to wait
// for thirty years.
const unixSince = 1_000_000_000

// readLimit reads RateLimit-* of GitLab and of the IETF's drafts, and
// X-RateLimit-* of GitHub.
func readLimit(h http.Header, now time.Time) (l limit, ok bool) {
	for _, prefix := range []string{"RateLimit-", "X-RateLimit-"} {
		remaining, err := strconv.ParseInt(h.Get(prefix+"Remaining"), 10, 64)
		if err != nil {
			continue
		}
		reset, err := strconv.ParseInt(h.Get(prefix+"Reset"), 10, 64)
		if err != nil || reset < 0 || reset > 1<<40 {
			continue
		}
		l.remaining = remaining
		l.limit, _ = strconv.ParseInt(h.Get(prefix+"Limit"), 10, 64) // without it nothing is spared
		if reset < unixSince {
			l.reset = now.Add(time.Duration(reset) * time.Second)
		} else {
			l.reset = onOurClock(time.Unix(reset, 0), h, now)
		}
		return l, true
	}
	return readStructured(h.Get("RateLimit"), now)
}

// readStructured reads the newest draft's form: "default";r=599;t=42.
func readStructured(field string, now time.Time) (l limit, ok bool) {
	first, _, _ := strings.Cut(field, ",")
	seen := 0
	for p := range strings.SplitSeq(first, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(p), "=")
		n, err := strconv.ParseInt(value, 10, 40)
		if err != nil || n < 0 {
			continue
		}
		switch name {
		case "r":
			l.remaining = n
			seen |= 1
		case "t":
			l.reset = now.Add(time.Duration(min(n, unixSince)) * time.Second)
			seen |= 2
		}
	}
	return l, seen == 3
}

// onOurClock is an instant of the API's clock on ours, as they may differ.
func onOurClock(theirs time.Time, h http.Header, now time.Time) time.Time {
	date, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return theirs
	}
	return now.Add(theirs.Sub(date))
}

// isLimit tells whether the API wants fewer requests. GitHub says 403 then.
func isLimit(resp *http.Response) bool {
	h := resp.Header
	switch resp.StatusCode {
	case http.StatusTooManyRequests:
		return true
	case http.StatusForbidden:
		return h.Get("Retry-After") != "" || h.Get("X-RateLimit-Remaining") == "0"
	case http.StatusServiceUnavailable:
		return h.Get("Retry-After") != ""
	}
	return false
}

// until is when we may ask again; zero: it is not said.
func until(resp *http.Response, now time.Time) time.Time {
	after := resp.Header.Get("Retry-After")
	if seconds, err := strconv.ParseInt(after, 10, 40); err == nil && seconds >= 0 {
		return now.Add(time.Duration(min(seconds, unixSince)) * time.Second)
	}
	if at, err := http.ParseTime(after); err == nil {
		return onOurClock(at, resp.Header, now)
	}
	if l, ok := readLimit(resp.Header, now); ok && l.remaining <= 0 {
		return l.reset
	}
	return time.Time{}
}

// A limitedError is an answer that tells us to wait.
type limitedError struct {
	status *StatusError
	until  time.Time // zero: it is not said
}

func (e *limitedError) Error() string { return e.status.Error() }
func (e *limitedError) Unwrap() error { return e.status }

// obey lets nobody ask before the API allows it.
func (c *Client) obey(ctx context.Context, l *limitedError, pause backoff.BackOff) error {
	now := c.config.Now()
	at := l.until
	if at.IsZero() {
		at = now.Add(pause.NextBackOff())
	}
	if at.Sub(now) > MaxWait {
		return fmt.Errorf("the API asks us to wait until %s, which is too long: %w", at.UTC().Format(time.RFC3339), l)
	}
	c.config.Log.InfoContext(ctx, "the API asks us to wait", "until", at.UTC().Format(time.RFC3339), "status", l.status.Status)
	c.budget.hold(at)
	return nil
}

// failure is an answer as an error, with what the API said of it.
func (c *Client) failure(req *http.Request, resp *http.Response) *StatusError {
	b, _ := io.ReadAll(io.LimitReader(resp.Body, 8<<10)) // what came is enough
	return &StatusError{Status: resp.StatusCode, Method: req.Method, Path: req.URL.EscapedPath(), Message: message(c.withoutSecret(b))}
}

// message is what an API says in one of the usual places of its JSON.
func message(body []byte) string {
	var said struct {
		Message json.RawMessage `json:"message"`
		Error   json.RawMessage `json:"error"`
	}
	var text string
	if json.Unmarshal(body, &said) == nil {
		raw := said.Message
		if len(raw) == 0 {
			raw = said.Error
		}
		if json.Unmarshal(raw, &text) != nil {
			text = string(raw)
		}
	} else if !strings.Contains(string(body), "<") { // pages tell nothing
		text = string(body)
	}
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > maxMessage {
		text = text[:maxMessage] + "..."
	}
	return strings.ToValidUTF8(text, "")
}

func (c *Client) withoutSecret(body []byte) []byte {
	for part := range strings.FieldsSeq(c.config.Secret) { // "Bearer" and a token
		if len(part) > len("Bearer") {
			body = bytes.ReplaceAll(body, []byte(part), []byte("..."))
		}
	}
	return body
}

// withoutAddress is a failure to ask, without the address and its query.
func withoutAddress(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}

// explain is the error that the caller sees.
func (c *Client) explain(r *Request, err error) error {
	if _, ok := errors.AsType[*StatusError](err); ok {
		return err
	}
	if p, ok := errors.AsType[*permanentError](err); ok {
		return p.err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		err = errors.New("no answer in time")
	}
	return fmt.Errorf("ask for %s of %s: %w", r.Path, c.base.Host, err)
}
