// Package cdevents reads CDEvents, in the CloudEvents over HTTP that carry
// them. It touches neither network nor database.
package cdevents

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/provider/redact"
)

// MaxEvents is how many events one batch may hold.
const MaxEvents = 1000

// The media types of CloudEvents.
const (
	Structured = "application/cloudevents+json"
	Batch      = "application/cloudevents-batch+json"
)

// An Event is one event as it is stored.
type Event struct {
	Key  string // of its source and its id: the same when it is sent again
	Type string
	Body []byte // the CDEvent alone, without what may not be stored
}

// Split reads the body of a request: one event in one of the two forms, or a
// batch of them. The error is for the sender.
func Split(media string, header http.Header, body []byte) ([]Event, error) {
	switch media {
	case Batch:
		var all []envelope
		if err := json.Unmarshal(body, &all); err != nil {
			return nil, errors.New("the batch is not an array of CloudEvents in JSON")
		}
		if len(all) > MaxEvents {
			return nil, fmt.Errorf("a batch may hold %d events, not %d", MaxEvents, len(all))
		}
		events := make([]Event, len(all))
		for i := range all {
			var err error
			if events[i], err = all[i].event(); err != nil {
				return nil, fmt.Errorf("event %d: %w", i, err)
			}
		}
		return events, nil
	case Structured:
		var one envelope
		if err := json.Unmarshal(body, &one); err != nil {
			return nil, errors.New("it is no CloudEvent in JSON")
		}
		return single(one.event())
	}
	e := envelope{Data: body, ID: decoded(header, "Ce-Id"), Source: decoded(header, "Ce-Source"), Type: decoded(header, "Ce-Type")}
	return single(e.event())
}

func single(e Event, err error) ([]Event, error) { return []Event{e}, err }

// decoded is the value of a header, in which other characters than ASCII's are
// percent-encoded.
func decoded(header http.Header, name string) string {
	value := header.Get(name)
	if s, err := url.PathUnescape(value); err == nil {
		return s
	}
	return value
}

// An envelope is a CloudEvent in structured form.
type envelope struct {
	ID     string          `json:"id"`
	Source string          `json:"source"`
	Type   string          `json:"type"`
	Data   json.RawMessage `json:"data"`
	Base64 []byte          `json:"data_base64"`
}

// event is the event in the envelope. What the envelope leaves out stands in
// the CDEvent's own context.
func (e *envelope) event() (Event, error) {
	body := []byte(e.Data)
	if len(e.Base64) > 0 {
		body = e.Base64
	}
	var in message
	if err := json.Unmarshal(body, &in); err != nil {
		return Event{}, errors.New("its data is no CDEvent in JSON")
	}
	id, source, kind := first(in.Context.ID, e.ID), first(in.Context.Source, e.Source), first(in.Context.Type, e.Type)
	if id == "" || source == "" || kind == "" {
		return Event{}, errors.New("it needs an id, a source and a type")
	}
	kept, err := stored.JSON(body)
	if err != nil {
		return Event{}, errors.New("its data is not JSON")
	}
	return Event{Key: source + " " + id, Type: kind, Body: kept}, nil
}

// stored is what is stored of an event: all that is read stays as it is.
var stored = redact.Rules{Kept: redact.Keys("id", "source", "type", "timestamp", "pipelinename", "taskname", "uri", "url", "outcome", "project", "commit")}

func first(words ...string) string {
	for _, w := range words {
		if w != "" {
			return w
		}
	}
	return ""
}

// A message is as much of a CDEvent as is read. Versions before 0.5 say url
// where later ones say uri.
type message struct {
	Context struct {
		ID        string `json:"id"`
		Source    string `json:"source"`
		Type      string `json:"type"`
		Timestamp string `json:"timestamp"`
	} `json:"context"`
	Subject struct {
		reference
		Content struct {
			PipelineName string    `json:"pipelineName"`
			TaskName     string    `json:"taskName"`
			PipelineRun  reference `json:"pipelineRun"`
			URI          string    `json:"uri"`
			URL          string    `json:"url"`
			Outcome      string    `json:"outcome"`
			Errors       string    `json:"errors"`
			Environment  reference `json:"environment"`
		} `json:"content"`
	} `json:"subject"`
	CustomData json.RawMessage `json:"customData"`
}

type reference struct {
	ID     string `json:"id"`
	Source string `json:"source"`
}

