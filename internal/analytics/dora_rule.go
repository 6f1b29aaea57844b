package analytics

import (
	"cmp"
	"regexp"
	"slices"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
)

// production is the names of environments that count where nobody has decided.
var production = regexp.MustCompile(`(?i)^(prod|production|live)([^a-z]|$)`)

// counting tells of some deployments which are counted: those to the
// environments named, or else those that the rules of their projects count.
// Where a project has none, those to production; if there is none of these, all.
func counting(all []Deployment, environments []string, by map[int64]ci.DeploymentRule) func(*Deployment) bool {
	isUsual := func(d *Deployment) bool { return !d.unnamed && production.MatchString(d.Environment) }
	undecided := func(d *Deployment) bool { return by[d.projectID].IsZero() }
	hasUsual := slices.ContainsFunc(all, func(d Deployment) bool { return undecided(&d) && isUsual(&d) })
	return func(d *Deployment) bool {
		rule := by[d.projectID]
		switch {
		case len(environments) > 0:
			return slices.Contains(environments, d.Environment)
		case undecided(d):
			return isUsual(d) || !hasUsual && !d.unnamed
		case d.unnamed:
			return rule.NamesJobs() && rule.Counts("", d.Job)
		}
		return rule.Counts(d.Environment, d.Job)
	}
}

// choose keeps the deployments that are counted.
func (d *DORA) choose(all []Deployment, environments []string, by map[int64]ci.DeploymentRule) []Deployment {
	counts := counting(all, environments, by)
	seen := map[string]*Environment{}
	for i := range all {
		name := all[i].Environment
		if seen[name] == nil {
			seen[name] = &Environment{Environment: name}
		}
		seen[name].Deployments++
		if counts(&all[i]) {
			seen[name].Counted++
		}
	}
	for _, e := range seen {
		e.IsCounted = e.Counted > 0
		d.Environments = append(d.Environments, *e)
	}
	slices.SortFunc(d.Environments, func(x, y Environment) int {
		return cmp.Or(cmp.Compare(y.Deployments, x.Deployments), cmp.Compare(x.Environment, y.Environment))
	})
	return slices.DeleteFunc(all, func(one Deployment) bool { return !counts(&one) })
}
