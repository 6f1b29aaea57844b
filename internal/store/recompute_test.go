package store_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/demo"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

var derivedTables = map[string]string{
	"pipelines": `SELECT id, on_default_branch, phases_hash, wall_ms, active_ms, execution_ms, retry_ms, queue_ms, blocked_ms, gap_ms, late_attempts,
		path_retry_ms, path_blocked_ms, path_gap_ms FROM pipelines ORDER BY project_id, id`,
	"jobs":   "SELECT pipeline_id, attempt_key, phase, is_late, path_run_ms, path_queue_ms, saves_ms, in_build, in_job FROM jobs ORDER BY project_id, pipeline_id, attempt_key",
	"phases": "SELECT pipeline_id, phase, first_start_ms, last_finish_ms, time_to_ms, span_ms, work_ms, attempts FROM phases ORDER BY project_id, pipeline_id, phase",
	"steps":  "SELECT pipeline_id, attempt_key, source, position, name, duration_ms FROM steps ORDER BY project_id, pipeline_id, attempt_key, source, position",
}

func derivedRows(t *testing.T, s *store.Store) map[string][][]any {
	t.Helper()
	all := map[string][][]any{}
	for table, query := range derivedTables {
		all[table] = storetest.Table(t, s, query)
	}
	return all
}

// saveSome saves some of the demo's pipelines, and reports to /save_metrics.
func saveSome(t *testing.T, s *store.Store) {
	t.Helper()
	reports := demo.Generate(1, time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC), 14).Reports
	some := make([]ci.Report, 0, 300)
	for i := range 250 {
		some = append(some, reports[i*len(reports)/250])
	}
	for id := range int64(3) {
		some = append(some, posted(id+1))
	}
	var wg sync.WaitGroup
	for _, r := range some {
		wg.Go(func() { save(t, s, r) })
	}
	wg.Wait()
}

// setSettings decides on a project, as the API does.
func setSettings(t *testing.T, s *store.Store, name string, settings ci.Settings) store.Project {
	t.Helper()
	p, err := s.Project(t.Context(), name)
	if err == nil {
		err = s.SetSettings(t.Context(), p, settings)
	}
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Rows that are recomputed are as if they had been saved under the new
// definitions; and with the old ones they are again as they were.
func TestRecomputeIsAsIfSavedAnew(t *testing.T) {
	t.Parallel()
	other := ci.Settings{LateAfterS: new(3600.0), Phases: ci.Phases{
		{Name: "build", Stages: []string{"build"}}, {Name: "tests", Jobs: []string{"*e2e*", "unit"}}, {Name: "up", Steps: []string{"up"}},
	}}
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		saveSome(t, s)
		first := derivedRows(t, s)
		var pending int64
		for _, name := range []string{"acme/shop", "acme/orders-api"} {
			n, err := s.Pending(t.Context(), setSettings(t, s, name, other))
			if err != nil {
				t.Fatal(err)
			}
			pending += n
		}
		half, stop := context.WithCancel(t.Context())
		done, err := s.Recompute(half, store.Recompute{Progress: func(string, store.Recomputed) { stop() }})
		if !errors.Is(err, context.Canceled) || done.Pipelines == 0 || done.Pipelines > 100 {
			t.Fatalf("it was stopped after %d pipelines: %v", done.Pipelines, err)
		}
		rest, err := s.Recompute(t.Context(), store.Recompute{})
		if err != nil || rest.Pipelines != pending-done.Pipelines || rest.Phases == 0 {
			t.Fatalf("%d pipelines were pending, then %d and %+v were derived again: %v", pending, done.Pipelines, rest, err)
		}
		if again, err := s.Recompute(t.Context(), store.Recompute{}); err != nil || again.Pipelines != 0 {
			t.Fatalf("the second time %d were derived again: %v", again.Pipelines, err)
		}
		changed := derivedRows(t, s)
		if cmp.Equal(first["phases"], changed["phases"]) {
			t.Error("no phase has changed")
		}
		if diff := cmp.Diff(first["steps"], changed["steps"]); diff != "" {
			t.Errorf("steps (-before +after):\n%.2000s", diff)
		}
		checkSavedAnew(t, other, changed)
		for _, name := range []string{"acme/shop", "acme/orders-api"} {
			setSettings(t, s, name, ci.Settings{})
		}
		if _, err := s.Recompute(t.Context(), store.Recompute{}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(first, derivedRows(t, s)); diff != "" {
			t.Errorf("with the old definitions (-before +after):\n%.2000s", diff)
		}
	})
}

