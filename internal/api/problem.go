package api

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"os"
	"strconv"
	"strings"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/analytics"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// A Problem is an answer that is no success (RFC 9457). As an error, it is the
// answer that a handler wants.
type Problem struct {
	Type      string         `json:"type"`
	Title     string         `json:"title"`
	Status    int            `json:"status"`
	Detail    string         `json:"detail,omitempty"`
	Instance  string         `json:"instance,omitempty"`
	Errors    []FieldProblem `json:"errors,omitempty"`
	Parameter string         `json:"parameter,omitempty"` // of the query, that can't be used
	RequestID string         `json:"request_id,omitempty"`
	// Header is sent along.
	Header http.Header `json:"-"`
}

// A FieldProblem is one thing wrong with the body.
type FieldProblem struct {
	Detail  string `json:"detail"`
	Pointer string `json:"pointer"` // a JSON Pointer as a fragment: "#/jobs/0/duration"
}

// Error implements error.
func (p *Problem) Error() string { return p.Title + ": " + p.Detail }

// WhyNot is what to tell somebody who may not do something: why, and whom to
// ask. Empty: it is another problem.
func (p *Problem) WhyNot() string {
	if p.Status != http.StatusForbidden {
		return ""
	}
	return p.Detail
}

// The kinds of problems. They are documented in docs/api.md, under these names.
const (
	kindInvalid      = "invalid-report"
	kindBody         = "incomplete-body"
	kindTooLarge     = "body-too-large"
	kindMediaType    = "unsupported-media-type"
	kindNotFound     = "not-found"
	kindMethod       = "method-not-allowed"
	kindUnauthorized = "unauthorized"
	kindForbidden    = "forbidden"
	kindHost         = "unknown-host"
	kindParameter    = "bad-parameter"
	kindSettings     = "invalid-settings"
	kindClash        = "number-taken"
	kindGone         = "body-gone"
	kindHeader       = "bad-header"
	kindKeyReused    = "key-reused"
	kindAway         = "database-away"
	kindSlow         = "too-slow"
	kindBusy         = "busy"
	kindStarting     = "starting"
	kindClosing      = "closing"
	kindInternal     = "internal-error"
)

func problem(status int, kind, title, detail string) *Problem {
	return &Problem{
		Type: "urn:pipeline-metrics-collector:problem:" + kind, Title: title, Status: status, Detail: detail,
		Header: http.Header{},
	}
}

// later adds after how many seconds the same request may do.
func (p *Problem) later(seconds int) *Problem {
	p.Header.Set("Retry-After", strconv.Itoa(seconds))
	return p
}

// Unauthorized asks for a token.
func Unauthorized(detail string) *Problem {
	p := problem(http.StatusUnauthorized, kindUnauthorized, "A token is needed.", detail)
	p.Header.Add("WWW-Authenticate", `Bearer realm="pipeline-metrics-collector"`)
	p.Header.Add("WWW-Authenticate", `Basic realm="pipeline-metrics-collector", charset="UTF-8"`)
	return p
}

// Forbidden says that the token is not for this.
func Forbidden(detail string) *Problem {
	return problem(http.StatusForbidden, kindForbidden, "This token may not do that.", detail)
}

// UnknownHost refuses a request that was meant for another host.
func UnknownHost(detail string) *Problem {
	return problem(http.StatusMisdirectedRequest, kindHost, "This server does not go by that name.", detail)
}

// Overloaded says that too much is under way.
func Overloaded() *Problem {
	return problem(http.StatusServiceUnavailable, kindBusy, "Too many requests are under way.", "Send the request again.").later(1)
}

// Starting says that the database is being made ready.
func Starting(detail string) *Problem {
	return problem(http.StatusServiceUnavailable, kindStarting, "The server is starting.", detail).later(5)
}

// BadForm says what can't be used of a form that somebody filled in.
func BadForm(detail string) *Problem {
	return problem(http.StatusBadRequest, kindParameter, "The form can't be used.", detail)
}

// badParameter says which parameter of the query can't be used, and why.
func badParameter(name, detail string) *Problem {
	p := problem(http.StatusBadRequest, kindParameter, "A parameter of the query can't be used.", name+": "+detail)
	p.Parameter = name
	return p
}

func notFound(detail string) *Problem {
	return problem(http.StatusNotFound, kindNotFound, "There is nothing here.", detail)
}

