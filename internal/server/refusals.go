package server

import (
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/api"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/dashboard"
)

// maxRefusals is how many of the last refusals are remembered.
const maxRefusals = 20

// refusals are the last reports and webhooks that were not taken, for people
// who wonder why nothing arrives. They are in memory alone, and hold nothing of
// what was sent but where it was wrong.
type refusals struct {
	now func() time.Time

	mu   sync.Mutex
	last []dashboard.Refusal // newest first
}

// saw remembers an answer that was no success.
func (f *refusals) saw(r *http.Request, p *api.Problem) {
	if f == nil || r.Method != http.MethodPost || p.Status < 400 || p.Status >= 500 || p.Status == 499 {
		return
	}
	path := r.URL.Path
	if path != "/save_metrics" && path != "/api/v1/reports" && !strings.HasPrefix(path, "/api/v1/webhooks/") {
		return
	}
	seen := dashboard.Refusal{At: f.now(), Path: path, Status: p.Status, Reason: strings.TrimSpace(p.Title + " " + p.Detail), Times: 1}
	for i, e := range p.Errors {
		if i == 3 {
			break
		}
		seen.Places = append(seen.Places, e.Pointer+" "+e.Detail)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.last) > 0 && f.last[0].Same(seen) {
		f.last[0].At, f.last[0].Times = seen.At, f.last[0].Times+1
		return
	}
	f.last = append([]dashboard.Refusal{seen}, f.last[:min(len(f.last), maxRefusals-1)]...)
}

// list is the last refusals, newest first.
func (f *refusals) list() []dashboard.Refusal {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]dashboard.Refusal(nil), f.last...)
}
