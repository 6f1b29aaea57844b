package ci

import "strconv"

// A DeploymentRule says which deployments of a project are counted. Its texts
// are patterns as those of a Phase; a list that is empty asks nothing. Where all
// are, nobody has decided.
type DeploymentRule struct {
	Environments []string `json:"environments,omitempty"`
	Jobs         []string `json:"jobs,omitempty"`
	NotJobs      []string `json:"not_jobs,omitempty"`
}

// IsZero tells whether nobody has decided.
func (r DeploymentRule) IsZero() bool { return len(r.Environments)+len(r.Jobs)+len(r.NotJobs) == 0 }

// NamesJobs tells whether jobs deploy by their names alone: also those that say
// no environment.
func (r DeploymentRule) NamesJobs() bool { return len(r.Environments) == 0 && len(r.Jobs) > 0 }

// Counts tells whether deployments of a job to an environment count. Empty: it
// says no environment.
func (r DeploymentRule) Counts(environment, job string) bool {
	return (r.NamesJobs() || environment != "" && matchesAny(r.Environments, environment)) &&
		(len(r.Jobs) == 0 || matchesAny(r.Jobs, job)) && !matchesAny(r.NotJobs, job)
}

func (v *validator) deployments(at string, r DeploymentRule) {
	if len(r.NotJobs) > 0 && len(r.Environments)+len(r.Jobs) == 0 {
		v.bad(at, "must have patterns of environments or jobs: else it would be all others")
	}
	v.patterns(at+"/environments", r.Environments)
	v.patterns(at+"/jobs", r.Jobs)
	v.patterns(at+"/not_jobs", r.NotJobs)
}

// patterns checks a list of them.
func (v *validator) patterns(at string, all []string) {
	if len(all) > MaxPatterns {
		v.bad(at, "has more than 100 entries")
		return
	}
	for i, s := range all {
		v.text(at+"/"+strconv.Itoa(i), s, MaxPattern, true)
	}
}
