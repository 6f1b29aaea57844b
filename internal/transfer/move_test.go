package transfer_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci/citest"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/demo"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/transfer"
)

// After a move every view is as it was, ids aside, and so is what people decided
// on projects and what the server was started with. What comes later gives the
// same on both sides: the ranks of all words have moved, too.
func TestMove(t *testing.T) {
	t.Parallel()
	for name, target := range map[string]func(testing.TB) string{"sqlite": storetest.SQLite, "postgres": storetest.Postgres} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			from, to := startedWith(t, storetest.SQLite(t), "deploy*"), storetest.Open(t, target(t))
			before, after := mixture()
			save(t, from, before)
			tellProjects(t, from)
			if _, err := from.Recompute(t.Context(), store.Recompute{}); err != nil {
				t.Fatal(err)
			}
			file := export(t, from)
			for range 2 { // twice is the same as once
				got, err := importer(to, nil).Import(t.Context(), bytes.NewReader(file))
				if err != nil || got.Refused != 0 || !got.Whole || got.Deliveries != 1 || got.Projects < 4 {
					t.Fatalf("import: %+v, %v", got, err)
				}
				sameViews(t, from, to)
				sameDecisions(t, from, to)
			}
			save(t, from, after)
			save(t, to, after)
			sameViews(t, from, to)
		})
	}
}

// startedWith opens a store as a server with a phase of its own does.
func startedWith(t *testing.T, database, jobs string) *store.Store {
	t.Helper()
	by := ci.Definitions{Phases: ci.Phases{{Name: "all", Jobs: []string{"*"}, NotJobs: []string{jobs}}, {Name: "deploy", Jobs: []string{jobs}}}, LateAfter: 90 * time.Second}
	s, err := store.Open(t.Context(), store.Config{Database: database, Definitions: &by})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func sameDecisions(t *testing.T, from, to *store.Store) {
	t.Helper()
	if diff := cmp.Diff(from.ServerDefinitions(), to.ServerDefinitions()); diff != "" {
		t.Errorf("the server's definitions (-before +after):\n%s", diff)
	}
	all, err := from.Projects(t.Context(), "", store.MaxPage)
	if err != nil {
		t.Fatal(err)
	}
	for i := range all {
		p := &all[i]
		q, err := to.Project(t.Context(), p.Name)
		before, err1 := from.Settings(t.Context(), *p)
		after, err2 := to.Settings(t.Context(), q)
		if err := errors.Join(err, err1, err2); err != nil {
			t.Fatal(err)
		}
		if p.ID, q.ID = 0, 0; !cmp.Equal(*p, q) || !cmp.Equal(before, after) {
			t.Errorf("%+v with %+v became %+v with %+v", *p, before, q, after)
		}
	}
}

// Where a server was started already, its phases hold, and whoever imports is
// told how to have the others.
func TestMoveToAServerOfOtherPhases(t *testing.T) {
	t.Parallel()
	from, to := startedWith(t, storetest.SQLite(t), "deploy*"), startedWith(t, storetest.SQLite(t), "ship*")
	said := ""
	got, err := importer(to, func(format string, args ...any) { said += fmt.Sprintf(format, args...) }).Import(t.Context(), bytes.NewReader(export(t, from)))
	if err != nil || !got.Whole || !strings.Contains(said, "of the server that was started here") || !strings.Contains(said, `serve --phases '[{"name":"all","jobs":["*"],"not_jobs":["deploy*"]},`) {
		t.Errorf("%+v, %v, said %s", got, err, said)
	}
	if to.ServerDefinitions().Phases[1].Jobs[0] != "ship*" {
		t.Error("the phases of the server that was started here are gone")
	}
}

// mixture is pipelines of every source and of the original's clients: what is
// told before a move, and what is told after it.
func mixture() (before, after []ci.Report) {
	draw := rapid.Custom(func(t *rapid.T) []ci.Report {
		return citest.Shuffle(t, citest.DrawMessages(t, citest.DrawTruth(t)))
	})
	for i := range 80 {
		messages := draw.Example(i)
		for n := range messages {
			messages[n].Pipeline.ID = int64(i + 1)
		}
		half := len(messages) / 2
		before, after = append(before, messages[:max(half, 1)]...), append(after, messages[max(half, 1):]...)
	}
	before = append(before, demo.Generate(1, time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC), 14).Reports[:150]...)
	odd := ci.Report{Project: "acme/odd", Pipeline: ci.Pipeline{ExternalID: "a/b \"ü\" <&>", Ref: "main"}, Jobs: []ci.Attempt{
		{Name: "no id", Needs: []string{}, Runner: &ci.Runner{}, DurationS: new(0.001)}, {Name: "no id", Needs: []string{"a"}, Result: ci.Failure, AllowFailure: new(false)},
	}}
	adopted := ci.Report{Pipeline: ci.Pipeline{ID: 1}, Told: &ci.Told{Branch: "trunk"}, Legacy: &ci.Legacy{
		CreatedAt: time.Date(1969, 12, 31, 0, 0, 0, 0, time.UTC), DurationS: -3, OnDefaultBranch: new(true), ProjectNumber: 7,
		Entries: []ci.LegacyEntry{{Kind: ci.LegacyJob}, {Kind: ci.LegacyBuild, Name: "build-e2e", DurationS: new(64.5)}},
	}}
	return append(before, odd, adopted), after
}

