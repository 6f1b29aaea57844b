package api

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/provider/otlp"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// inflated is how many times the greatest body a compressed one may become.
const inflated = 4

// postTraces stores the pipelines that traces tell of, and answers as OTLP over
// HTTP wants: spans that could not be used are counted in the answer.
func (a *API) postTraces(w http.ResponseWriter, r *http.Request) error {
	media, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	if media = strings.ToLower(strings.TrimSpace(media)); media != otlp.Protobuf && media != otlp.JSON {
		return &mediaTypeError{"The Content-Type must be " + otlp.Protobuf + " or " + otlp.JSON + "."}
	}
	body, free, err := a.readBody(w, r, a.maxBody)
	if err != nil {
		return err
	}
	defer free()
	switch coding := strings.ToLower(r.Header.Get("Content-Encoding")); coding {
	case "", "identity":
	case "gzip":
		held := &holder{api: a}
		defer held.free()
		if body, err = a.inflate(w, held, body); err != nil {
			return err
		}
	default:
		return &mediaTypeError{"The Content-Encoding must be gzip, or none."}
	}
	told, err := otlp.Parse(media, body)
	if err != nil {
		a.refused.Add(1)
		return problem(http.StatusBadRequest, kindInvalid, "The traces can't be read.", "Nothing of them was stored: "+err.Error()+".")
	}
	rejected, reason, err := a.saveTraces(r, &told)
	if err != nil {
		return err
	}
	answer, err := otlp.Response(media, rejected, reason)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", media)
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(answer) //nolint:gosec // it says of what type it is; the client may be gone
	return nil
}

// inflate unpacks a body, as far as it may grow.
func (a *API) inflate(w http.ResponseWriter, held *holder, packed []byte) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, &bodyError{err}
	}
	var b bytes.Buffer
	if err := a.fill(&b, held, http.MaxBytesReader(w, io.NopCloser(z), inflated*a.maxBody)); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// saveTraces stores the reports of a request. It returns how many spans were
// not used, and why.
func (a *API) saveTraces(r *http.Request, told *otlp.Result) (rejected int, reason string, err error) {
	failed := make([]error, len(told.Reports))
	places := make(chan struct{}, atOnce)
	var wg sync.WaitGroup
	for i := range told.Reports {
		places <- struct{}{}
		wg.Go(func() {
			defer func() { <-places }()
			_, failed[i] = a.store.Save(r.Context(), told.Reports[i])
		})
	}
	wg.Wait()
	if rejected = told.Lost; rejected > 0 {
		reason = "nothing in the request says of which pipeline these spans are: send a trace whole, or give the resource cicd.pipeline.run.id"
	}
	for i, err := range failed {
		invalid, isInvalid := errors.AsType[*ci.InvalidError](err)
		switch {
		case err == nil:
			continue
		case isInvalid:
			reason = fmt.Sprintf("a pipeline of %q is not valid: %v", told.Reports[i].Project, invalid)
		case errors.Is(err, store.ErrClash):
			reason = "another pipeline has that number"
		default:
			return 0, "", err
		}
		rejected += told.Spans[i]
	}
	return rejected, reason, nil
}
