// Package githubtest is GitHub for tests: its API and the webhooks that it
// sends, written from its documentation, over a truth that is made up.
package githubtest

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"
)

// A World is all that happened on a GitHub.
type World struct {
	Repositories []*Repository
}

// A Repository is one of them.
type Repository struct {
	FullName    string
	Runs        []*Run        // in order of creation
	Deployments []*Deployment // likewise
	// DeploymentsRefused: the token may not read them.
	DeploymentsRefused bool
}

// A Run is one run of a workflow with all its attempts.
type Run struct {
	ID               int64
	Workflow, Branch string
	SHA, Event       string
	Created, Updated time.Time
	Jobs             []*Job // of all attempts
}

// A Job is one attempt of a job.
type Job struct {
	ID                         int64
	Name, Conclusion           string
	RunAttempt                 int
	Created, Started, Finished time.Time
}

// A Deployment is one that a job made, or somebody by the API.
type Deployment struct {
	ID               int64
	Environment, SHA string
	Run              *Run // of the job
	Job              *Job // nil: none made it
	States           []DeploymentState
}

// A DeploymentState is what a deployment came to at an instant.
type DeploymentState struct {
	State string
	At    time.Time
}

// Attempts is how often the run ran.
func (u *Run) Attempts() (n int) {
	for _, j := range u.Jobs {
		n = max(n, j.RunAttempt)
	}
	return n
}

// Conclusion is how the last attempt ended.
func (u *Run) Conclusion() string {
	for _, j := range u.Jobs {
		if j.RunAttempt == u.Attempts() && j.Conclusion != "success" {
			return j.Conclusion
		}
	}
	return "success"
}

// Generate makes up n runs of one repository that end before end, a run about
// every ten minutes; one of eight is run again, with the jobs that failed.
func Generate(seed uint64, n int, end time.Time) *World {
	random := rand.New(rand.NewPCG(seed, seed)) //nolint:gosec // made-up data has to come out the same each time
	repo := &Repository{FullName: "acme/shop"}
	seconds := func(most int) time.Duration { return time.Duration(1+random.IntN(most)) * time.Second }
	id, at := int64(9_000_000_000), end.Add(-time.Duration(n)*10*time.Minute).Truncate(time.Second)
	for range n {
		at = at.Add(seconds(1000))
		id += 1 + random.Int64N(50)
		u := &Run{ID: id, Workflow: "ci", Branch: []string{"main", "topic"}[random.IntN(2)], SHA: fmt.Sprintf("%040x", id), Event: "push", Created: at}
		again := random.IntN(8) == 0
		for i, name := range []string{"build", "test (1)", "test (2)"} {
			id++
			j := &Job{ID: id, Name: name, Conclusion: "success", RunAttempt: 1, Created: at.Add(time.Duration(i) * time.Second)}
			j.Started = j.Created.Add(seconds(60))
			j.Finished = j.Started.Add(seconds(300))
			if again && i == 2 || random.IntN(12) == 0 {
				j.Conclusion = "failure"
			}
			u.Jobs = append(u.Jobs, j)
		}
		if again {
			u.rerun(&id, seconds)
		}
		u.settle()
		repo.Runs = append(repo.Runs, u)
		repo.deploy(&id, u, random.IntN(10))
	}
	return &World{Repositories: []*Repository{repo}}
}

// deploy makes a deployment of each attempt of a job of some runs, and now and
// then one that nobody's job makes and that goes on for a while.
func (r *Repository) deploy(id *int64, u *Run, chance int) {
	states := func(begin, end time.Time, last string) []DeploymentState {
		return []DeploymentState{{"in_progress", begin}, {last, end}}
	}
	switch {
	case chance < 3:
		for _, j := range u.Jobs {
			if j.Name == "test (2)" {
				*id++
				r.Deployments = append(r.Deployments, &Deployment{*id, "staging", u.SHA, u, j, states(j.Started, j.Finished, j.Conclusion)})
			}
		}
	case chance == 3:
		*id++
		r.Deployments = append(r.Deployments, &Deployment{*id, "production", u.SHA, nil, nil, states(u.Created, u.Created.Add(90*time.Second), "success")})
	}
	if n := len(r.Deployments); chance == 3 && n > 1 { // the one before is replaced
		d := r.Deployments[n-2]
		d.States = append(d.States, DeploymentState{"inactive", u.Created.Add(91 * time.Second)})
	}
}

// rerun runs the failed jobs again, and they pass.
func (u *Run) rerun(id *int64, seconds func(int) time.Duration) {
	u.settle()
	at := u.Updated.Add(seconds(600))
	for _, j := range slices.Clone(u.Jobs) {
		if j.Conclusion == "success" {
			continue
		}
		*id++
		started := at.Add(seconds(60))
		u.Jobs = append(u.Jobs, &Job{ID: *id, Name: j.Name, Conclusion: "success", RunAttempt: 2, Created: at, Started: started, Finished: started.Add(seconds(300))})
	}
}

// settle says when the run changed last.
func (u *Run) settle() {
	for _, j := range u.Jobs {
		if j.Finished.After(u.Updated) {
			u.Updated = j.Finished
		}
	}
}

