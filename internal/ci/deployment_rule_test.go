package ci_test

import (
	"testing"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
)

// Patterns of environments ask for one; patterns of jobs alone do not.
func TestDeploymentRule(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		rule    ci.DeploymentRule
		yes, no [][2]string // environment, job
	}{
		"environments": {
			ci.DeploymentRule{Environments: []string{"prod*", "eu/live"}}, [][2]string{{"production", "x"}, {"eu/live", ""}}, [][2]string{{"staging", "x"}, {"", "prod"}, {"us/live", "x"}},
		},
		"any environment": {ci.DeploymentRule{Environments: []string{"*"}}, [][2]string{{"staging", "x"}}, [][2]string{{"", "x"}}},
		"jobs":            {ci.DeploymentRule{Jobs: []string{"ship*"}}, [][2]string{{"", "ship it"}, {"staging", "ship"}}, [][2]string{{"production", "deploy"}, {"", "x"}}},
		"both": {
			ci.DeploymentRule{Environments: []string{"prod"}, Jobs: []string{"ship"}}, [][2]string{{"prod", "ship"}}, [][2]string{{"prod", "x"}, {"", "ship"}, {"staging", "ship"}},
		},
		"but not": {
			ci.DeploymentRule{Environments: []string{"prod"}, NotJobs: []string{"*dry*"}}, [][2]string{{"prod", "ship"}}, [][2]string{{"prod", "a dry run"}},
		},
	} {
		for is, all := range map[bool][][2]string{true: c.yes, false: c.no} {
			for _, d := range all {
				if c.rule.Counts(d[0], d[1]) != is {
					t.Errorf("%s: %q by %q counts is not %t", name, d[0], d[1], is)
				}
			}
		}
		if c.rule.NamesJobs() != (name == "jobs") || c.rule.IsZero() {
			t.Errorf("%s: %+v", name, c.rule)
		}
	}
}
