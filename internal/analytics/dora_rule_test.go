package analytics_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/analytics"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

// deploying are pipelines whose jobs deploy: to staging, to production, and ship
// and ship:eu without a word on where to; one of these is retried, one is
// canceled.
func deploying(project string) (all []ci.Report) {
	for i := range 6 {
		at := now.AddDate(0, 0, i-6)
		job := func(id, name, environment string, result ci.Result, minute int) ci.Attempt {
			return ci.Attempt{ID: id, Name: name, Environment: environment, State: ci.Finished, Result: result, StartedAt: at.Add(time.Minute), FinishedAt: at.Add(time.Duration(minute) * time.Minute), CreatedAt: at.Add(time.Duration(minute) * time.Second)}
		}
		all = append(all, ci.Report{
			Provider: "gitlab", Project: project, Source: ci.Webhook,
			Pipeline: ci.Pipeline{ID: int64(i + 1), Ref: "main", Commit: fmt.Sprintf("c%d", i), State: ci.Finished, Result: ci.Success, CreatedAt: at, FinishedAt: at.Add(time.Hour), UpdatedAt: at.Add(time.Hour)},
			Jobs: []ci.Attempt{
				job("1", "deploy", "staging", ci.Success, 10), job("2", "deploy", "production", ci.Success, 20), job("3", "ship", "", ci.Failure, 30), job("4", "ship", "", ci.Success, 40),
				job("5", "ship:eu", "", ci.Cancellation, 50), job("6", "test", "", ci.Success, 5),
			},
		})
	}
	return all
}

// Which deployments count is for each project to say, by their environments or
// by their jobs, and what the preview says of it comes true.
func TestWhichDeploymentsCount(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		savePacked(t, s, slices.Concat(deploying("acme/api"), deploying("acme/shop")))
		a := analytics.New(analytics.Config{Store: s, Now: clock})
		for rule, want := range map[*ci.DeploymentRule][]string{
			{}:                                  {"6 deploy production"},
			{Environments: []string{"*"}}:       {"6 deploy production", "6 deploy staging"},
			{Environments: []string{"s?aging"}}: {"6 deploy staging"},
			{Jobs: []string{"ship*"}}:           {"12 ship ship"},
			{Jobs: []string{"*"}, NotJobs: []string{"test", "ship"}}: {"6 deploy production", "6 deploy staging"},
			{Jobs: []string{"deploy", "ship"}}:                       {"6 deploy production", "6 deploy staging", "12 ship ship"},
			{Environments: []string{"nowhere"}}:                      {},
		} {
			shop, err := s.Project(t.Context(), "acme/shop")
			if err != nil {
				t.Fatal(err)
			}
			p, err := a.Preview(t.Context(), shop, ci.Settings{Deployments: *rule})
			if err != nil {
				t.Fatal(err)
			}
			previewed := map[string]int{}
			for _, d := range p.Deployments {
				if d.After {
					where := d.Environment
					if where == "" {
						where = d.Job
					}
					previewed[d.Job+" "+where] += d.Deployments
				}
				if d.Before != (d.Environment == "production") {
					t.Errorf("%+v: before is %+v", rule, d)
				}
			}
			decide(t, s, ci.Settings{Deployments: *rule})
			got := dora(t, a, "project=acme/shop&range=30d")
			for what, counted := range map[string]map[string]int{"counted": countedFrom(&got), "previewed": previewed} {
				lines := []string{}
				for _, k := range slices.Sorted(maps.Keys(counted)) {
					lines = append(lines, fmt.Sprintf("%d %s", counted[k], k))
				}
				if diff := cmp.Diff(want, lines); diff != "" {
					t.Errorf("%+v: %s (-want +got):\n%s", rule, what, diff)
				}
			}
			if both := dora(t, a, "range=30d"); both.Deployments != got.Deployments+6 {
				t.Errorf("%+v changes what the other project counts: %d of both", rule, both.Deployments)
			}
			decide(t, s, ci.Settings{})
		}
		decide(t, s, ci.Settings{Deployments: ci.DeploymentRule{Jobs: []string{"ship"}}})
		got := dora(t, a, "project=acme/shop&range=30d")
		if got.Failed != 6 || got.Succeeded != 6 || got.Recovery == nil || got.Recovery.P50S != 600 || got.LeadTime.P50S != 2400 || got.CountedFrom[0].Environment != "ship" {
			t.Errorf("jobs that say no environment: %+v", got)
		}
		if e := got.Environments; len(e) != 3 || !slices.Contains(e, analytics.Environment{Environment: "ship", Deployments: 12, Counted: 12, IsCounted: true}) || !slices.Contains(e, analytics.Environment{Environment: "staging", Deployments: 6}) {
			t.Errorf("the environments are %+v", e)
		}
		if got := dora(t, a, "project=acme/shop&range=30d", "staging"); got.Deployments != 6 || !strings.Contains(got.Sentence, "to staging") {
			t.Errorf("an environment that is asked for does not stand before the rule: %+v", got)
		}
	})
}

func dora(t *testing.T, a *analytics.Analytics, q string, environments ...string) analytics.DORA {
	t.Helper()
	got, err := a.DORA(t.Context(), filter(t, q), environments...)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// countedFrom counts them by job and environment.
func countedFrom(d *analytics.DORA) map[string]int {
	all := map[string]int{}
	for i := range d.CountedFrom {
		all[d.CountedFrom[i].Job+" "+d.CountedFrom[i].Environment]++
	}
	return all
}
