package gitlabtest

import (
	"cmp"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"
)

type object = map[string]any

// stamp is a time of the API: milliseconds, or null.
func stamp(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}

func (s *Server) projectJSON(p *Project) object {
	return object{"id": p.ID, "path_with_namespace": p.Path, "default_branch": p.DefaultBranch, "web_url": s.URL + "/" + p.Path, "archived": p.Archived, "visibility": "private"}
}

// listed is a pipeline as lists have it.
func (s *Server) listed(p *Pipeline) object {
	name := any(nil)
	if p.Name != "" {
		name = p.Name
	}
	return object{
		"id": p.ID, "iid": p.ID, "project_id": p.Project.ID, "sha": p.SHA, "ref": p.Ref, "status": p.Status, "source": p.Source, "name": name,
		"created_at": stamp(p.Created), "updated_at": stamp(p.Updated), "web_url": s.URL + "/" + p.Project.Path + "/-/pipelines/" + strconv.FormatInt(p.ID, 10),
	}
}

func (s *Server) pipelines(w http.ResponseWriter, r *http.Request, p *Project) {
	q := r.URL.Query()
	var all []*Pipeline
	for _, pl := range p.Pipelines {
		if matches(pl, q) {
			all = append(all, pl)
		}
	}
	order(all, q.Get("order_by"), q.Get("sort"))
	list := make([]any, len(all))
	for i, pl := range all {
		list[i] = s.listed(pl)
	}
	s.list(w, r, list)
}

// matches: children are in the list only where they are asked for.
func matches(p *Pipeline, q url.Values) bool {
	source := q.Get("source")
	if source == "" && p.Source == "parent_pipeline" || source != "" && source != p.Source {
		return false
	}
	after := func(name string, t time.Time) bool {
		limit, err := time.Parse(time.RFC3339, q.Get(name))
		return err != nil || t.After(limit)
	}
	before := func(name string, t time.Time) bool {
		limit, err := time.Parse(time.RFC3339, q.Get(name))
		return err != nil || t.Before(limit)
	}
	return (q.Get("status") == "" || q.Get("status") == p.Status) && after("updated_after", p.Updated) && before("updated_before", p.Updated) &&
		after("created_after", p.Created) && before("created_before", p.Created)
}

func order(all []*Pipeline, by, direction string) {
	slices.SortStableFunc(all, func(a, b *Pipeline) int {
		c := cmp.Compare(a.ID, b.ID)
		if by == "updated_at" {
			c = cmp.Or(a.Updated.Compare(b.Updated), c)
		}
		if direction != "asc" {
			c = -c
		}
		return c
	})
}

func (s *Server) pipeline(w http.ResponseWriter, r *http.Request, p *Project, parts []string) {
	pl := p.Pipeline(int64(atoi(parts[0], 0)))
	if pl == nil {
		fail(w, http.StatusNotFound, "404 Not found")
		return
	}
	if len(parts) == 1 {
		one := s.listed(pl)
		one["tag"], one["started_at"], one["finished_at"], one["before_sha"] = pl.Tag, stamp(pl.Started), stamp(pl.Finished), fmt.Sprintf("%040d", 0)
		one["duration"], one["queued_duration"], one["coverage"], one["user"] = int(pl.Finished.Sub(pl.Started).Seconds()), 1, "30.0", object{"username": "root", "email": "root@example.com"}
		write(w, one)
		return
	}
	q := r.URL.Query()
	var list []any
	for _, j := range slices.Backward(pl.Jobs) {
		scope := q["scope[]"]
		switch {
		case j.Bridge != (parts[1] == "bridges"):
		case j.Retried && q.Get("include_retried") != "true":
		case len(scope) > 0 && !slices.Contains(scope, j.Status):
		default:
			list = append(list, s.jobJSON(pl, j))
		}
	}
	s.list(w, r, list)
}

func (s *Server) jobJSON(p *Pipeline, j *Job) object {
	o := object{
		"id": j.ID, "name": j.Name, "stage": j.Stage, "status": j.Status, "ref": p.Ref, "tag": p.Tag, "created_at": stamp(j.Created), "started_at": stamp(j.Started),
		"finished_at": stamp(j.Finished), "erased_at": nil, "duration": nil, "queued_duration": nil, "coverage": nil, "allow_failure": j.AllowFailure,
		"web_url": fmt.Sprintf("%s/%s/-/jobs/%d", s.URL, p.Project.Path, j.ID), "tag_list": j.Tags, "artifacts": []any{}, "runner": nil, "archived": false, "source": "push",
		"pipeline": object{"id": p.ID, "project_id": p.Project.ID, "ref": p.Ref, "sha": p.SHA, "status": p.Status}, "user": object{"username": "root"},
	}
	if j.Status == "failed" {
		o["failure_reason"] = j.Reason
	}
	if !j.Started.IsZero() {
		o["duration"], o["queued_duration"] = j.Duration(), j.Queued
	}
	if j.Runner != "" {
		o["runner"] = object{"id": runnerID(j), "description": j.Runner, "ip_address": "10.0.0.1", "active": true, "is_shared": false, "runner_type": "group_type"}
	}
	if j.Bridge {
		o["downstream_pipeline"] = nil
		if j.Downstream != nil {
			o["downstream_pipeline"] = s.listed(j.Downstream)
		}
	}
	return o
}

func runnerID(j *Job) int { return atoi(j.Runner[len("runner-"):], 1) }

func (s *Server) deployments(w http.ResponseWriter, r *http.Request, p *Project) {
	var list []any
	for _, pl := range p.Pipelines {
		for _, j := range pl.Jobs {
			if j.Environment == "" || !matches(&Pipeline{Updated: j.Finished}, r.URL.Query()) {
				continue
			}
			deployable := s.jobJSON(pl, j)
			deployable["pipeline"] = s.listed(pl)
			list = append(list, object{
				"id": j.ID, "iid": j.ID, "ref": pl.Ref, "sha": pl.SHA, "status": j.Status, "created_at": stamp(j.Created), "updated_at": stamp(j.Finished),
				"environment": object{"id": 1, "name": j.Environment, "tier": "production"}, "deployable": deployable,
			})
		}
	}
	for _, d := range p.Deployments {
		if matches(&Pipeline{Updated: d.Finished}, r.URL.Query()) {
			list = append(list, object{
				"id": d.ID, "iid": d.ID, "ref": "main", "sha": d.SHA, "status": d.Status, "created_at": stamp(d.Finished), "updated_at": stamp(d.Finished),
				"environment": object{"id": 2, "name": d.Environment, "tier": "other"}, "deployable": nil,
			})
		}
	}
	s.list(w, r, list)
}

func (s *Server) trace(w http.ResponseWriter, p *Project, job string) {
	for _, pl := range p.Pipelines {
		for _, j := range pl.Jobs {
			if strconv.FormatInt(j.ID, 10) == job && !j.Bridge {
				w.Header().Set("Content-Type", "text/plain")
				_, _ = io.WriteString(w, j.Log) // the client has gone, then
				return
			}
		}
	}
	fail(w, http.StatusNotFound, "404 Not found")
}
