package analytics

import (
	"cmp"
	"slices"
)

// Limits of the commits on which a job flaked.
const (
	maxFlakyCommits = 50 // in an answer
	maxTries        = 60 // attempts of a commit
)

// A FlakyCommit is a commit on which a job failed and passed; a pipeline that
// tells no commit is one by itself.
type FlakyCommit struct {
	Project string  `json:"project"`
	Commit  *string `json:"commit"`
	Ref     *string `json:"ref"` // of its latest pipeline
	// Attempts are those that failed or passed, in the order in which they ended;
	// at most 60.
	Attempts []CommitAttempt `json:"attempts"`
	Cost                     // of those that failed
	FirstAt  Time            `json:"first_at"` // the first of these ended
	LastAt   Time            `json:"last_at"`
}

// A CommitAttempt is how one attempt on a commit ended.
type CommitAttempt struct {
	PipelineID int64  `json:"pipeline_id"`
	Attempt    int64  `json:"attempt"`
	Outcome    string `json:"outcome"` // Passed or Failed
	EndedAt    Time   `json:"ended_at"`
}

// A try is an attempt that failed or passed, where all of a job are kept.
type try struct {
	failure

	pipeline, attempt int64
	ref               string
	isFailed          bool
}

// keepTries has the attempts of all jobs kept, for commits.
func (f *flakes) keepTries() { f.keeps = true }

// keep takes an attempt of a pipeline; one that failed is also the last of the
// failures.
func (j *jobFlakes) keep(v *sieve, pipeline, attempt int, one failure, isFailed bool) {
	v.room.take(tryNumbers)
	j.tries = append(j.tries, try{one, v.Pipelines.ID[pipeline], v.Attempts.Number[attempt], v.Pipelines.Ref.At(pipeline), isFailed})
}

// commitsOf are the commits on which the jobs flaked whose attempts were kept,
// the latest first.
func (f *flakes) commitsOf(names map[int64]string) []FlakyCommit {
	all, down := []FlakyCommit{}, f.down()
	for id, p := range f.projects {
		shas := make([]string, p.counted)
		for sha, n := range p.commits {
			shas[n] = sha
		}
		for _, j := range p.jobs {
			for n, one := range j.flakyCommits(down[id]) {
				one.Project, one.Commit = names[id], name(shas[n])
				all = append(all, *one)
			}
		}
	}
	slices.SortFunc(all, func(x, y FlakyCommit) int {
		return cmp.Or(y.LastAt.compare(x.LastAt), cmp.Compare(x.Project, y.Project), cmp.Compare(text(x.Commit), text(y.Commit)))
	})
	return all[:min(len(all), maxFlakyCommits)]
}

// flakyCommits are those of a job by the numbers of the commits. As failures in
// outages do not count, they are not among the attempts.
func (j *jobFlakes) flakyCommits(down []Window) map[int]*FlakyCommit {
	found := map[int]*FlakyCommit{}
	for i := range j.failures {
		if one := &j.failures[i]; j.passed.has(one.commit) && !isDown(down, one.end) {
			found[one.commit] = &FlakyCommit{Attempts: []CommitAttempt{}}
		}
	}
	tries := slices.DeleteFunc(j.tries, func(one try) bool { return found[one.commit] == nil || one.isFailed && isDown(down, one.end) })
	slices.SortFunc(tries, func(x, y try) int {
		return cmp.Or(cmp.Compare(x.end, y.end), cmp.Compare(x.pipeline, y.pipeline), cmp.Compare(x.attempt, y.attempt))
	})
	for i := range tries {
		found[tries[i].commit].add(&tries[i])
	}
	return found
}

// add takes the attempts in the order in which they ended.
func (c *FlakyCommit) add(one *try) {
	outcome, end := Passed, Time(instant(one.end))
	if one.isFailed {
		outcome = Failed
		if c.FirstAt.Time().IsZero() {
			c.FirstAt = end
		}
		c.LastAt = end
		c.ran(one.ranMS)
		c.pay(one.added)
	}
	c.Ref = name(one.ref)
	if len(c.Attempts) < maxTries {
		c.Attempts = append(c.Attempts, CommitAttempt{one.pipeline, one.attempt, outcome, end})
	}
}
