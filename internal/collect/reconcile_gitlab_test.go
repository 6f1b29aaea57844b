package collect_test

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/collect"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/provider/gitlab"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/provider/gitlab/gitlabtest"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/provider/rest"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

// Whatever webhooks of GitLab were lost, late or sent twice, and however often
// it limits, fails or hangs: after one comparison all is here, the retried jobs
// too that its webhooks leave out. The next one asks for lists alone.
func TestSoakReconcileGitLab(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		n := soak(50, 5000)
		w := gitlabtest.Generate(11, n)
		l := newLab(t, w, gitlabtest.Faults{ErrorEvery: 41, BreakEvery: 53, HangEvery: n + 23, Limit: 60, Window: time.Minute})
		sendWebhooks(t, s, l.Deliveries())
		r := &collect.Reconciler{
			Store: s, Source: &collect.GitLabSource{Client: l.client, Groups: []string{"acme"}},
			Since: l.clock.Now().Sub(gitlabtest.Epoch) + 30*24*time.Hour, // its clock goes on for hours while GitLab limits
			Log:   slog.New(slog.DiscardHandler), Now: l.clock.Now,
		}
		if err := r.Pass(t.Context()); err != nil {
			t.Fatal(err)
		}
		complete(t, t, s, w)
		var exist, stored, healed int64
		all, err := s.Completeness(t.Context(), "gitlab", "", 100)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range all {
			if c.Exist == nil || c.Failure != "" || c.Checked.IsZero() {
				t.Errorf("completeness is %+v", c)
				continue
			}
			exist, stored, healed = exist+*c.Exist, stored+*c.Stored, healed+c.Healed
		}
		if len(all) != len(w.Projects) || exist != int64(n) || stored != exist || healed == 0 {
			t.Errorf("%d projects: %d pipelines exist, %d are stored, %d were healed; want %d of %d projects", len(all), exist, stored, healed, n, len(w.Projects))
		}
		asked, _ := l.Requests()
		t.Logf("| %d pipelines, a third of their webhooks lost | %d requests, %.2f a pipeline | %d healed |", n, asked, float64(asked)/float64(n), healed)
		if err := r.Pass(t.Context()); err != nil {
			t.Fatal(err)
		}
		again, _ := l.Requests()
		if more := again - asked; more > 10*len(w.Projects) {
			t.Errorf("the second comparison made %d requests, want at most %d", more, 10*len(w.Projects))
		}
		complete(t, t, s, w)
	})
}

// Where the list of what to compare is refused, the projects that are known
// are compared all the same; where that is refused too, each says why.
func TestReconcileWithoutTheList(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t, storetest.SQLite(t))
	w := gitlabtest.Generate(7, 12)
	l := newLab(t, w, gitlabtest.Faults{})
	sendWebhooks(t, s, l.Deliveries())
	source := &collect.GitLabSource{Client: l.client, Groups: []string{"nobody"}}
	r := &collect.Reconciler{Store: s, Source: source, Since: l.clock.Now().Sub(gitlabtest.Epoch) + time.Hour, Log: slog.New(slog.DiscardHandler), Now: l.clock.Now}
	if err := r.Pass(t.Context()); err == nil || !strings.Contains(err.Error(), "list the projects: list the projects of nobody") {
		t.Errorf("a group that is not there: %v", err)
	}
	complete(t, t, s, w)

	refused, err := gitlab.NewClient(l.URL, "wrong", rest.Config{Now: l.clock.Now, Sleep: l.clock.Sleep})
	if err != nil {
		t.Fatal(err)
	}
	defer refused.CloseIdle()
	source.Client = refused
	if err := r.Pass(t.Context()); err == nil {
		t.Error("a wrong token is no failure")
	}
	all, err := s.Completeness(t.Context(), "gitlab", "", 100)
	if err != nil || len(all) == 0 {
		t.Fatal(len(all), err)
	}
	for _, c := range all {
		if !strings.Contains(c.Failure, "401 Unauthorized") {
			t.Errorf("%s does not say that the token is refused: %q", c.Project, c.Failure)
		}
	}
}

// A webhook that GitLab switched off is enabled again, one that is missing is
// made, and one that is well is only looked at. Without the right to do that,
// projects are compared all the same.
func TestReconcileMendsWebhooks(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t, storetest.SQLite(t))
	w := gitlabtest.Generate(5, 12)
	l := newLab(t, w, gitlabtest.Faults{})
	hook := gitlab.Hook{URL: "https://metrics.example.com/api/v1/webhooks/gitlab", Secret: "secret", VerifyTLS: true}
	if _, err := l.client.Install(t.Context(), l.projects[0], hook); err != nil {
		t.Fatal(err)
	}
	off := w.Projects[0].Hooks[0]
	off.Alert = "disabled"
	r := &collect.Reconciler{
		Store: s, Source: &collect.GitLabSource{Client: l.client, Groups: []string{"acme"}, Hook: &hook, Log: slog.New(slog.DiscardHandler)},
		Since: l.clock.Now().Sub(gitlabtest.Epoch) + time.Hour, Log: slog.New(slog.DiscardHandler), Now: l.clock.Now,
	}
	well := func(when string) {
		t.Helper()
		if err := r.Pass(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, p := range w.Projects {
			if len(p.Hooks) != 1 || p.Hooks[0].Alert != "executable" || !p.Hooks[0].Events["deployment_events"] {
				t.Errorf("%s: %s has %d webhooks, %+v", when, p.Path, len(p.Hooks), p.Hooks)
			}
		}
	}
	well("at first")
	off.Token = "theirs" // would be set again if it were written
	well("again")
	if off.Token != "theirs" {
		t.Error("a webhook that is well is written each time")
	}
	complete(t, t, s, w)
	w.HooksRefused = true
	if err := r.Pass(t.Context()); err != nil {
		t.Errorf("without the right to see webhooks: %v", err)
	}
}
