package analytics

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// A PreviewDeployment is how often a job deployed to an environment, and whether
// that counts by the rule in force and by the one that is tried.
type PreviewDeployment struct {
	Environment   string // empty: the job says none
	Job           string
	Deployments   int
	Before, After bool
}

// triedDays is the past on which rules are tried.
const triedDays = 90

// triedFilter is the past of a project.
func (a *Analytics) triedFilter(p store.Project) Filter {
	now := a.now()
	return Filter{Projects: []string{p.Name}, Window: Window{now.AddDate(0, 0, -triedDays), now}, Restarts: RestartsIn, Zone: time.UTC}
}

// previewSlower runs the rule of the settings, and the one in force.
func (a *Analytics) previewSlower(ctx context.Context, answer *Preview, p store.Project, s ci.Settings) error {
	f := a.triedFilter(p)
	by := rulesOf(s.Regression)
	b := Backtest{From: Time(f.Window.From), To: Time(f.Window.To), PipelineRule: by.pipeline, JobRule: by.job}
	err := a.eachHistory(ctx, &f, func(h *history) {
		b.Truncated, b.Items, answer.InForce = h.truncated, h.alarms(&s, nil), h.alarms(&h.settings, nil)
	})
	if isTooMuch(err) {
		return nil
	}
	b.tell()
	answer.Slower = &b
	return err
}

// previewDeployments counts those that there are by the rule of the settings and
// the one in force.
func (a *Analytics) previewDeployments(ctx context.Context, answer *Preview, p store.Project, s ci.Settings) error {
	f := a.triedFilter(p)
	f.Refs = []string{AnyRef}
	found := map[PreviewDeployment]*PreviewDeployment{}
	err := a.ask(ctx, &f, func(ctx context.Context, read *store.Reading, scope *scope) error {
		settings, err := allSettings(ctx, read)
		if err != nil {
			return err
		}
		now, then := map[int64]ci.DeploymentRule{p.ID: settings[p.ID].Deployments}, map[int64]ci.DeploymentRule{p.ID: s.Deployments}
		all, err := scope.deployments(ctx, read, now, then)
		before, after := counting(all, nil, now), counting(all, nil, then)
		for i := range all {
			d := &all[i]
			k := PreviewDeployment{Environment: d.Environment, Job: d.Job}
			if d.unnamed {
				k.Environment = ""
			}
			if found[k] == nil {
				found[k] = new(k)
			}
			found[k].Deployments++
			found[k].Before, found[k].After = before(d), after(d)
		}
		return err
	})
	if isTooMuch(err) {
		return nil
	}
	answer.Deployments = []PreviewDeployment{}
	for _, one := range slices.SortedFunc(maps.Values(found), func(x, y *PreviewDeployment) int {
		return cmp.Or(-compareBool(x.After, y.After), -compareBool(x.Before, y.Before), cmp.Compare(y.Deployments, x.Deployments), cmp.Compare(x.Environment, y.Environment), cmp.Compare(x.Job, y.Job))
	}) {
		answer.Deployments = append(answer.Deployments, *one)
	}
	return err
}

// compareBool puts what is not before what is.
func compareBool(x, y bool) int {
	switch {
	case x == y:
		return 0
	case x:
		return 1
	}
	return -1
}

// isTooMuch tells whether a preview can't be made in time.
func isTooMuch(err error) bool {
	_, isLarge := errors.AsType[*FieldError](err)
	return isLarge || errors.Is(err, store.ErrSlow)
}