func save(t *testing.T, s *store.Store, all []ci.Report) {
	t.Helper()
	for part := range slices.Chunk(all, 100) {
		errs := make(chan error, len(part))
		for _, r := range part {
			go func() {
				_, err := s.Save(context.WithoutCancel(t.Context()), r)
				errs <- err
			}()
		}
		for range part {
			if err := <-errs; err != nil {
				t.Fatal(err)
			}
		}
	}
}

func tellProjects(t *testing.T, s *store.Store) {
	t.Helper()
	shop := store.Project{Name: "acme/shop", DefaultBranch: "trunk", ToldTeam: "shop", Number: 7, E2eJobs: []string{"e2e"}, Schedules: []ci.Schedule{{Name: "nightly"}}, Packages: map[string]string{"a": "1"}}
	known, err := s.Project(t.Context(), "acme/shop")
	err = errors.Join(err, s.SetSettings(t.Context(), known, ci.Settings{
		DefaultBranch: "trunk", Team: "shoppers", LateAfterS: new(60.0), Phases: ci.Phases{{Name: "all", Jobs: []string{"*"}}}, KeepDays: 700, PricePerMinute: new(0.01),
		Milestones: []ci.Milestone{{Name: "through", Phase: "all", At: "finish"}}, Objectives: []ci.Objective{{Metric: "wall", Percentile: .8, MaxS: 60}},
		Regression: ci.RegressionRule{Recent: new(5), Rise: new(.4), JobFloorS: new(10.0)}, Deployments: ci.DeploymentRule{Environments: []string{"live"}, Jobs: []string{"d*"}, NotJobs: []string{"dry"}},
	}), s.ImportProject(t.Context(), shop),
		s.Receive(t.Context(), store.Delivery{Provider: "gitlab", Key: "read", Body: []byte(`{}`)}))
	taken, terr := s.TakeDeliveries(t.Context(), 10)
	if err = errors.Join(err, terr); err != nil {
		t.Fatal(err)
	}
	err = errors.Join(s.CloseDelivery(t.Context(), taken[0].ID, store.DeliveryIgnored, ""),
		s.Receive(t.Context(), store.Delivery{Provider: "gitlab", Key: "unread", Event: "Job Hook", Body: []byte(`{"a": 1}`)}))
	if err != nil {
		t.Fatal(err)
	}
}