// Parse reads a stored event. One that tells of no pipeline gives no report and
// no error.
func Parse(kind string, body []byte) ([]ci.Report, error) {
	words := strings.Split(strings.TrimPrefix(kind, "dev.cdevents."), ".")
	if !strings.HasPrefix(kind, "dev.cdevents.") || len(words) < 2 || !told(words[0], words[1]) {
		return nil, nil
	}
	var m message
	if err := json.Unmarshal(body, &m); err != nil {
		return nil, fmt.Errorf("read the event: %w", err)
	}
	at, err := time.Parse(time.RFC3339, m.Context.Timestamp)
	if err != nil {
		return nil, errors.New("context.timestamp is no time as in RFC 3339")
	}
	r := ci.Report{Provider: "cdevents", Source: ci.Webhook, Pipeline: ci.Pipeline{UpdatedAt: at.UTC()}}
	switch words[0] {
	case "pipelinerun":
		m.pipelineRun(&r, words[1], at.UTC())
	case "service":
		if m.Subject.ID == "" || m.Subject.Content.Environment.ID == "" {
			return nil, errors.New("the service has no id or no environment")
		}
		r = m.deployment(words[1], at.UTC())
	default:
		if !m.taskRun(&r, words[1], at.UTC()) {
			return nil, nil
		}
	}
	r.Normalize()
	if err := r.Validate(); err != nil {
		return nil, err
	}
	return []ci.Report{r}, nil
}

// told says whether events of that subject and predicate are read.
func told(subject, predicate string) bool {
	switch subject {
	case "pipelinerun", "taskrun":
		return true
	case "service":
		return predicate == "deployed" || predicate == "upgraded" || predicate == ci.RolledBack
	}
	return false
}

// deployment is what a service's event tells, which comes when it is done. Each
// event is a deployment of its own: the service has one name for all of them.
func (m *message) deployment(predicate string, at time.Time) ci.Report {
	custom := m.custom()
	d := ci.Deployment{
		Provider: "cdevents", Project: m.project(m.Subject.Source), ID: m.Context.Source + " " + m.Context.ID, Name: m.Subject.ID,
		Environment: m.Subject.Content.Environment.ID, Commit: custom.Commit, State: ci.Finished, Result: ci.Success, RawStatus: predicate, At: at, Source: ci.Webhook,
	}
	return d.Report()
}

func (m *message) pipelineRun(r *ci.Report, predicate string, at time.Time) {
	m.identify(r, m.Subject.reference)
	p, c := &r.Pipeline, &m.Subject.Content
	p.Workflow, p.URL, p.RawStatus = c.PipelineName, first(c.URI, c.URL), predicate
	switch predicate {
	case "queued":
		p.State, p.CreatedAt = ci.Queued, at
	case "started":
		p.State, p.StartedAt = ci.Running, at
	case "finished":
		p.State, p.FinishedAt = ci.Finished, at
		p.Result, p.RawStatus = result(c.Outcome), first(c.Outcome, predicate)
	default:
		p.State = ci.Unknown
	}
}

// taskRun tells whether the run belongs to a pipeline.
func (m *message) taskRun(r *ci.Report, predicate string, at time.Time) bool {
	c := &m.Subject.Content
	if c.PipelineRun.ID == "" || m.Subject.ID == "" {
		return false
	}
	m.identify(r, c.PipelineRun)
	a := ci.Attempt{ID: m.Subject.ID, Name: first(c.TaskName, m.Subject.ID), URL: first(c.URI, c.URL), RawStatus: predicate}
	switch predicate {
	case "started":
		a.State, a.StartedAt = ci.Running, at
	case "finished":
		a.State, a.FinishedAt = ci.Finished, at
		a.Result, a.RawStatus = result(c.Outcome), first(c.Outcome, predicate)
		if a.Result != ci.Success && len(c.Errors) <= ci.MaxText {
			a.FailureReason = c.Errors
		}
	default:
		a.State = ci.Unknown
	}
	r.Jobs = []ci.Attempt{a}
	return true
}

// identify says which pipeline it is.
func (m *message) identify(r *ci.Report, run reference) {
	r.Project = m.project(run.Source)
	if n, err := strconv.ParseInt(run.ID, 10, 64); err == nil && n > 0 {
		r.Pipeline.ID = n
		return
	}
	r.Pipeline.ExternalID = run.ID
}

// project is the sender's own word for it, for CDEvents know no repository,
// else the source of the thing or of the event stands for it.
func (m *message) project(source string) string {
	return first(m.custom().Project, projectOf(first(source, m.Subject.Source, m.Context.Source)))
}

// customData is what we understand of what senders add as they like.
type customData struct {
	Project string `json:"project"`
	Commit  string `json:"commit"`
}

func (m *message) custom() (c customData) {
	if json.Unmarshal(m.CustomData, &c) != nil {
		return customData{} // it may be anything
	}
	return c
}

// projectOf is the path of a source, or its host where it has none.
func projectOf(source string) string {
	u, err := url.Parse(source)
	if err != nil {
		return source
	}
	return first(strings.Trim(u.Path, "/"), u.Host, u.Opaque, source)
}

func result(outcome string) ci.Result {
	switch strings.ToLower(outcome) {
	case "success":
		return ci.Success
	case "failure":
		return ci.Failure
	case "cancel":
		return ci.Cancellation
	case "error":
		return ci.Error
	}
	return "" // not said
}
