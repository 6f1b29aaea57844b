package analytics

import (
	"context"
	"database/sql"
	"strconv"
	"strings"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// A Pipeline is one pipeline in short. Null is what nobody said, or what there
// is not yet; times without a pipeline's first pass have none.
type Pipeline struct {
	Project          string   `json:"project"`
	PipelineID       int64    `json:"pipeline_id"`
	Provider         *string  `json:"provider"`
	ExternalID       *string  `json:"external_id"`
	Workflow         *string  `json:"workflow"`
	URL              *string  `json:"url"`
	Ref              *string  `json:"ref"`
	RefKind          *string  `json:"ref_kind"`
	IsDefaultBranch  bool     `json:"is_default_branch"`
	Commit           *string  `json:"commit"`
	ChangeID         *string  `json:"change_id"`
	Trigger          *string  `json:"trigger"`
	State            string   `json:"state"`
	Result           *string  `json:"result"`
	RawStatus        *string  `json:"raw_status"`
	Outcome          string   `json:"outcome"` // Passed and so on
	CreatedAt        *Time    `json:"created_at"`
	CreatedAtIsKnown bool     `json:"created_at_is_known"` // false: it is the earliest instant known
	StartedAt        *Time    `json:"started_at"`
	FinishedAt       *Time    `json:"finished_at"`
	WallS            *float64 `json:"wall_s"`
	ActiveS          *float64 `json:"active_s"`
	ExecutionS       *float64 `json:"execution_s"`
	RetryS           *float64 `json:"retry_s"`
	QueueS           *float64 `json:"queue_s"`
	BlockedS         *float64 `json:"blocked_s"`
	GapS             *float64 `json:"gap_s"`
	TimeToE2eS       *float64 `json:"time_to_e2e_s"`
	HasRestarts      bool     `json:"has_restarts"`
	Attempts         int64    `json:"attempts"`
	LateAttempts     int64    `json:"late_attempts"`
	FailedJobs       []string `json:"failed_jobs"` // whose last attempt failed and was not allowed to
	ReportedS        *float64 `json:"reported_duration_s"`
	ReportedE2eS     *float64 `json:"reported_duration_e2e_s"`
	ParentProject    *string  `json:"parent_project"`
	ParentPipelineID *int64   `json:"parent_pipeline_id"`

	projectID                          int64
	place                              int64    // in the order that was asked for
	pathRetryS, pathBlockedS, pathGapS *float64 // what of the critical path is at no attempt
}

// A PipelinesAnswer is a page of a list.
type PipelinesAnswer struct {
	Items []Pipeline `json:"items"`
	Next  *string    `json:"next"` // the cursor of the page after this one; null: there is none
}

// pipelineOrders are the columns by which pipelines can be put in order, with
// what stands for null in them.
func pipelineOrders() map[string]string {
	return map[string]string{
		"created": "p.created_ms", "attempts": "p.attempts",
		"active": "COALESCE(p.active_ms, -1)", "wall": "COALESCE(p.wall_ms, -1)", "queue": "COALESCE(p.queue_ms, -1)", "time_to_e2e": "COALESCE(f.time_to_ms, -1)",
	}
}

// Pipelines lists pipelines in any state, the newest first if no order is
// asked for; a filter with results asks for finished ones alone. Those whose
// creation nobody told are listed, too, and say so; not so where pipelines are
// chosen by how long something took, for no metric counts these.
func (a *Analytics) Pipelines(ctx context.Context, f Filter, page Page) (*PipelinesAnswer, error) {
	var args arguments
	order, err := parseOrder(page, "-created", pipelineOrders())
	if err == nil {
		err = page.Took.check()
	}
	if err != nil {
		return nil, err
	}
	answer := &PipelinesAnswer{Items: []Pipeline{}}
	err = a.ask(ctx, &f, func(ctx context.Context, read *store.Reading, s *scope) error {
		where := s.listed(&args, s.Window)
		switch {
		case page.Took.Metric != "":
			where += s.took(&args, &page.Took)
		case len(s.Results) > 0:
			where += " AND " + s.result(&args, "p", ResultAll)
		}
		where += searchPipelines(&args, page.Search) + order.after(&args, "p.project_id", "p.id")
		answer.Items, err = readPipelines(ctx, read, where, order, &args, page.limit()+1)
		return err
	})
	if err != nil {
		return nil, err
	}
	if len(answer.Items) > page.limit() {
		answer.Items = answer.Items[:page.limit()]
		last := &answer.Items[page.limit()-1]
		answer.Next = new(cursorAt(last.place, last.projectID, last.PipelineID))
	}
	return answer, nil
}

// searchPipelines finds a number, the beginning of a commit, or a part of the
// ref.
func searchPipelines(args *arguments, search string) string {
	if search == "" {
		return ""
	}
	text := args.add(search)
	ways := "p.ref IS NOT NULL AND REPLACE(p.ref, " + text + ", '') <> p.ref OR SUBSTR(p.commit_sha, 1, " + strconv.Itoa(len([]rune(search))) + ") = " + text
	if id, err := strconv.ParseInt(strings.TrimPrefix(search, "#"), 10, 64); err == nil {
		ways += " OR p.id = " + args.add(id)
	}
	return " AND (" + ways + ")"
}

// pipelineSQL is what readPipelines scans, of the aliases p and f.
const pipelineSQL = `p.project_id, p.id, p.provider, p.external_id, p.workflow, p.url, p.ref, p.ref_kind, p.on_default_branch, p.commit_sha, p.change_id, p.trigger,
	p.state, p.result, p.raw_status, ` + outcomeSQL + ` AS outcome, p.created_ms, p.created_known, p.started_ms, CASE WHEN p.state = 'finished' THEN p.finished_ms END AS finished_ms,
	p.wall_ms, p.active_ms, p.execution_ms, p.retry_ms, p.queue_ms, p.blocked_ms, p.gap_ms, f.time_to_ms, p.has_restarts, p.attempts, p.late_attempts,
	CASE WHEN p.has_legacy THEN p.metrics_duration_s END AS reported_s, CASE WHEN p.has_legacy THEN p.metrics_duration_e2e_s END AS reported_e2e_s,
	p.parent_project, p.parent_pipeline_id, p.path_retry_ms, p.path_blocked_ms, p.path_gap_ms`

// readPipelines reads pipelines in short. The rows are chosen first, so that
// failed jobs are looked for in these alone.
func readPipelines(ctx context.Context, read *store.Reading, where string, o order, args *arguments, limit int) ([]Pipeline, error) {
	text := "SELECT q.*, pr.name, (SELECT string_agg(x.name, " + args.add(nameSeparator) + ") FROM (SELECT j.name FROM jobs j" +
		" WHERE j.project_id = q.project_id AND j.pipeline_id = q.id AND NOT j.is_superseded AND NOT j.is_retried AND NOT COALESCE(j.allow_failure, false) AND " + failedSQL +
		" ORDER BY j.name LIMIT " + args.add(maxNames) + ") x) FROM (SELECT " + pipelineSQL + ", " + o.column + " AS place" +
		" FROM pipelines p LEFT JOIN phases f ON f.project_id = p.project_id AND f.pipeline_id = p.id AND f.phase = 'e2e'" +
		" WHERE " + where + o.by(o.column, "p.project_id", "p.id") + " LIMIT " + args.add(limit) +
		") q LEFT JOIN projects pr ON pr.id = q.project_id" + o.by("q.place", "q.project_id", "q.id")
	all := []Pipeline{}
	err := read.Rows(ctx, text, *args, func(scan store.Scan) error {
		var p Pipeline
		var onDefault sql.NullBool
		var failed string
		err := scan(&p.projectID, &p.PipelineID, &p.Provider, &p.ExternalID, &p.Workflow, &p.URL, &p.Ref, &p.RefKind, &onDefault, &p.Commit, &p.ChangeID, &p.Trigger,
			&p.State, &p.Result, &p.RawStatus, &p.Outcome, instantIn{&p.CreatedAt}, &p.CreatedAtIsKnown, instantIn{&p.StartedAt}, instantIn{&p.FinishedAt},
			secondsIn{&p.WallS}, secondsIn{&p.ActiveS}, secondsIn{&p.ExecutionS}, secondsIn{&p.RetryS}, secondsIn{&p.QueueS}, secondsIn{&p.BlockedS}, secondsIn{&p.GapS}, secondsIn{&p.TimeToE2eS},
			&p.HasRestarts, &p.Attempts, &p.LateAttempts, &p.ReportedS, &p.ReportedE2eS, &p.ParentProject, &p.ParentPipelineID,
			secondsIn{&p.pathRetryS}, secondsIn{&p.pathBlockedS}, secondsIn{&p.pathGapS}, &p.place, words{&p.Project}, words{&failed})
		p.IsDefaultBranch = onDefault.Bool
		p.FailedJobs = []string{}
		if failed != "" {
			p.FailedJobs = strings.Split(failed, nameSeparator)
		}
		all = append(all, p)
		return err
	})
	return all, err
}

const (
	maxNames      = 20     // failed jobs of a pipeline that are named
	nameSeparator = "\x1f" // between names that the database joins
)

// After is the cursor of the page after this one; nil: there is none.
func (answer *PipelinesAnswer) After() *string { return answer.Next }

// Table has a row for each pipeline.
func (answer *PipelinesAnswer) Table() Table {
	t := Table{Columns: []string{
		"project", "pipeline_id", "url", "workflow", "ref", "ref_kind", "is_default_branch", "commit", "change_id", "trigger", "state", "result", "outcome",
		"created_at", "started_at", "finished_at", "wall_s", "active_s", "execution_s", "retry_s", "queue_s", "blocked_s", "gap_s", "time_to_e2e_s",
		"has_restarts", "attempts", "late_attempts", "failed_jobs",
	}}
	for i := range answer.Items {
		p := &answer.Items[i]
		t.Rows = append(t.Rows, []any{
			p.Project, p.PipelineID, p.URL, p.Workflow, p.Ref, p.RefKind, p.IsDefaultBranch, p.Commit, p.ChangeID, p.Trigger, p.State, p.Result, p.Outcome,
			p.CreatedAt, p.StartedAt, p.FinishedAt, p.WallS, p.ActiveS, p.ExecutionS, p.RetryS, p.QueueS, p.BlockedS, p.GapS, p.TimeToE2eS,
			p.HasRestarts, p.Attempts, p.LateAttempts, strings.Join(p.FailedJobs, " "),
		})
	}
	return t
}
