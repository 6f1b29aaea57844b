package store

import (
	"cmp"
	"slices"
	"strings"
)

// A kind is the type of a column, as both engines name it in a cast.
type kind string

const (
	bigint  kind = "bigint"
	text    kind = "text"
	boolean kind = "boolean"
	double  kind = "double precision"
	bytea   kind = "bytea"
)

// A table is what the committer writes of a table: its columns in the order
// of the rows that rows.go makes, of which the first keys are the key.
type table struct {
	name    string
	keys    int
	columns []columnDef
	stage   string // the name under which its rows are staged; empty: name
}

type columnDef struct {
	name string
	kind kind
	at   int // in a row
}

func newTable(name string, keys int, parts ...[]columnDef) *table {
	t := &table{name: name, keys: keys}
	for _, p := range parts {
		for _, c := range p {
			c.at = len(t.columns)
			t.columns = append(t.columns, c)
		}
	}
	return t
}

// only is the same table with the named columns alone, for rows that have
// nothing in the others: every column costs, also an empty one.
func (t *table) only(stage, names string) *table {
	o := &table{name: t.name, keys: t.keys, stage: stage}
	for n := range strings.FieldsSeq(names) {
		i := slices.IndexFunc(t.columns, func(c columnDef) bool { return c.name == n })
		o.columns = append(o.columns, t.columns[i])
	}
	return o
}

func (t *table) staged() string { return "staged_" + cmp.Or(t.stage, t.name) }

func (t *table) names() []string {
	names := make([]string, len(t.columns))
	for i, c := range t.columns {
		names[i] = c.name
	}
	return names
}

// upsert is the statement that writes rows; what is there is replaced, but for
// its row_id, and left alone where it is the same: a merge writes all rows of a
// pipeline, of which most have not changed.
func (t *table) upsert(source string) string {
	names := t.names()
	var set, have, want []string
	for _, n := range names[t.keys:] {
		if n == "row_id" {
			continue
		}
		set = append(set, n+" = excluded."+n)
		have = append(have, t.name+"."+n)
		want = append(want, "excluded."+n)
	}
	return t.insert(source) + " ON CONFLICT (" + strings.Join(names[:t.keys], ", ") + ") DO UPDATE SET " + strings.Join(set, ", ") +
		" WHERE (" + strings.Join(have, ", ") + ") IS DISTINCT FROM (" + strings.Join(want, ", ") + ")"
}

// insert is the statement that writes rows that are not there yet.
func (t *table) insert(source string) string {
	names := strings.Join(t.names(), ", ")
	return "INSERT INTO " + t.name + " (" + names + ") SELECT " + names + " FROM " + source + " WHERE true"
}

// The tables. "keys" holds nothing: it is only staged, to join with. The rows
// of a pipeline that only a legacy report told of have few columns.
var (
	keysTable     = newTable("keys", 2, columns(bigint, "project_id id"))
	projectsTable = newTable("projects", 1, columns(text, "name"))

	pipelinesTable = newTable("pipelines", 2,
		columns(bigint, "project_id id row_id"),
		columns(text, "provider external_id workflow url ref ref_kind default_branch commit_sha change_id trigger said_state said_result raw_status"),
		columns(bigint, "created_ms started_ms finished_ms updated_ms"),
		columns(text, "ranks"), columns(boolean, "created_known"), columns(text, "branch_in_force"), columns(boolean, "on_default_branch"),
		columns(text, "state result"), columns(boolean, "has_restarts"), columns(bigint, "attempts"), columns(text, "phases_hash"),
		columns(boolean, "has_legacy"), columns(text, "legacy_ref"), columns(boolean, "legacy_on_default"),
		columns(bigint, "legacy_project_number metrics_created_ms"),
		columns(double, "metrics_duration_s metrics_duration_e2e_s"), columns(boolean, "metrics_has_restarts"),
		columns(text, "parent_project"), columns(bigint, "parent_pipeline_id"), columns(text, "parent_job_id"),
		columns(bigint, "wall_ms active_ms execution_ms retry_ms queue_ms blocked_ms gap_ms late_attempts path_retry_ms path_blocked_ms path_gap_ms"),
	)
	reportedPipelines = pipelinesTable.only("reported_pipelines", `project_id id row_id ref created_ms created_known branch_in_force on_default_branch
		state has_restarts attempts phases_hash has_legacy legacy_ref legacy_on_default legacy_project_number
		metrics_created_ms metrics_duration_s metrics_duration_e2e_s metrics_has_restarts
		wall_ms active_ms execution_ms retry_ms queue_ms blocked_ms gap_ms late_attempts path_retry_ms path_blocked_ms path_gap_ms`)

	jobsTable = newTable("jobs", 3,
		columns(bigint, "project_id pipeline_id"), columns(text, "attempt_key"), columns(bigint, "row_id"), columns(text, "ci_id name stage kind"),
		columns(boolean, "allow_failure manual"), columns(bigint, "created_ms"), columns(text, "environment needs url"),
		columns(bigint, "started_ms"), columns(text, "runner_id runner_name runner_tags state result raw_status failure_reason"),
		columns(bigint, "finished_ms"), columns(text, "ranks"),
		columns(bigint, "attempt"), columns(boolean, "is_retried is_superseded"), columns(text, "same_key phase"),
		columns(bigint, "queue_ms run_ms pipeline_created_ms"), columns(text, "legacy_kind"), columns(bigint, "position"),
		columns(boolean, "in_build in_job in_failed"), columns(double, "metrics_s up_s e2e_s pull_s up_without_pull_s"),
		columns(boolean, "is_late"), columns(bigint, "path_run_ms path_queue_ms saves_ms"),
	)
	reportedJobs = jobsTable.only("reported_jobs", `project_id pipeline_id attempt_key row_id name allow_failure started_ms state result finished_ms
		attempt is_retried is_superseded same_key phase run_ms pipeline_created_ms legacy_kind position
		in_build in_job in_failed metrics_s up_s e2e_s pull_s up_without_pull_s is_late path_run_ms path_queue_ms saves_ms`)

	stepsTable = newTable("steps", 5,
		columns(bigint, "project_id pipeline_id"), columns(text, "attempt_key source"), columns(bigint, "position"),
		columns(text, "name"), columns(bigint, "started_ms duration_ms"),
	)
	phasesTable = newTable("phases", 3,
		columns(bigint, "project_id pipeline_id"), columns(text, "phase"),
		columns(bigint, "pipeline_created_ms first_start_ms last_finish_ms time_to_ms span_ms work_ms attempts"),
	)

	deliveriesTable = newTable("deliveries", 2,
		columns(text, "provider dedupe_key event"), columns(bigint, "received_ms"), columns(text, "state"),
		columns(bigint, "tries leased_until_ms"), columns(bytea, "body"),
	)

	tables = []*table{keysTable, projectsTable, deliveriesTable, pipelinesTable, reportedPipelines, jobsTable, reportedJobs, stepsTable, phasesTable, daysTable, packedTable, volumesTable}
)

func columns(k kind, names string) []columnDef {
	fields := strings.Fields(names)
	all := make([]columnDef, len(fields))
	for i, n := range fields {
		all[i] = columnDef{name: n, kind: k}
	}
	return all
}
