package api_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/demo"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

// Every question about change answers as it is described, as JSON and as CSV.
func TestQuestionsAboutChange(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		f := serveOn(t, s)
		end := time.Now().Add(-time.Hour)
		h := demo.Generate(1, end, 20)
		var wg sync.WaitGroup
		next := make(chan int)
		for range 32 {
			wg.Go(func() {
				for i := range next {
					if _, err := s.Save(t.Context(), h.Reports[i]); err != nil {
						t.Error(err)
					}
				}
			})
		}
		for i := range h.Reports {
			next <- i
		}
		close(next)
		wg.Wait()
		for question, want := range map[string]string{
			"changes":                               `"metric":"job_run:e2e:checkout"`,
			"changes?metric=wall&project=acme/shop": `"parts":[{"part":"run","job":"e2e:checkout"`,
			"compare?range=5d&project=acme/shop&metric=e2e&percentile=0.9": `"asked":{"metric":"e2e"`,
			"compare?vs_ref=@mr&range=5d":                                  `"refs":["@mr"]`,
			"compare?vs_workflow=ci":                                       `"workflows":["ci"]`,
			"cost?by=job&price=0.02":                                       `"price_per_minute":0.02`,
			"cost?by=team":                                                 `"team":null`,
			"cost?by=group":                                                `"group":"acme"`,
			"dora":                                                         `"is_counted":true`,
			"dora?environment=nowhere":                                     `"lead_time":null`,
			"findings":                                                     `"sentence":"Slower since `,
			"flaky":                                                        `"job":"contract-tests"`,
			"regressions/backtest?rise=0.1&floor_s=10&job_floor_s=5": `"rise":0.1`,
			"restarts": `"rate_interval":{"low":`,
		} {
			if got := f.get(t, "/api/v1/"+question, http.StatusOK); !strings.Contains(got, want) {
				t.Errorf("%s: %.300s, want %s", question, got, want)
			}
			path, query, _ := strings.Cut(question, "?")
			if got := f.get(t, "/api/v1/"+path+".csv?"+query, http.StatusOK); !strings.Contains(got, "\r\n") || strings.Contains(got, "0x") || strings.Contains(got, "nil") {
				t.Errorf("%s as CSV: %.300s", question, got)
			}
		}
	})
}

// Without any data every answer is there, and is as described.
func TestQuestionsAboutNothing(t *testing.T) {
	t.Parallel()
	f := serveOn(t, storetest.Open(t, storetest.SQLite(t)))
	for _, question := range []string{"changes", "changes?metric=wall", "compare", "cost", "dora", "findings", "flaky", "regressions/backtest", "restarts"} {
		f.get(t, "/api/v1/"+question, http.StatusOK)
	}
}

func TestBadQuestionsAboutChange(t *testing.T) {
	t.Parallel()
	f := serveOn(t, storetest.Open(t, storetest.SQLite(t)))
	for question, parameter := range map[string]string{
		"compare?vs=none": "vs", "compare?percentile=80": "percentile", "compare?percentile=x": "percentile", "compare?metric=job_run:": "metric", "compare?vs_ref=@none": "ref",
		"cost?by=weather": "by", "cost?price=-1": "price", "cost?price=1&price=2": "price",
		"regressions/backtest?recent=0": "recent", "regressions/backtest?least=9&baseline=8": "least", "regressions/backtest?rise=NaN": "rise", "regressions/backtest?floor_s=x": "floor_s",
	} {
		p := decode[struct{ Type, Parameter, Detail string }](t, f.get(t, "/api/v1/"+question, http.StatusBadRequest))
		if p.Parameter != parameter || !strings.HasSuffix(p.Type, ":bad-parameter") {
			t.Errorf("%s: %+v, want a problem with %s", question, p, parameter)
		}
	}
	f.get(t, "/api/v1/findings?project=nobody", http.StatusNotFound)
}
