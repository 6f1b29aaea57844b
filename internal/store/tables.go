package store

import "strings"

// A kind is the type of a column, as both engines name it in a cast.
type kind string

const (
	bigint  kind = "bigint"
	text    kind = "text"
	boolean kind = "boolean"
	double  kind = "double precision"
)

// A table is what the committer writes of a table: its columns in the order
// of the rows that rows.go makes, of which the first keys are the key.
type table struct {
	name    string
	keys    int
	columns []columnDef
}

type columnDef struct {
	name string
	kind kind
}

func (t *table) names() []string {
	names := make([]string, len(t.columns))
	for i, c := range t.columns {
		names[i] = c.name
	}
	return names
}

// insert is the statement that writes rows in order of their key and returns
// nothing; what is there is replaced.
func (t *table) upsert(source string) string {
	names := t.names()
	set := make([]string, 0, len(names))
	for _, n := range names[t.keys:] {
		set = append(set, n+" = excluded."+n)
	}
	return t.insert(source) + " ON CONFLICT (" + strings.Join(names[:t.keys], ", ") + ") DO UPDATE SET " + strings.Join(set, ", ")
}

func (t *table) insert(source string) string {
	names := strings.Join(t.names(), ", ")
	return "INSERT INTO " + t.name + " (" + names + ") SELECT " + names + " FROM " + source + " WHERE true"
}

// The tables, in the order in which they are written. "keys" holds nothing: it
// is only staged, to join with.
var (
	keysTable = &table{"keys", 2, columns(bigint, "project_id id")}

	pipelinesTable = &table{"pipelines", 2, join(
		columns(bigint, "project_id id"),
		columns(text, "provider external_id workflow url ref ref_kind default_branch commit_sha change_id trigger said_state said_result raw_status"),
		columns(bigint, "created_ms started_ms finished_ms updated_ms"),
		columns(text, "ranks"), columns(boolean, "created_known"), columns(text, "branch_in_force"), columns(boolean, "on_default_branch"),
		columns(text, "state result"), columns(boolean, "has_restarts"), columns(bigint, "attempts"), columns(text, "phases_hash"),
		columns(boolean, "has_legacy"), columns(text, "legacy_ref"), columns(boolean, "legacy_on_default"),
		columns(bigint, "legacy_project_number metrics_created_ms"),
		columns(double, "metrics_duration_s metrics_duration_e2e_s"), columns(boolean, "metrics_has_restarts"),
	)}

	jobsTable = &table{"jobs", 3, join(
		columns(bigint, "project_id pipeline_id"), columns(text, "attempt_key ci_id name stage kind"),
		columns(boolean, "allow_failure manual"), columns(bigint, "created_ms"), columns(text, "environment needs url"),
		columns(bigint, "started_ms"), columns(text, "runner_id runner_name runner_tags state result raw_status failure_reason"),
		columns(bigint, "finished_ms"), columns(text, "ranks"),
		columns(bigint, "attempt"), columns(boolean, "is_retried is_superseded"), columns(text, "same_key phase"),
		columns(bigint, "queue_ms run_ms pipeline_created_ms"), columns(text, "legacy_kind"), columns(bigint, "position"),
		columns(boolean, "in_build in_job in_failed"), columns(double, "metrics_s up_s e2e_s pull_s up_without_pull_s"),
	)}

	stepsTable = &table{"steps", 5, join(
		columns(bigint, "project_id pipeline_id"), columns(text, "attempt_key source"), columns(bigint, "position"),
		columns(text, "name"), columns(bigint, "started_ms duration_ms"),
	)}

	phasesTable = &table{"phases", 3, join(
		columns(bigint, "project_id pipeline_id"), columns(text, "phase"),
		columns(bigint, "pipeline_created_ms first_start_ms last_finish_ms time_to_ms span_ms work_ms attempts"),
	)}

	projectsTable = &table{"projects", 1, columns(text, "name")}

	tables = []*table{keysTable, projectsTable, pipelinesTable, jobsTable, stepsTable, phasesTable}
)

func columns(k kind, names string) []columnDef {
	fields := strings.Fields(names)
	all := make([]columnDef, len(fields))
	for i, n := range fields {
		all[i] = columnDef{n, k}
	}
	return all
}

func join(parts ...[]columnDef) []columnDef {
	var all []columnDef
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}
