package collect_test

import (
	"bytes"
	"context"
	"log/slog"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/collect"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/provider/github"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/provider/github/githubtest"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/provider/rest"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

// size is how many pipelines a fake CI system has: few, or with PMC_SOAK=1 as
// many as a busy project has in months.
func size(few, many int) int {
	if os.Getenv("PMC_SOAK") == "1" {
		return many
	}
	return few
}

// A clock stands still but for those who sleep by it.
type clock struct{ passed atomic.Int64 }

func (c *clock) now() time.Time { return time.Now().Add(time.Duration(c.passed.Load())) }

func (c *clock) sleep(ctx context.Context, d time.Duration) error {
	c.passed.Add(int64(d))
	return ctx.Err()
}

// deliver saves what the webhooks tell, in any order, some twice, and loses a
// share of them.
func deliver(t *testing.T, s *store.Store, all []githubtest.Delivery, lost float64, random *rand.Rand) {
	t.Helper()
	all = append(append([]githubtest.Delivery(nil), all...), all[:len(all)/10]...)
	random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	var senders sync.WaitGroup
	each := make(chan githubtest.Delivery)
	for range 16 {
		senders.Go(func() {
			for d := range each {
				saveDelivery(t, s, d)
			}
		})
	}
	for _, d := range all {
		if random.Float64() >= lost {
			each <- d
		}
	}
	close(each)
	senders.Wait()
}

func saveDelivery(t *testing.T, s *store.Store, d githubtest.Delivery) {
	t.Helper()
	reports, err := collect.ParseDelivery("github", d.Event, d.Body)
	if err != nil {
		t.Errorf("delivery %s: %v", d.ID, err)
	}
	for _, r := range reports {
		if _, err := s.Save(t.Context(), r); err != nil {
			t.Error(err)
		}
		if err := s.SawEvent(t.Context(), r.Provider, r.Project); err != nil {
			t.Error(err)
		}
	}
}

// checkLedger holds every attempt that is stored against the truth.
func checkLedger(t *testing.T, s *store.Store, w *githubtest.World) {
	t.Helper()
	stored := map[string][]any{}
	for _, row := range storetest.Table(t, s, `SELECT p.id, j.ci_id, j.name, j.attempt, j.result, j.started_ms, j.finished_ms, j.queue_ms, j.environment
		FROM pipelines p JOIN jobs j ON j.project_id = p.project_id AND j.pipeline_id = p.id WHERE p.workflow <> 'deployment'`) {
		stored[row[1].(string)] = row
	}
	attempts := 0
	environments := map[int64]any{}
	for _, repo := range w.Repositories {
		for _, d := range repo.Deployments {
			if d.Job != nil {
				environments[d.Job.ID] = d.Environment
			}
		}
	}
	checkDeployments(t, s, w)
	for _, repo := range w.Repositories {
		for _, u := range repo.Runs {
			for _, j := range u.Jobs {
				attempts++
				row := stored[itoa(j.ID)]
				if row == nil {
					t.Errorf("attempt %d of run %d is missing", j.ID, u.ID)
					continue
				}
				want := []any{u.ID, itoa(j.ID), j.Name, int64(j.RunAttempt), j.Conclusion, j.Started.UnixMilli(), j.Finished.UnixMilli(), j.Started.Sub(j.Created).Milliseconds(), environments[j.ID]}
				for i := range want {
					if row[i] != want[i] {
						t.Errorf("attempt %d: column %d is %v, want %v", j.ID, i, row[i], want[i])
					}
				}
			}
		}
	}
	if len(stored) != attempts {
		t.Errorf("%d attempts are stored, want %d", len(stored), attempts)
	}
}

// checkDeployments holds those that no job made against the truth.
func checkDeployments(t *testing.T, s *store.Store, w *githubtest.World) {
	t.Helper()
	want := map[string][]any{}
	for _, repo := range w.Repositories {
		for _, d := range repo.Deployments {
			if d.Job != nil {
				continue
			}
			row := []any{d.Environment, "running", nil, d.States[0].At.UnixMilli(), nil, d.SHA}
			if len(d.States) > 1 {
				row[1], row[2], row[4] = "finished", d.States[1].State, d.States[1].At.UnixMilli()
			}
			want["deployment/"+itoa(d.ID)] = row
		}
	}
	got := map[string][]any{}
	for _, row := range storetest.Table(t, s, `SELECT p.external_id, j.environment, j.state, j.result, j.started_ms, j.finished_ms, p.commit_sha
		FROM pipelines p JOIN jobs j ON j.project_id = p.project_id AND j.pipeline_id = p.id WHERE p.workflow = 'deployment'`) {
		got[row[0].(string)] = row[1:]
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("deployments (-want +got):\n%.2000s", diff)
	}
}

// Whatever webhooks were lost, late or sent twice, and however often GitHub
// refuses or fails: after one comparison all is here, and the next one finds
// nothing to do.
func TestSoakReconcileGitHub(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		w := githubtest.Generate(7, size(150, 5000), time.Now())
		now := w.Repositories[0].Runs[len(w.Repositories[0].Runs)-1].Updated.Add(time.Hour)
		deliver(t, s, w.Deliveries(), 0.3, rand.New(rand.NewPCG(1, 2)))
		hub := githubtest.Serve(t, w, "secret")
		hub.Break(17, 23)
		waits := &clock{}
		client, err := github.NewClient(rest.Config{
			Base: hub.URL, Secret: "secret", Rate: 1e6, Burst: 1000, Now: waits.now, Sleep: waits.sleep,
		})
		if err != nil {
			t.Fatal(err)
		}
		defer client.CloseIdle()
		source := &collect.GitHub{Client: client, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return now }}
		r := &collect.Reconciler{
			Store: s, Source: source, Since: 60 * 24 * time.Hour,
			Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return now },
		}
		if err := r.Pass(t.Context()); err != nil {
			t.Fatal(err)
		}
		checkLedger(t, s, w)
		c, err := s.CompletenessOf(t.Context(), "github", "acme/shop")
		if err != nil {
			t.Fatal(err)
		}
		runs := int64(len(w.Repositories[0].Runs))
		if c.Exist == nil || *c.Exist != runs || c.Stored == nil || *c.Stored != runs || c.Compared != runs || c.Stale == 0 || c.Healed != c.Stale || c.LastEvent.IsZero() || c.Failure != "" {
			t.Errorf("completeness is %+v, want all %d runs", c, runs)
		}
		asked, counted := hub.Requests()
		t.Logf("| %d runs, a third of their webhooks lost | %d requests, %d of them counted, %.2f a run |", runs, asked, counted, float64(counted)/float64(runs))

		// A run that ran again is found though nobody told, and nothing else is read.
		u := w.Repositories[0].Runs[runs-1]
		u.Jobs = append(u.Jobs, &githubtest.Job{ID: 1 << 40, Name: "build", Conclusion: "success", RunAttempt: u.Attempts() + 1, Created: now, Started: now, Finished: now.Add(time.Second)})
		hub.Break(0, 0)
		if err := r.Pass(t.Context()); err != nil {
			t.Fatal(err)
		}
		again, stillCounted := hub.Requests()
		checkDeployments(t, s, w)
		if n := stillCounted - counted; n > 8 {
			t.Errorf("the second comparison cost %d requests of %d, want at most 8", n, again-asked)
		}
		if got := storetest.Table(t, s, "SELECT count(*) FROM jobs WHERE ci_id = $1", itoa(1<<40)); got[0][0] != int64(1) {
			t.Error("the attempt of the second comparison is not here")
		}
	})
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

