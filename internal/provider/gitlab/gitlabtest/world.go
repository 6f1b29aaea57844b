// Package gitlabtest is a GitLab for tests, written from GitLab's documents: its
// API, its limits and faults, and its webhooks. It knows nothing of how we read
// them. What it holds is the truth to compare with.
package gitlabtest

import (
	"cmp"
	"slices"
	"time"
)

// A World is what one GitLab has. Change it before or between requests, never
// during one.
type World struct {
	Projects []*Project
	// HooksRefused: nobody may see a webhook, as where the token's owner is no
	// maintainer.
	HooksRefused bool
	nextID       int64
}

// A Project of GitLab; its group is all of its path but the last part.
type Project struct {
	ID            int64
	Path          string
	DefaultBranch string
	Archived      bool
	Pipelines     []*Pipeline // in order of their numbers
	Deployments   []*Deployment
	Hooks         []*Hook
}

// A Pipeline of GitLab. Zero times are null.
type Pipeline struct {
	ID                                  int64
	Ref, SHA, Source, Status, Name      string
	Tag                                 bool
	Created, Started, Finished, Updated time.Time
	Jobs                                []*Job // attempts and bridges, in order of their numbers
	Parent                              *Pipeline
	ParentJob                           int64
	Project                             *Project
}

// A Job is one attempt of a job, or of a bridge.
type Job struct {
	ID                         int64
	Name, Stage, Status        string
	Reason                     string // why it failed
	Created, Started, Finished time.Time
	Queued                     float64 // seconds
	AllowFailure, Retried      bool
	Runner, Environment        string
	Tags                       []string
	Log                        string
	Bridge                     bool
	Downstream                 *Pipeline
	Number                     int // of the attempt, from 1
}

// A Deployment is one that no job made.
type Deployment struct {
	ID                       int64
	Environment, Status, SHA string
	Finished                 time.Time
}

// Duration is how long it ran, in seconds.
func (j *Job) Duration() float64 {
	if j.Started.IsZero() || j.Finished.IsZero() {
		return 0
	}
	return j.Finished.Sub(j.Started).Seconds()
}

// AddProject adds a project without pipelines.
func (w *World) AddProject(path string) *Project {
	p := &Project{ID: w.id(), Path: path, DefaultBranch: "main"}
	w.Projects = append(w.Projects, p)
	return p
}

func (w *World) id() int64 {
	w.nextID++
	return w.nextID
}

// Pipeline finds a pipeline of the project; nil: there is none.
func (p *Project) Pipeline(id int64) *Pipeline {
	i, found := slices.BinarySearchFunc(p.Pipelines, id, func(a *Pipeline, id int64) int { return cmp.Compare(a.ID, id) })
	if !found {
		return nil
	}
	return p.Pipelines[i]
}

// Attempts are the pipeline's attempts of jobs, without bridges.
func (p *Pipeline) Attempts() []*Job {
	return slices.DeleteFunc(slices.Clone(p.Jobs), func(j *Job) bool { return j.Bridge })
}

// Bridges are those of its jobs that start other pipelines.
func (p *Pipeline) Bridges() []*Job {
	return slices.DeleteFunc(slices.Clone(p.Jobs), func(j *Job) bool { return !j.Bridge })
}
