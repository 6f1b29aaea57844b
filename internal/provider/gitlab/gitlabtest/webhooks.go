package gitlabtest

import (
	"fmt"
	"slices"
	"time"
)

// A Delivery is one call of a webhook, as GitLab makes it.
type Delivery struct {
	At       time.Time
	Event    string // X-Gitlab-Event
	Key      string // Idempotency-Key
	Pipeline *Pipeline
	Body     []byte
}

// Deliveries are all webhooks that the pipelines caused, in order of time: an
// event of the job when an attempt is created, starts and ends, of its
// deployment when it starts and ends, and one of the pipeline at its creation
// and each time that nothing of it runs; and those of other deployments.
func (s *Server) Deliveries() []Delivery {
	var all []Delivery
	for _, p := range s.World.Projects {
		for _, pl := range p.Pipelines {
			all = append(all, s.deliveriesOf(pl)...)
		}
	}
	for _, p := range s.World.Projects {
		for _, d := range p.Deployments {
			all = append(all, Delivery{At: d.Finished, Event: "Deployment Hook", Body: encode(s.deploymentHook(p, d.ID, nil, d.Environment, d.Status, d.SHA, d.Finished))})
		}
	}
	slices.SortStableFunc(all, func(a, b Delivery) int { return a.At.Compare(b.At) })
	for i := range all {
		all[i].Key = fmt.Sprintf("00000000-0000-4000-8000-%012d", i)
	}
	return all
}

func (s *Server) deliveriesOf(p *Pipeline) (all []Delivery) {
	add := func(at time.Time, event string, body object) {
		all = append(all, Delivery{At: at, Event: event, Pipeline: p, Body: encode(body)})
	}
	add(p.Created, "Pipeline Hook", s.pipelineHook(p, p.Created))
	for _, j := range p.Attempts() {
		for _, at := range []time.Time{j.Created, j.Started, j.Finished} {
			if !at.IsZero() {
				add(at, "Job Hook", s.jobHook(p, j, at))
				if j.Environment != "" && at != j.Created {
					add(at, "Deployment Hook", s.deploymentHook(p.Project, j.ID, j.ID, j.Environment, j.statusAt(at), p.SHA, at))
				}
			}
		}
	}
	if !p.Finished.IsZero() {
		add(p.Finished, "Pipeline Hook", s.pipelineHook(p, p.Finished))
	}
	return all
}

// text is a time of a webhook: whole seconds, and null for what is to come.
func text(t, now time.Time) any {
	if t.IsZero() || t.After(now) {
		return nil
	}
	return t.UTC().Format("2006-01-02 15:04:05 UTC")
}

func (j *Job) statusAt(now time.Time) string {
	switch {
	case j.Status == "manual":
		return "manual"
	case !j.Finished.IsZero() && !j.Finished.After(now):
		return j.Status
	case !j.Started.IsZero() && !j.Started.After(now):
		return "running"
	}
	return "pending"
}

func (j *Job) secondsAt(now time.Time) (run, queued any) {
	if j.Started.IsZero() || j.Started.After(now) {
		return nil, nil
	}
	end := now
	if !j.Finished.IsZero() && j.Finished.Before(now) {
		end = j.Finished
	}
	return end.Sub(j.Started).Seconds(), j.Queued
}

func (s *Server) hookProject(p *Project) object {
	return object{"id": p.ID, "path_with_namespace": p.Path, "default_branch": p.DefaultBranch, "web_url": s.URL + "/" + p.Path}
}

func (s *Server) source(p *Pipeline) any {
	if p.Parent == nil {
		return nil
	}
	return object{"project": s.hookProject(p.Parent.Project), "job_id": p.ParentJob, "pipeline_id": p.Parent.ID}
}

func (j *Job) runnerAt(now time.Time) any {
	if j.Runner == "" || j.Started.After(now) {
		return nil
	}
	return object{"id": runnerID(j), "description": j.Runner, "active": true, "runner_type": "group_type", "is_shared": false, "tags": j.Tags}
}

