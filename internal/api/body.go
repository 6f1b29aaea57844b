package api

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

const (
	drained     = 4       // times the greatest body: what is read of one that is too large
	bodiesHeld  = 8       // times the greatest body: what all bodies under way may hold
	freeBody    = 4 << 10 // bytes of a body that count for nothing
	pooledBytes = 1 << 20 // a greater buffer is left to the garbage collector
)

// A mediaTypeError is a body of a kind that is not taken.
type mediaTypeError struct{ reason string }

func (e *mediaTypeError) Error() string { return e.reason }

// A tooLargeError is a body greater than the limit.
type tooLargeError struct{ limit int64 }

func (e *tooLargeError) Error() string {
	return fmt.Sprintf("The body is greater than the limit of %d bytes.", e.limit)
}

// A bodyError is a body that did not come whole.
type bodyError struct{ err error }

func (e *bodyError) Error() string { return "read the body: " + e.err.Error() }
func (e *bodyError) Unwrap() error { return e.err }

// readJSON reads a body of JSON, or of another media type that is named. It is
// the caller's until free is called.
func (a *API) readJSON(w http.ResponseWriter, r *http.Request, others ...string) (body []byte, free func(), err error) {
	if err := checkMediaType(r.Header, others); err != nil {
		return nil, nil, err
	}
	return a.readBody(w, r, a.maxBody)
}

// readBody reads a body of any kind up to a limit. It is the caller's until
// free is called.
func (a *API) readBody(w http.ResponseWriter, r *http.Request, limit int64) (body []byte, free func(), err error) {
	if r.ContentLength > limit {
		a.drain(r)
		return nil, nil, &tooLargeError{limit}
	}
	b, _ := a.buffers.Get().(*bytes.Buffer)
	held := &holder{api: a}
	free = func() {
		held.free()
		if b.Cap() <= pooledBytes {
			b.Reset()
			a.buffers.Put(b)
		}
	}
	if err := a.fill(b, held, http.MaxBytesReader(w, r.Body, limit)); err != nil {
		free()
		if _, tooLarge := errors.AsType[*tooLargeError](err); tooLarge {
			a.drain(r)
		}
		return nil, nil, err
	}
	return b.Bytes(), free, nil
}

// drain reads on for a while: many clients read no answer before they have
// sent all, and see only a broken connection.
func (a *API) drain(r *http.Request) {
	if r.Header.Get("Expect") == "" { // such a client waits to be asked
		_, _ = io.CopyN(io.Discard, r.Body, drained*a.maxBody) // what is lost was not wanted
	}
}

// fill reads all of body. Memory is taken as bytes come, never as they are
// announced.
func (a *API) fill(b *bytes.Buffer, held *holder, body io.Reader) error {
	for {
		n, err := io.CopyN(b, body, freeBody)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
				return &tooLargeError{tooLarge.Limit}
			}
			return &bodyError{err}
		case !held.take(n):
			return store.ErrBusy
		}
	}
}

// A holder counts what one body holds of the memory for all.
type holder struct {
	api   *API
	bytes int64
}

func (h *holder) take(n int64) bool {
	h.bytes += n
	return h.api.held.Add(n) <= bodiesHeld*h.api.maxBody
}

func (h *holder) free() { h.api.held.Add(-h.bytes) }

// checkMediaType takes application/json, application/*+json and the others,
// whatever their parameters.
func checkMediaType(h http.Header, others []string) error {
	if coding := h.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
		return &mediaTypeError{"The body must be sent without a Content-Encoding."}
	}
	media := h.Get("Content-Type")
	if media == "" {
		return &mediaTypeError{"The Content-Type is missing: it must be application/json."}
	}
	media, _, _ = strings.Cut(media, ";")
	media = strings.ToLower(strings.TrimSpace(media))
	if slices.Contains(others, media) {
		return nil
	}
	kind, subtype, _ := strings.Cut(media, "/")
	prefix, isJSON := strings.CutSuffix(subtype, "+json")
	if kind != "application" || subtype != "json" && (!isJSON || prefix == "") {
		return &mediaTypeError{"The Content-Type must be application/json."}
	}
	return nil
}
