package collect_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	"pgregory.net/rapid"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/collect"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/provider/gitlab"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/provider/gitlab/gitlabtest"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/provider/legacy"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/provider/rest"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

// A letter is one message on its way to us.
type letter func(context.Context, *store.Store) error

// Whatever of its webhooks, the API's answers and the original's reports comes,
// in any order, some twice and some never: after a comparison with GitLab, all
// pipelines and all attempts are as they are there.
func TestLedgerIsTheTruthHoweverItCame(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		var worlds atomic.Int64
		rapid.Check(t, func(rt *rapid.T) {
			w := gitlabtest.Generate(rapid.Uint64().Draw(rt, "seed"), rapid.IntRange(1, 3).Draw(rt, "pipelines"))
			group := "acme" + strconv.FormatInt(worlds.Add(1), 10) // the database is one for all
			for _, p := range w.Projects {
				p.Path = strings.Replace(p.Path, "acme", group, 1)
			}
			server, stop := gitlabtest.Start(w, gitlabtest.Faults{}, nil)
			defer stop()
			client, err := gitlab.NewClient(server.URL, gitlabtest.Token, rest.Config{Rate: 1e6, Burst: 1e6})
			if err != nil {
				rt.Fatal(err)
			}
			defer client.CloseIdle()

			var all []letter
			for _, d := range server.Deliveries() {
				all = append(all, byWebhook(d))
			}
			for _, p := range w.Projects {
				of := gitlab.Project{ID: p.ID, Path: p.Path, DefaultBranch: p.DefaultBranch, URL: server.URL + "/" + p.Path}
				for _, pl := range p.Pipelines {
					all = append(all, byAPI(client, of, pl.ID), byOriginal(client, of, pl.ID))
				}
			}
			var come []letter
			for _, l := range all {
				for range rapid.SampledFrom([]int{0, 0, 1, 1, 1, 2}).Draw(rt, "comes") {
					come = append(come, l)
				}
			}
			var at errgroup.Group
			at.SetLimit(8)
			for _, l := range rapid.Permutation(come).Draw(rt, "order") {
				at.Go(func() error { return l(t.Context(), s) })
			}
			if err := at.Wait(); err != nil {
				rt.Fatal(err)
			}
			r := &collect.Reconciler{
				Store: s, Source: &collect.GitLabSource{Client: client, Groups: []string{group}}, Since: time.Since(gitlabtest.Epoch) + time.Hour, Log: slog.New(slog.DiscardHandler),
			}
			if err := r.Pass(t.Context()); err != nil {
				rt.Fatal(err)
			}
			complete(rt, t, s, w)
		})
	})
}

func byWebhook(d gitlabtest.Delivery) letter {
	return func(ctx context.Context, s *store.Store) error {
		reports, err := collect.ParseDelivery("gitlab", d.Event, d.Body)
		if err != nil {
			return err
		}
		for _, r := range reports {
			if r.Pipeline.ID == 0 {
				r.Pipeline.ID, r.Jobs[0].Name, err = s.PipelineOfJob(ctx, r.Project, r.Jobs[0].ID)
				if errors.Is(err, store.ErrUnknown) {
					return nil
				}
			}
			if err == nil {
				_, err = s.Save(ctx, r)
			}
		}
		return err
	}
}

func byAPI(c *gitlab.Client, p gitlab.Project, id int64) letter {
	return func(ctx context.Context, s *store.Store) error {
		reports, err := c.Read(ctx, p, id, gitlab.Logs{})
		if err != nil {
			return err
		}
		return collect.SaveIn(s)(ctx, reports[:1])
	}
}

// byOriginal is what the original's client reports of a pipeline.
func byOriginal(c *gitlab.Client, p gitlab.Project, id int64) letter {
	rules := &gitlab.Original{StageBuild: "build", JobsBuild: []string{"build-e2e"}, StageE2e: "test", NotE2e: []string{"lint", "unit"}, Steps: []string{"up", "e2e"}, Optimistic: true, Warn: func(string, error) {}}
	return func(ctx context.Context, s *store.Store) error {
		m, err := c.Metrics(ctx, p, id, rules)
		if err != nil {
			return nil //nolint:nilerr // the original's client sends nothing, then
		}
		m.Project = p.Path
		body, err := json.Marshal(m)
		if err != nil {
			return err
		}
		r, err := legacy.Parse(body)
		if err != nil {
			return err
		}
		return collect.SaveIn(s)(ctx, []ci.Report{r})
	}
}
