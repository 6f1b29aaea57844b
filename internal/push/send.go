package push

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	firstPause = 500 * time.Millisecond // between tries; it doubles
	maxPause   = 10 * time.Second
	maxAnswer  = 4 << 20 // bytes
)

// sendAll sends what waits, this push's own first, until the time is over.
func (p *pusher) sendAll(ctx context.Context) error {
	names, err := p.spool.list()
	if err != nil || len(names) == 0 {
		return err
	}
	target, err := p.target()
	if err != nil {
		return err
	}
	slices.Reverse(names)
	var refusals error
	for _, name := range names {
		body, err := p.spool.read(name)
		if err != nil || body == nil {
			refusals = errors.Join(refusals, err)
			continue
		}
		err = p.sendOne(ctx, target, name, body)
		if _, final := errors.AsType[*refusal](err); final {
			refusals = errors.Join(refusals, err)
			continue
		}
		if err != nil {
			return errors.Join(refusals, err)
		}
	}
	return refusals
}

// target is where reports are sent.
func (p *pusher) target() (string, error) {
	if p.URL == "" {
		return "", errors.New("nobody said where the server is: give --url, or set PMC_URL")
	}
	u, err := url.Parse(p.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return "", errors.New("the server's URL must be like https://metrics.example.com")
	}
	if u.User != nil {
		return "", errors.New("the server's URL must not hold a password: set PMC_TOKEN")
	}
	return u.JoinPath("/api/v1/reports").String(), nil
}

// A refusal is an answer that no repetition will change.
type refusal struct{ reason string }

func (e *refusal) Error() string { return e.reason }

// A temporary failure may pass, after so long.
type temporary struct {
	reason string
	after  time.Duration // 0: the server did not say
}

func (e *temporary) Error() string { return e.reason }

// sendOne sends one file until the server took or refused it, or time is over.
func (p *pusher) sendOne(ctx context.Context, target, name string, body []byte) error {
	key := strings.TrimSuffix(name, bodySuffix)
	for pause := firstPause; ; pause = min(2*pause, maxPause) {
		err := p.try(ctx, target, key, body)
		passing, again := errors.AsType[*temporary](err)
		_, final := errors.AsType[*refusal](err)
		switch {
		case err == nil:
			return p.spool.done(name)
		case final:
			return errors.Join(err, p.spool.refuse(name))
		case !again:
			return err
		}
		wait := max(passing.after, time.Duration(float64(pause)*(0.75+rand.Float64()/2))) //nolint:gosec // not a secret
		if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < wait {
			return err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return err
		}
	}
}

// try sends a body once.
func (p *pusher) try(ctx context.Context, target, key string, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(body))
	if err != nil {
		return errors.New("the server's URL can't be used")
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", key)
	if p.Token != "" {
		req.Header.Set("Authorization", "Bearer "+p.Token)
	}
	resp, err := p.Client.Do(req)
	if err != nil {
		return &temporary{reason: "the server can't be reached: " + err.Error()}
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return &temporary{reason: "the server's answer broke off: " + err.Error()}
	}
	return p.judge(resp, text)
}

// judge reads an answer.
func (p *pusher) judge(resp *http.Response, text []byte) error {
	switch code := resp.StatusCode; {
	case code == http.StatusOK:
		return p.results(text)
	case code == http.StatusTooManyRequests, code == http.StatusRequestTimeout, code >= http.StatusInternalServerError:
		seconds, _ := strconv.Atoi(resp.Header.Get("Retry-After"))
		return &temporary{"the server answers " + resp.Status + ": " + title(text), time.Duration(seconds) * time.Second}
	case code == http.StatusBadRequest, code == http.StatusRequestEntityTooLarge, code == http.StatusUnprocessableEntity:
		return &refusal{"the server refuses the reports: " + resp.Status + ": " + title(text)}
	}
	// A wrong address or token: mended, the next push sends what waits.
	return fmt.Errorf("the server answers %s: %s", resp.Status, title(text))
}

// title is what a problem document says.
func title(text []byte) string {
	var problem struct{ Title, Detail string }
	if json.Unmarshal(text, &problem) != nil || problem.Title == "" {
		return "it is not a pipeline-metrics-collector, or something stands before it"
	}
	return problem.Title + " " + problem.Detail
}

// results reads what became of each report.
func (p *pusher) results(text []byte) error {
	var all []struct {
		Status  int
		Problem struct {
			Title, Detail string
			Errors        []struct{ Detail, Pointer string }
		}
	}
	if err := json.Unmarshal(text, &all); err != nil {
		return &temporary{reason: "the server's answer can't be read: " + title(nil)}
	}
	for i, r := range all {
		switch {
		case r.Status >= http.StatusInternalServerError:
			return &temporary{reason: "the server could not save all: " + r.Problem.Title}
		case r.Status >= http.StatusBadRequest:
			p.result.Refused++
			p.Tell("the server refuses report %d: %s %v", i+1, r.Problem.Title, r.Problem.Errors)
		default:
			p.result.Sent++
		}
	}
	return nil
}