// statusClientGone is what the log says of a request whose client hung up.
const statusClientGone = 499

// problemOf is the one place where an error becomes a status.
func problemOf(err error) *Problem {
	p, isProblem := errors.AsType[*Problem](err)
	invalid, isInvalid := errors.AsType[*ci.InvalidError](err)
	tooLarge, isTooLarge := errors.AsType[*tooLargeError](err)
	media, isMedia := errors.AsType[*mediaTypeError](err)
	_, isBody := errors.AsType[*bodyError](err)
	field, isField := errors.AsType[*analytics.FieldError](err)
	switch {
	case isProblem:
		return p
	case isField:
		return badParameter(field.Field, field.Reason)
	case isInvalid:
		return invalidReport(invalid)
	case isTooLarge:
		return problem(http.StatusRequestEntityTooLarge, kindTooLarge, "The body is too large.", tooLarge.Error())
	case isMedia:
		return problem(http.StatusUnsupportedMediaType, kindMediaType, "The body is of a kind that is not taken.", media.reason)
	case isBody && errors.Is(err, os.ErrDeadlineExceeded):
		return problem(http.StatusRequestTimeout, kindBody, "The body did not come in time.", "Send the request again.")
	case isBody && errors.Is(err, io.ErrUnexpectedEOF):
		return problem(http.StatusBadRequest, kindBody, "The body ended too early.", "It is shorter than its Content-Length.")
	case isBody:
		return problem(http.StatusBadRequest, kindBody, "The body could not be read.", "It is not framed as its headers say.")
	case errors.Is(err, context.Canceled):
		return problem(statusClientGone, kindBody, "The client hung up.", "")
	case errors.Is(err, store.ErrClash):
		return problem(http.StatusConflict, kindClash, "Another pipeline has that number.", "It was made from another external_id. Give the pipeline an id of its own.")
	case errors.Is(err, store.ErrUnknown):
		return notFound("No project, pipeline or delivery of that name or number is known.")
	case errors.Is(err, store.ErrBodyGone):
		return problem(http.StatusGone, kindGone, "The delivery's body is no longer kept.", "Bodies are kept for the days that --delivery-days says.")
	case errors.Is(err, store.ErrSlow):
		return problem(http.StatusServiceUnavailable, kindSlow, "The question takes too long.", "Ask for a shorter time, or for fewer projects.")
	case errors.Is(err, store.ErrBusy):
		return Overloaded()
	case errors.Is(err, store.ErrAway), errors.Is(err, context.DeadlineExceeded):
		return problem(http.StatusServiceUnavailable, kindAway, "The database is away.", "Send the request again: what it brought, if anything, may or may not have been stored.").later(5)
	case errors.Is(err, store.ErrClosed):
		return problem(http.StatusServiceUnavailable, kindClosing, "The server is stopping.", "Send the request again.").later(5)
	}
	return problem(http.StatusInternalServerError, kindInternal, "Something went wrong in the server.", "Its log has more, under the request's id.")
}

func invalidReport(e *ci.InvalidError) *Problem {
	p := problem(http.StatusBadRequest, kindInvalid, "The report is not valid.", "Nothing of it was stored. Each entry of errors names a place in the body and what is wrong there.")
	p.Errors = make([]FieldProblem, len(e.Fields))
	for i, f := range e.Fields {
		p.Errors[i] = FieldProblem{Detail: f.Reason, Pointer: "#" + fragment(f.Pointer)}
	}
	return p
}

// fragment writes a JSON Pointer as a part of a URI (RFC 6901, section 6).
func fragment(pointer string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(pointer) {
		c := pointer[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("-._~!$&'()*+,;=:@/?", c) >= 0:
			b.WriteByte(c)
		default:
			b.WriteByte('%')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		}
	}
	return b.String()
}

// write answers with the problem.
func (p *Problem) write(w http.ResponseWriter, r *http.Request) {
	told := *p
	told.Instance = r.URL.EscapedPath()
	told.RequestID = RequestID(r.Context())
	body, err := json.Marshal(told)
	if err != nil { // a Problem has nothing in it that can't be written
		body = nil
	}
	h := w.Header()
	maps.Copy(h, p.Header)
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", strconv.Itoa(len(body)+1))
	w.WriteHeader(p.Status)
	_, _ = w.Write(append(body, '\n')) // the client is gone, and nothing depends on it
}
