package api

import (
	"net/http"
	"slices"
	"sync"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/provider/native"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// atOnce is how many reports of one body wait for the committer together: a
// full batch, and no more of the queue.
const atOnce = 256

// saved is the answer to a report that was stored.
type saved struct {
	Project    string `json:"project"`
	PipelineID int64  `json:"pipeline_id"`
	Outcome    string `json:"outcome"` // created, merged or unchanged
}

// result is the answer to one report of several.
type result struct {
	Index   int      `json:"index"`
	Status  int      `json:"status"`
	Outcome string   `json:"outcome,omitempty"`
	Problem *Problem `json:"problem,omitempty"`
}

// postReports stores native reports: one, with its outcome as the status, or
// several, each on its own.
func (a *API) postReports(w http.ResponseWriter, r *http.Request) error {
	body, free, err := a.readJSON(w, r, "application/x-ndjson", "application/jsonl")
	if err != nil {
		return err
	}
	defer free()
	return a.once(w, r, body, func() (answer, error) { return a.saveReports(r, body) })
}

func (a *API) saveReports(r *http.Request, body []byte) (answer, error) {
	items, single, err := native.Parse(body)
	if err != nil {
		a.refused.Add(1)
		return answer{}, err
	}
	if single {
		outcome, err := a.saveItem(r, &items[0])
		if err != nil {
			return answer{}, err
		}
		return answer{statusOf(outcome), saved{items[0].Report.Project, items[0].Report.Pipeline.ID, outcome.String()}, true}, nil
	}
	results := a.saveItems(r, items)
	// What may go better the next time is no answer to keep.
	again := slices.ContainsFunc(results, func(x result) bool { return x.Status >= http.StatusInternalServerError })
	return answer{http.StatusOK, results, !again}, nil
}

func (a *API) saveItems(r *http.Request, items []native.Item) []result {
	results := make([]result, len(items))
	places := make(chan struct{}, atOnce)
	var wg sync.WaitGroup
	for i := range items {
		places <- struct{}{}
		wg.Go(func() {
			defer func() { <-places }()
			outcome, err := a.saveItem(r, &items[i])
			if err != nil {
				p := *problemOf(err)
				p.Instance = r.URL.Path
				results[i] = result{Index: i, Status: p.Status, Problem: &p}
				return
			}
			results[i] = result{Index: i, Status: statusOf(outcome), Outcome: outcome.String()}
		})
	}
	wg.Wait()
	return results
}

func (a *API) saveItem(r *http.Request, it *native.Item) (store.Outcome, error) {
	if it.Err != nil {
		a.refused.Add(1)
		return 0, it.Err
	}
	it.Report.Source = ci.Push
	return a.store.Save(r.Context(), it.Report)
}

func statusOf(o store.Outcome) int {
	if o == store.Created {
		return http.StatusCreated
	}
	return http.StatusOK
}