func export(t *testing.T, s *store.Store) []byte {
	t.Helper()
	var b bytes.Buffer
	if _, err := transfer.Export(t.Context(), s, &b, time.Now(), func(int64, int64) {}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func importer(s *store.Store, tell func(string, ...any)) *transfer.Importer {
	if tell == nil {
		tell = func(string, ...any) {}
	}
	return &transfer.Importer{Store: s, Done: func(int64) {}, Progress: func(int64, int64) {}, Tell: tell}
}

func sameViews(t *testing.T, from, to *store.Store) {
	t.Helper()
	views := storetest.Table(t, from, "SELECT name FROM sqlite_master WHERE type = 'view' ORDER BY name")
	if len(views) < 9 {
		t.Fatalf("%d views", len(views))
	}
	for _, v := range views {
		name, _ := v[0].(string)
		want, got := rowsOf(t, from, name), rowsOf(t, to, name)
		if len(want) < 2 {
			t.Errorf("%s has %d rows: too few to say anything", name, len(want))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("%s (-before +after):\n%.3000s", name, diff)
		}
	}
}

// rowsOf are the rows of a view without our ids, sorted.
func rowsOf(t *testing.T, s *store.Store, view string) []string {
	t.Helper()
	var b bytes.Buffer
	if err := transfer.CSV(t.Context(), s, view, &b); err != nil {
		t.Fatal(err)
	}
	table, err := csv.NewReader(&b).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var rows []string
	for _, row := range table[1:] {
		kept := []string{}
		for i, cell := range row {
			if column := table[0][i]; column != "id" && (column != "project_id" || strings.HasPrefix(view, "metrics_")) {
				kept = append(kept, column+"="+cell)
			}
		}
		rows = append(rows, strings.Join(kept, " "))
	}
	slices.Sort(rows)
	return rows
}

// An import goes on where it stopped.
func TestResume(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, to *store.Store) {
		from := storetest.Open(t, storetest.SQLite(t))
		save(t, from, demo.Generate(1, time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC), 14).Reports[:700])
		file := export(t, from)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		done := int64(0)
		im := importer(to, nil)
		im.Done = func(lines int64) {
			if done = lines; lines > 200 {
				cancel() // pulled out
			}
		}
		if got, err := im.Import(ctx, bytes.NewReader(file)); err == nil || got.Pipelines == 0 {
			t.Fatalf("interrupted: %+v, %v", got, err)
		}
		im.Skip, im.Done = done, func(int64) {}
		got, err := im.Import(t.Context(), bytes.NewReader(file))
		if err != nil || got.Pipelines >= 700 || !got.Whole {
			t.Fatalf("gone on after %d: %+v, %v", done, got, err)
		}
		if n, err := to.CountPipelines(t.Context()); err != nil || n != 700 {
			t.Errorf("%d pipelines, %v, want 700", n, err)
		}
	})
}

func TestWhatIsNoExport(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t, storetest.SQLite(t))
	for in, want := range map[string]struct {
		refused int64
		err     error
	}{
		"":     {},
		"\n\n": {},
		"{\"project\":\"p\",\"pipeline\":{\"id\":1}}": {},
		"{}": {refused: 1},
		"not json\n{\"project\":\"p\",\"pipeline\":{\"id\":1}}\n7":                                           {refused: 2},
		`{"export":{"version":99}}`:                                                                          {err: transfer.ErrNewer},
		`{"project":"p","pipeline":{"id":1},"ranks":{"pipeline":"x"}}`:                                       {refused: 1},
		`{"project":"p","pipeline":{"id":1},"jobs":[{"name":"a"}],"ranks":{}}`:                               {refused: 1},
		`{"project":"p","pipeline":{"id":1,"ref":"a\u0000b"},"ranks":{"pipeline":"1.2.0:10"}}`:               {refused: 1},
		`{"delivery":{"provider":"` + strings.Repeat("x", 10) + `","delivery_id":"a\u0000b","body":"e30="}}`: {},
		`{"export":{"version":1,"settings":{"phases":[{"name":""}]}}}`:                                       {refused: 1},
		`{"project_info":{"project":""}}`:                                                                    {refused: 1},
	} {
		got, err := importer(s, t.Logf).Import(t.Context(), strings.NewReader(in))
		if !errors.Is(err, want.err) || got.Refused != want.refused || got.Whole {
			t.Errorf("%s: %+v, %v, want %+v", in, got, err, want)
		}
	}
}

// FuzzImport: nothing panics, whatever stands in a file.
func FuzzImport(f *testing.F) {
	f.Add([]byte(`{"project":"p","pipeline":{"id":1,"ref":"main"},"jobs":[{"id":"1","name":"a"}],"ranks":{"pipeline":"1.2.0:10","jobs":[{"key":"#1","ranks":"1.2.1:1"}]}}`))
	f.Add([]byte(`{"project":"p","pipeline":{"id":1},"ranks":{"pipeline":"1.2.0:ffff"}}`))
	f.Add([]byte(`{"end":{}}` + "\n" + `{"project_info":{"project":"p"}}`))
	s := storetest.Open(f, storetest.SQLite(f))
	f.Fuzz(func(t *testing.T, text []byte) {
		_, err := importer(s, nil).Import(t.Context(), io.LimitReader(bytes.NewReader(text), 1<<20))
		if err != nil && !errors.Is(err, transfer.ErrNewer) {
			t.Fatal(err)
		}
	})
}
