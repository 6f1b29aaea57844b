package gitea

import (
	"strings"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
)

// An actionEvent is sent by Forgejo when a run has ended: with success, with
// failure, or with success after a failure. How it ended is its status; the
// event's name says less.
type actionEvent struct {
	Run actionRun `json:"run"`
}

type actionRun struct {
	ID         int64  `json:"id"`
	WorkflowID string `json:"workflow_id"` // the name of the workflow's file
	PrettyRef  string `json:"prettyref"`   // a branch, a tag, or # and the number of a pull request
	CommitSHA  string `json:"commit_sha"`
	Event      string `json:"event"`
	Trigger    string `json:"trigger_event"` // as the workflow calls the event
	Status     string `json:"status"`
	// Times that are not known are the beginning of 1970. When a run is run
	// again, started and stopped are those of the last time.
	Stopped    time.Time `json:"stopped"`
	Created    time.Time `json:"created"`
	Updated    time.Time `json:"updated"`
	URL        string    `json:"html_url"`
	Repository struct {
		FullName      string `json:"full_name"`
		DefaultBranch string `json:"default_branch"`
	} `json:"repository"`
}

func (a *actionRun) report() ci.Report {
	m := meaningOf(a.Status)
	p := ci.Pipeline{
		ID: a.ID, Workflow: a.WorkflowID, URL: a.URL, DefaultBranch: a.Repository.DefaultBranch, Commit: a.CommitSHA, Trigger: a.Trigger,
		State: m.state, Result: m.result, RawStatus: a.Status, CreatedAt: known(a.Created), UpdatedAt: known(a.Updated),
	}
	if p.Trigger == "" {
		p.Trigger = a.Event
	}
	if number, isChange := strings.CutPrefix(a.PrettyRef, "#"); isChange {
		p.RefKind, p.ChangeID = "change", number
	} else {
		p.Ref = a.PrettyRef
	}
	if p.Ref != "" && p.Ref == p.DefaultBranch {
		p.RefKind = "branch"
	}
	if m.state == ci.Finished {
		p.FinishedAt = known(a.Stopped)
	}
	if !p.FinishedAt.IsZero() && p.FinishedAt.Before(p.CreatedAt) {
		p.FinishedAt = p.CreatedAt
	}
	return ci.Report{Project: a.Repository.FullName, Pipeline: p}
}

// known is the zero time for one that is not known.
func known(t time.Time) time.Time {
	if t.Unix() <= 0 {
		return time.Time{}
	}
	return t.UTC()
}
