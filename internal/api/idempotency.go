package api

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

const maxIdempotencyKey = 255 // bytes

// An answer is what a request is answered with where it succeeds.
type answer struct {
	status int
	body   any
	keep   bool // a repeated request is to get the same
}

// once answers with what work returns. A request that brings the same
// Idempotency-Key again gets the answer of the first one; with another body it
// is refused. Two at once are both worked on: saving a report twice is the same
// as saving it once.
func (a *API) once(w http.ResponseWriter, r *http.Request, body []byte, work func() (answer, error)) error {
	key, err := idempotencyKey(r)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(body)
	fingerprint := hex.EncodeToString(sum[:])
	if key != "" {
		known, found, err := a.store.Answer(r.Context(), key)
		switch {
		case err != nil:
			return err
		case found && known.Fingerprint != fingerprint:
			return problem(http.StatusUnprocessableEntity, kindKeyReused, "This Idempotency-Key was used for another body.", "Give each request a key of its own, and repeat a request with its own key.")
		case found:
			w.Header().Set("Idempotency-Replayed", "true")
			return writeBytes(w, known.Status, known.Body)
		}
	}
	did, err := work()
	if err != nil {
		return err
	}
	text, err := json.Marshal(did.body)
	if err != nil {
		return fmt.Errorf("write the answer: %w", err)
	}
	if key != "" && did.keep {
		// Without it the answer to a repeated request says "unchanged": no harm.
		_ = a.store.KeepAnswer(r.Context(), key, store.Answer{Fingerprint: fingerprint, Status: did.status, Body: text})
	}
	return writeBytes(w, did.status, text)
}

// idempotencyKey is the key of a request under which its answer is kept: one
// caller can't see the answers of another. Empty: the request has none.
func idempotencyKey(r *http.Request) (string, error) {
	key := r.Header.Get("Idempotency-Key")
	if key == "" {
		return "", nil
	}
	if unquoted, ok := strings.CutPrefix(key, `"`); ok { // as the draft has it; most clients send it bare
		key = strings.TrimSuffix(unquoted, `"`)
	}
	if key == "" || len(key) > maxIdempotencyKey {
		return "", problem(http.StatusBadRequest, kindHeader, "A header can't be used.", fmt.Sprintf("Idempotency-Key: it must have 1 to %d bytes.", maxIdempotencyKey))
	}
	sum := sha256.New()
	for _, part := range []string{r.Pattern, r.Header.Get("Authorization"), key} {
		fmt.Fprintf(sum, "%d:%s", len(part), part)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
