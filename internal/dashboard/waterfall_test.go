package dashboard_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

// ran is an attempt that could run from one second of its pipeline on, and ran
// from another to a third.
func ran(created time.Time, name, stage string, could, from, to float64) ci.Attempt {
	at := func(s float64) time.Time { return created.Add(time.Duration(s * float64(time.Second))) }
	queued := from - could
	return ci.Attempt{
		Name: name, Stage: stage, State: ci.Finished, Result: ci.Success,
		CreatedAt: created, QueuedS: &queued, StartedAt: at(from), FinishedAt: at(to),
	}
}

// shaped is a pipeline with a job that was retried, jobs that need others, one
// that a person let go on after pressed seconds, and one that never ran.
func shaped(id int64, pressed float64) ci.Report {
	created := today.Add(-5 * time.Hour)
	yes := true
	jobs := []ci.Attempt{
		ran(created, "unit", "test", 0, 1, 300),
		ran(created, "build", "build", 0, 4, 120),
		ran(created, "e2e", "test", 120, 125, 200), ran(created, "e2e", "test", 201, 205, 280),
		ran(created, "deploy", "deploy", pressed, pressed+2, pressed+60),
		{Name: "announce", Stage: "deploy", State: ci.Finished, Result: ci.Skip, CreatedAt: created},
	}
	jobs[2].Result, jobs[2].Needs, jobs[3].Needs = ci.Failure, []string{"build"}, []string{"build"}
	jobs[4].Needs, jobs[4].Manual = []string{"e2e"}, &yes
	for i := range jobs {
		jobs[i].ID = strconv.FormatInt(100*id+int64(i), 10)
	}
	return ci.Report{Provider: "jenkins", Project: "acme/shape", Source: ci.Push, Jobs: jobs, Pipeline: ci.Pipeline{
		ID: id, Ref: "main", DefaultBranch: "main", State: ci.Finished, Result: ci.Success, CreatedAt: created, FinishedAt: created.Add(time.Duration(pressed+60) * time.Second),
	}}
}

// large is a pipeline with so many jobs, the first of them the one that all
// waited for, and the last failed.
func large(id int64, n int) ci.Report {
	r := shaped(id, 400)
	created := r.Pipeline.CreatedAt
	r.Jobs = []ci.Attempt{ran(created, "everything", "test", 0, 1, 900)}
	for i := 1; i < n; i++ {
		r.Jobs = append(r.Jobs, ran(created, fmt.Sprintf("unit %d", i), "test", 0, 1, 10+float64(i%7)))
	}
	r.Jobs[n-1].Result = ci.Failure
	for i := range r.Jobs {
		r.Jobs[i].ID = strconv.Itoa(1e6 + i)
	}
	return r
}

// Of a large pipeline a page has what says most, and CSV all.
func TestLargePipeline(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		t.Helper()
		const n = 700
		if _, err := s.Save(t.Context(), large(3, n)); err != nil {
			t.Fatal(err)
		}
		p := serve(t, s, nil)
		body, _ := p.get(t, "/p/acme/shape/-/pipelines/3", http.StatusOK)
		if lanes, rows := strings.Count(body, `<g class="job`), strings.Count(body, "<tr"); lanes != 100 || rows != 2*(100+1) {
			t.Errorf("the page has %d lanes and %d rows", lanes, rows)
		}
		for _, want := range []string{`title="everything"`, fmt.Sprintf(`title="unit %d"`, n-1), "100 of 700 attempts are drawn", "100 of 700: those"} {
			if !strings.Contains(body, want) {
				t.Errorf("the page has no %s", want)
			}
		}
		if nodes := len(regexp.MustCompile(`<[a-z]`).FindAllString(body, -1)); nodes > 4000 {
			t.Errorf("the page has %d nodes", nodes)
		}
		if csv, _ := p.get(t, "/p/acme/shape/-/data/waterfall.csv?pipeline=3", http.StatusOK); strings.Count(csv, "\n") != n+1 {
			t.Errorf("CSV has %d lines", strings.Count(csv, "\n"))
		}
	})
}

// A waterfall goes stage by stage with the attempts of a job under each other;
// it shows what was waited for, also where that was a person; and when that took
// longer than all else, the axis ends before it.
func TestWaterfall(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		t.Helper()
		for id, pressed := range map[int64]float64{1: 400, 2: 4000} {
			if _, err := s.Save(t.Context(), shaped(id, pressed)); err != nil {
				t.Fatal(err)
			}
		}
		p := serve(t, s, nil)
		csv, _ := p.get(t, "/p/acme/shape/-/data/waterfall.csv?pipeline=1", http.StatusOK)
		var order []string
		for _, line := range strings.Split(strings.TrimSpace(csv), "\n")[1:] {
			cells := strings.Split(line, ",")
			order = append(order, cells[0]+" "+cells[1])
		}
		if got, want := strings.Join(order, ", "), "build 1, unit 1, e2e 1, e2e 2, deploy 1, announce 1"; got != want {
			t.Errorf("the order is %s, want %s", got, want)
		}
		soon, _ := p.get(t, "/p/acme/shape/-/pipelines/1", http.StatusOK)
		for name, want := range map[string]int{`class="held"`: 1, `class="need"`: 6, `class="band-stage"`: 1, "waiting for a person</li>": 1, "after 1h 06m ›": 0} {
			if got := strings.Count(soon, name); got != want {
				t.Errorf("the page has %d times %s, want %d", got, name, want)
			}
		}
		late, _ := p.get(t, "/p/acme/shape/-/pipelines/2", http.StatusOK)
		if !strings.Contains(late, "58s, after 1h 06m ›") || strings.Contains(late, `class="held"`) {
			t.Errorf("a wait that is longer than all else is drawn: %s", regexp.MustCompile(`(?s)<svg class="pl".*?</svg>`).FindString(late))
		}
	})
}