// A deployment of which no webhook tells is followed until it has ended, also by
// another replica that goes on; those that have are not asked for again.
func TestReconcileFollowsDeployments(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		now := time.Now().Truncate(time.Second)
		w := githubtest.Generate(3, 20, now)
		hub := githubtest.Serve(t, w, "secret")
		var log bytes.Buffer
		replica := func() *collect.Reconciler {
			client, err := github.NewClient(rest.Config{Base: hub.URL, Secret: "secret", Rate: 1e6, Burst: 1000})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(client.CloseIdle)
			source := &collect.GitHub{Client: client, Repositories: []string{"acme/shop"}, Log: slog.New(slog.NewTextHandler(&log, nil)), Now: func() time.Time { return now }}
			return &collect.Reconciler{Store: s, Source: source, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return now }}
		}
		r := replica()
		pass := func() (counted int) {
			t.Helper()
			_, before := hub.Requests()
			if err := r.Pass(t.Context()); err != nil {
				t.Fatal(err)
			}
			checkDeployments(t, s, w)
			_, after := hub.Requests()
			return after - before
		}
		repo := w.Repositories[0]
		pass()
		d := &githubtest.Deployment{ID: 1 << 41, Environment: "production", SHA: "abc", States: []githubtest.DeploymentState{{State: "in_progress", At: now}}}
		repo.Deployments = append(repo.Deployments, d)
		if n := pass(); n != 3 { // the count, the list, its states
			t.Errorf("to find a deployment cost %d requests, want 3", n)
		}
		if n := pass(); n != 1 {
			t.Errorf("that nothing happened cost %d requests, want 1", n)
		}
		r = replica()
		now = now.Add(20 * time.Hour)
		pass()
		d.States = append(d.States, githubtest.DeploymentState{State: "failure", At: now})
		pass()
		if n := pass(); n != 1 {
			t.Errorf("what has ended cost %d requests, want 1", n)
		}
		repo.DeploymentsRefused = true
		pass()
		pass()
		if n := strings.Count(log.String(), "deployments can't be read"); n != 1 {
			t.Errorf("it is said %d times that deployments can't be read:\n%s", n, log.String())
		}
	})
}

// Of the past, runs are read though the token may not read deployments, and that
// is said.
func TestPastWithoutDeployments(t *testing.T) {
	t.Parallel()
	w := githubtest.Generate(3, 5, time.Now())
	w.Repositories[0].DeploymentsRefused = true
	client, err := github.NewClient(rest.Config{Base: githubtest.Serve(t, w, "secret").URL, Secret: "secret", Rate: 1e6, Burst: 1000})
	if err != nil {
		t.Fatal(err)
	}
	defer client.CloseIdle()
	var log bytes.Buffer
	past := collect.GitHubPast{
		Client: client, Repositories: []string{"acme/shop"}, Until: time.Now().Add(time.Hour), Log: slog.New(slog.NewTextHandler(&log, nil)),
		Since: func(context.Context, string) (time.Time, error) { return time.Now().Add(-2 * 24 * time.Hour), nil },
	}
	runs := 0
	for it, err := range past.Created(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if it.ID != 0 {
			runs++
		}
	}
	if runs != 5 || !strings.Contains(log.String(), "deployments can't be read") {
		t.Errorf("%d runs, want 5; said was %s", runs, log.String())
	}
}