// checkSavedAnew saves the same reports into another store that has the
// settings from the beginning.
func checkSavedAnew(t *testing.T, settings ci.Settings, want map[string][][]any) {
	t.Helper()
	fresh := storetest.Open(t, storetest.SQLite(t))
	for _, name := range []string{"acme/shop", "acme/orders-api"} {
		save(t, fresh, ci.Report{Project: name, Pipeline: ci.Pipeline{ID: 1 << 60}})
		setSettings(t, fresh, name, settings)
	}
	saveSome(t, fresh)
	got := storetest.Table(t, fresh, `SELECT pipeline_id, phase, count(*) FROM phases GROUP BY pipeline_id, phase ORDER BY 1, 2`)
	counted := map[string]int64{}
	for _, row := range want["phases"] {
		counted[fmt.Sprint(row[0], row[1])]++
	}
	for _, row := range got {
		if key := fmt.Sprint(row[0], row[1]); counted[key] != row[2] {
			t.Errorf("phase %s: %v rows saved anew, %v derived again", key, row[2], counted[key])
		}
	}
	if len(got) != len(counted) {
		t.Errorf("%d phases saved anew, %d derived again", len(got), len(counted))
	}
}

// The default branch of the past is decided anew only when that is asked for.
func TestRecomputeDefaultBranch(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		for id, ref := range []string{"main", "trunk", "main"} {
			save(t, s, ci.Report{Project: "p", Pipeline: ci.Pipeline{ID: int64(id + 1), Ref: ref}})
		}
		p := setSettings(t, s, "p", ci.Settings{DefaultBranch: "trunk"})
		for _, step := range []struct {
			what    store.Recompute
			changed int64
			want    int
		}{{store.Recompute{Project: p.ID}, 0, 2}, {store.Recompute{Project: p.ID, DefaultBranch: true}, 3, 1}, {store.Recompute{DefaultBranch: true}, 0, 1}} {
			done, err := s.Recompute(t.Context(), step.what)
			if err != nil || done.Branch != step.changed {
				t.Fatalf("%+v: %+v, %v", step.what, done, err)
			}
			if got := len(storetest.Table(t, s, "SELECT id FROM pipelines WHERE on_default_branch")); got != step.want {
				t.Errorf("%+v: %d pipelines are of the default branch, want %d", step.what, got, step.want)
			}
		}
		save(t, s, ci.Report{Project: "p", Pipeline: ci.Pipeline{ID: 9, Ref: "trunk"}})
		if got := len(storetest.Table(t, s, "SELECT id FROM pipelines WHERE on_default_branch")); got != 2 {
			t.Errorf("a new pipeline of the new default branch: %d, want 2", got)
		}
	})
}

// What a server was started with is kept, so that a command beside it derives
// as it does; and the background derives again what others wrote.
func TestDefinitionsOfTheServer(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, database string) {
		first := storetest.Open(t, database)
		save(t, first, ci.Report{Project: "p", Pipeline: ci.Pipeline{ID: 1}, Jobs: []ci.Attempt{{ID: "1", Name: "load", Stage: "x", StartedAt: time.UnixMilli(1000)}}})
		by := ci.Definitions{Phases: ci.Phases{{Name: "load", Jobs: []string{"lo?d"}}}, LateAfter: time.Hour}
		config := store.Config{Database: database, Definitions: &by}
		server, err := store.Open(t.Context(), config)
		if err != nil {
			t.Fatal(err)
		}
		defer server.Close()
		if diff := cmp.Diff(by, storetest.Open(t, database).ServerDefinitions()); diff != "" {
			t.Errorf("beside the server (-want +got):\n%s", diff)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			server.KeepDerived(ctx)
		}()
		for deadline := time.Now().Add(20 * time.Second); ; {
			if got := storetest.Table(t, server, "SELECT phase FROM phases"); len(got) == 1 && fmt.Sprint(plain(got[0][0])) == "load" {
				break
			}
			if time.Now().After(deadline) {
				t.Fatal("the background has not derived the pipeline again")
			}
			time.Sleep(10 * time.Millisecond)
		}
		stop()
		<-ended
	})
}
