package analytics_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/analytics"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

// saveSlowing stores pipelines, four a day up to now, whose job e2e took so many
// seconds; others run beside it.
func saveSlowing(t *testing.T, s *store.Store, project string, seconds []float64, others ...time.Duration) {
	t.Helper()
	var all []ci.Report
	for i, took := range seconds {
		created := now.Add(time.Duration(i-len(seconds)) * 6 * time.Hour)
		job := func(id int, name, stage string, took time.Duration) ci.Attempt {
			return ci.Attempt{
				ID: strconv.Itoa(id), Name: name, Stage: stage, State: ci.Finished, Result: ci.Success,
				CreatedAt: created, StartedAt: created, FinishedAt: created.Add(took),
			}
		}
		jobs := []ci.Attempt{job(1, "e2e", "test", time.Duration(took*float64(time.Second)))}
		ended := jobs[0].FinishedAt
		for n, took := range others {
			jobs = append(jobs, job(n+2, "scan", "scan", took))
			ended = later(ended, created.Add(took))
		}
		all = append(all, ci.Report{
			Provider: "gitlab", Project: project, Source: ci.Webhook,
			Pipeline: ci.Pipeline{ID: int64(i + 1), CreatedAt: created, FinishedAt: ended, UpdatedAt: ended, State: ci.Finished, Result: ci.Success, Ref: "main"},
			Jobs:     jobs,
		})
	}
	saveAll(t, s, all)
}

func later(x, y time.Time) time.Time {
	if x.After(y) {
		return x
	}
	return y
}

// decide gives acme/shop settings.
func decide(t *testing.T, s *store.Store, settings ci.Settings) store.Project {
	t.Helper()
	p, err := s.Project(t.Context(), "acme/shop")
	if err == nil {
		err = s.SetSettings(t.Context(), p, settings)
	}
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// What got slower is judged by the figures of its own project, from the moment
// when they are saved; others go on as they were.
func TestEachProjectHasItsRule(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		for _, name := range []string{"acme/api", "acme/shop"} {
			saveSlowing(t, s, name, append(repeat(30, 600), repeat(12, 690)...)) // 15 % and 90 s
		}
		a := analytics.New(analytics.Config{Store: s, Now: clock})
		f := filter(t, "range=30d&ref=@all")
		fires := func(asked ci.RegressionRule, want ...string) {
			t.Helper()
			got, err := a.Backtest(t.Context(), f, asked, "wall", "job_run:e2e")
			if err != nil {
				t.Fatal(err)
			}
			fired := []string{}
			for _, i := range got.Items {
				fired = append(fired, i.Project+" "+i.Metric)
			}
			if diff := cmp.Diff(append([]string{}, want...), fired); diff != "" {
				t.Errorf("%+v fires (-want +got):\n%s", asked, diff)
			}
		}
		found := func(want ...string) {
			t.Helper()
			changes, found, err := a.News(t.Context(), f)
			if err != nil {
				t.Fatal(err)
			}
			slower := []string{}
			for _, i := range found.Items {
				slower = append(slower, i.Project)
			}
			if diff := cmp.Diff(append([]string{}, want...), slower); diff != "" {
				t.Errorf("slower are (-want +got):\n%s", diff)
			}
			for _, c := range changes.Items {
				if is := len(c.Regressions) > 0; is != (len(want) > 0 && c.Project == want[0]) {
					t.Errorf("%s of %s: slower is %t", c.Metric, c.Project, is)
				}
			}
		}
		found()
		fires(ci.RegressionRule{})
		fires(ci.RegressionRule{Rise: new(0.12), Clear: new(0.1)}, "acme/api wall", "acme/api job_run:e2e", "acme/shop wall", "acme/shop job_run:e2e")
		mine := ci.RegressionRule{Rise: new(0.12)}
		shop := decide(t, s, ci.Settings{Regression: mine})
		found("acme/shop")
		fires(ci.RegressionRule{}, "acme/shop wall", "acme/shop job_run:e2e")
		fires(ci.RegressionRule{JobFloorS: new(91.0)}, "acme/shop wall")
		f.Projects = []string{"acme/shop"}
		if got, err := a.Backtest(t.Context(), f, ci.RegressionRule{FloorS: new(61.0)}); err != nil || got.PipelineRule.Rise != 0.12 || got.PipelineRule.FloorS != 61 || got.JobRule.FloorS != 30 {
			t.Errorf("the rule of one project is %+v of pipelines and %+v of jobs, %v", got.PipelineRule, got.JobRule, err)
		}

		p, err := a.Preview(t.Context(), shop, ci.Settings{DefaultBranch: "main"})
		if err != nil || p.Slower.Fired != 0 || p.Slower.Sentence != "Would not have fired in 90 days." {
			t.Errorf("pipelines of no branch are previewed: %+v, %v", p.Slower, err)
		}
		f.Projects = nil
		decide(t, s, ci.Settings{})
		found()
	})
}