func (s *Server) jobHook(p *Pipeline, j *Job, now time.Time) object {
	run, queued := j.secondsAt(now)
	reason := "unknown_failure"
	if j.Reason != "" && !j.Finished.After(now) {
		reason = j.Reason
	}
	o := object{
		"object_kind": "build", "ref": p.Ref, "tag": p.Tag, "sha": p.SHA, "before_sha": "0", "retries_count": j.Number - 1, "build_id": j.ID, "build_name": j.Name,
		"build_stage": j.Stage, "build_status": j.statusAt(now), "build_created_at": text(j.Created, now), "build_started_at": text(j.Started, now),
		"build_finished_at": text(j.Finished, now), "build_duration": run, "build_queued_duration": queued, "build_allow_failure": j.AllowFailure, "build_failure_reason": reason,
		"pipeline_id": p.ID, "project_id": p.Project.ID, "user": object{"email": "root@example.com"}, "commit": object{"id": p.ID, "name": nil, "sha": p.SHA, "status": p.Status},
		"project": s.hookProject(p.Project), "runner": j.runnerAt(now), "environment": nil, "source_pipeline": s.source(p),
	}
	if p.Name != "" {
		o["commit"].(object)["name"] = p.Name
	}
	if j.Environment != "" {
		o["environment"] = object{"name": j.Environment, "action": "start", "deployment_tier": "production"}
	}
	return o
}

func (s *Server) deploymentHook(p *Project, id int64, job any, environment, status, sha string, at time.Time) object {
	return object{
		"object_kind": "deployment", "status": status, "status_changed_at": at.UTC().Format("2006-01-02 15:04:05 -0700"), "deployment_id": id, "deployable_id": job, "deployable_url": nil,
		"environment": environment, "environment_tier": "other", "project": s.hookProject(p), "short_sha": sha[:8], "commit_url": s.URL + "/" + p.Path + "/-/commit/" + sha, "ref": "main",
		"user": object{"email": "root@example.com"},
	}
}

func (s *Server) pipelineHook(p *Pipeline, now time.Time) object {
	status, finished := "created", any(nil)
	if !p.Finished.IsZero() && !p.Finished.After(now) {
		status, finished = p.Status, text(p.Finished, now)
	}
	builds := []object{}
	for _, j := range slices.Backward(p.Attempts()) {
		if j.Retried && !j.Finished.After(now) || j.Created.After(now) {
			continue
		}
		run, queued := j.secondsAt(now)
		b := object{
			"id": j.ID, "stage": j.Stage, "name": j.Name, "status": j.statusAt(now), "created_at": text(j.Created, now), "started_at": text(j.Started, now), "finished_at": text(j.Finished, now),
			"duration": run, "queued_duration": queued, "failure_reason": nil, "when": "on_success", "manual": j.Status == "manual", "allow_failure": j.AllowFailure,
			"runner": j.runnerAt(now), "artifacts_file": object{"filename": nil, "size": nil}, "environment": nil, "user": object{"email": "root@example.com"},
		}
		if j.Status == "failed" && !j.Finished.After(now) {
			b["failure_reason"] = j.Reason
		}
		if j.Environment != "" {
			b["environment"] = object{"name": j.Environment, "action": "start", "deployment_tier": "production"}
		}
		builds = append(builds, b)
	}
	attributes := object{
		"id": p.ID, "iid": p.ID, "name": nil, "ref": p.Ref, "tag": p.Tag, "sha": p.SHA, "before_sha": "0", "source": p.Source, "status": status, "detailed_status": status,
		"stages": []string{"build", "test", "deploy"}, "created_at": text(p.Created, now), "finished_at": finished, "duration": nil, "variables": []object{{"key": "K", "value": "V"}},
		"url": s.listed(p)["web_url"],
	}
	if p.Name != "" {
		attributes["name"] = p.Name
	}
	return object{
		"object_kind": "pipeline", "object_attributes": attributes, "merge_request": nil, "user": object{"email": "root@example.com"}, "project": s.hookProject(p.Project),
		"commit": object{"id": p.SHA}, "source_pipeline": s.source(p), "builds": builds,
	}
}
