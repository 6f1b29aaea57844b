package dashboard

import (
	"fmt"
	"net/http"
	"time"
)

const (
	lookEvery = time.Second      // for the first pipeline
	lookFor   = 50 * time.Second // then the browser asks again, by itself
)

// setupEvents tells a page that waits for the first pipeline when it is there,
// and when something was refused, as server-sent events.
func (d *Dashboard) setupEvents(w http.ResponseWriter, r *http.Request) error {
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // a proxy must not hold it back
	out := http.NewResponseController(w)
	if _, err := fmt.Fprint(w, "retry: 1000\n\n"); err != nil || out.Flush() != nil {
		return nil // the reader is gone
	}
	refused := len(d.Refusals())
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	end := time.NewTimer(lookFor)
	defer end.Stop()
	for {
		first, err := d.firstPipeline(r.Context())
		switch {
		case err != nil:
			return nil // the answer has begun; the browser asks again
		case first != nil:
			_, _ = fmt.Fprintf(w, "event: pipeline\ndata: %s\n\n", first.Href) // the reader may be gone
			return nil
		case len(d.Refusals()) != refused:
			_, _ = fmt.Fprint(w, "event: refused\ndata: 1\n\n")
			return nil
		}
		select {
		case <-tick.C:
		case <-end.C:
			return nil
		case <-r.Context().Done():
			return nil
		case <-d.Stopping:
			return nil
		}
	}
}