// The preview of a rule says when it would have fired, and when that in force
// does.
func TestPreviewOfARule(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		saveSlowing(t, s, "acme/shop", repeat(1, 600))
		shop := decide(t, s, ci.Settings{DefaultBranch: "main"})
		saveSlowing(t, s, "acme/shop", append(append(repeat(30, 600), repeat(12, 690)...), repeat(12, 900)...))
		a := analytics.New(analytics.Config{Store: s, Now: clock})
		p, err := a.Preview(t.Context(), shop, ci.Settings{Regression: ci.RegressionRule{Rise: new(0.12), JobFloorS: new(604800.0)}})
		if err != nil {
			t.Fatal(err)
		}
		var fired, inForce []string
		for _, i := range p.Slower.Items {
			fired = append(fired, i.Metric)
		}
		for _, i := range p.InForce {
			inForce = append(inForce, i.Metric)
		}
		if strings.Join(fired, " ") != "wall e2e wall e2e" && strings.Join(fired, " ") != "e2e wall e2e wall" || p.Slower.Sentence != "Would have fired 4 times in 90 days." {
			t.Errorf("would have fired for %v: %s", fired, p.Slower.Sentence)
		}
		if len(inForce) != 3 {
			t.Errorf("the rule in force fires for %v, want wall, e2e and its job once each", inForce)
		}
	})
}

// The end of a phase is watched where it is a milestone of the project, and told
// in its words; where it is not, for whoever names it.
func TestMilestonesAreWatched(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		saveSlowing(t, s, "acme/shop", append(repeat(30, 600), repeat(12, 800)...), 1000*time.Second)
		a := analytics.New(analytics.Config{Store: s, Now: clock})
		f := filter(t, "range=30d&ref=@all")
		told := func(want string, also ...string) {
			t.Helper()
			found, err := a.Findings(t.Context(), f)
			if err != nil || len(found.Items) != 1 {
				t.Fatalf("found %+v, %v", found.Items, err)
			}
			if one := found.Items[0]; !strings.HasPrefix(one.Sentence, want) || !strings.Contains(one.Sentence, "p50 went from 10m 00s to 13m 20s. The largest part is e2e (+3m 20s).") || !cmp.Equal(one.Also, also) {
				t.Errorf("%s Also %v, want %s and %v", one.Sentence, one.Also, want, also)
			}
		}
		told("Phase e2e is slower since ", "job_run:e2e")
		named, err := a.Changes(t.Context(), f, "end_of:e2e")
		if err != nil || len(named.Items) != 1 || len(named.Items[0].Regressions) != 1 {
			t.Errorf("the end that is named changed by %+v, %v", named.Items, err)
		}
		decide(t, s, ci.Settings{Milestones: []ci.Milestone{{Name: "begun", Phase: "e2e", At: "start"}, {Name: "tested", Phase: "e2e", At: "finish"}}})
		told("The time to the end of e2e is slower since ", "e2e", "job_run:e2e")
		tested, err := a.Backtest(t.Context(), f, ci.RegressionRule{FloorS: new(201.0)})
		if err != nil || tested.Fired != 1 || tested.Items[0].Metric != "job_run:e2e" {
			t.Errorf("with the floor of pipelines above the rise it fires for %+v, %v", tested.Items, err)
		}
	})
}