// Find returns the run of that number.
func (r *Repository) Find(id int64) *Run {
	i := slices.IndexFunc(r.Runs, func(u *Run) bool { return u.ID == id })
	if i < 0 {
		return nil
	}
	return r.Runs[i]
}

type object = map[string]any

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

func (r *Repository) json() object {
	return object{"full_name": r.FullName, "default_branch": "main", "html_url": "https://github.example/" + r.FullName, "archived": false}
}

// json is the run as it is now; attempt is the one that its webhook speaks of.
func (u *Run) json(r *Repository, attempt int) object {
	started := u.Created
	updated, conclusion := u.Created, "success"
	for _, j := range u.Jobs {
		if j.RunAttempt == attempt && (started.Equal(u.Created) && attempt > 1 || j.Created.Before(started)) {
			started = j.Created
		}
		if j.RunAttempt <= attempt && j.Finished.After(updated) {
			updated = j.Finished
		}
		if j.RunAttempt == attempt && j.Conclusion != "success" {
			conclusion = j.Conclusion
		}
	}
	return object{
		"id": u.ID, "name": u.Workflow, "path": ".github/workflows/ci.yaml", "run_attempt": attempt, "event": u.Event, "status": "completed",
		"conclusion": conclusion, "head_branch": u.Branch, "head_sha": u.SHA, "pull_requests": []any{}, "created_at": stamp(u.Created),
		"run_started_at": stamp(started), "updated_at": stamp(updated), "html_url": "https://github.example/" + r.FullName + "/actions/runs/" + strconv.FormatInt(u.ID, 10),
		"repository": object{"full_name": r.FullName}, "head_repository": object{"full_name": r.FullName},
	}
}

func (j *Job) json(u *Run) object {
	return object{
		"id": j.ID, "run_id": u.ID, "run_attempt": j.RunAttempt, "name": j.Name, "workflow_name": u.Workflow, "head_branch": u.Branch, "head_sha": u.SHA,
		"status": "completed", "conclusion": j.Conclusion, "created_at": stamp(j.Created), "started_at": stamp(j.Started), "completed_at": stamp(j.Finished),
		"labels": []string{"linux"}, "runner_id": 7, "runner_name": "r-7",
		"steps": []object{{"name": "run", "status": "completed", "conclusion": j.Conclusion, "number": 1, "started_at": stamp(j.Started), "completed_at": stamp(j.Finished)}},
	}
}

func (d *Deployment) created() time.Time { return d.States[0].At }

func (d *Deployment) json() object {
	return object{
		"id": d.ID, "sha": d.SHA, "ref": "main", "task": "deploy", "environment": d.Environment, "original_environment": d.Environment,
		"created_at": stamp(d.created()), "updated_at": stamp(d.States[len(d.States)-1].At),
	}
}

// log is where GitHub says that the output of the job is.
func (d *Deployment) log(r *Repository) string {
	if d.Job == nil {
		return ""
	}
	return fmt.Sprintf("https://github.example/%s/actions/runs/%d/job/%d", r.FullName, d.Run.ID, d.Job.ID)
}

func (d *Deployment) status(r *Repository, i int) object {
	s := d.States[i]
	return object{"id": d.ID*10 + int64(i), "state": s.State, "environment": d.Environment, "created_at": stamp(s.At), "updated_at": stamp(s.At), "log_url": d.log(r), "target_url": d.log(r)}
}

// event is the body of the webhook that tells of a state.
func (d *Deployment) event(r *Repository, i int) object {
	e := object{"action": "created", "deployment": d.json(), "deployment_status": d.status(r, i), "repository": r.json(), "workflow_run": nil, "check_run": nil}
	if d.Job != nil {
		e["workflow_run"] = d.Run.json(r, d.Job.RunAttempt)
		check := object{"id": d.Job.ID, "name": d.Job.Name, "status": "in_progress", "conclusion": nil, "started_at": stamp(d.Job.Started), "completed_at": nil}
		if i > 0 {
			check["status"], check["conclusion"], check["completed_at"] = "completed", d.Job.Conclusion, stamp(d.Job.Finished)
		}
		e["check_run"] = check
	}
	return e
}

// A Delivery is a webhook as GitHub sends it.
type Delivery struct {
	ID, Event string
	Body      []byte
}

// Deliveries are the webhooks of all that happened: the end of each job and of
// each attempt of a run, and each state of a deployment.
func (w *World) Deliveries() (all []Delivery) {
	add := func(event string, body object) {
		text, err := json.Marshal(body)
		if err != nil {
			panic(err) // it is made of plain values
		}
		all = append(all, Delivery{ID: "d-" + strconv.Itoa(len(all)), Event: event, Body: text})
	}
	for _, r := range w.Repositories {
		for _, u := range r.Runs {
			for _, j := range u.Jobs {
				add("workflow_job", object{"action": "completed", "workflow_job": j.json(u), "repository": r.json()})
			}
			for attempt := 1; attempt <= u.Attempts(); attempt++ {
				add("workflow_run", object{"action": "completed", "workflow": object{"name": u.Workflow}, "workflow_run": u.json(r, attempt), "repository": r.json()})
			}
		}
		for _, d := range r.Deployments {
			for i := range d.States {
				add("deployment_status", d.event(r, i))
			}
		}
	}
	return all
}
