package grafana

// scope is the choice of pipelines that every panel of the overview shares;
// p is ci_pipelines. ANY of an array, unlike IN, also holds while there is no
// project yet.
const scope = `$__timeFilter(p.created_at)
  AND p.project = ANY (ARRAY[${project:sqlstring}]::text[])
  AND (${branch:sqlstring} = 'all' OR p.is_default_branch)
  AND (${restarts:sqlstring} = 'in' OR p.has_restarts = (${restarts:sqlstring} = 'only'))`

// Durations are of pipelines that went well, or of which nobody said how they
// ended: a broken one is often a short one.
const (
	wentWell = `coalesce(p.result, '') IN ('', 'success')`
	failed   = `p.result IN ('failure', 'error', 'timeout')`
)

// phase joins the pipelines in scope to one phase of theirs, ph.
func phase(name string) string {
	return `FROM ci_pipelines p
JOIN ci_phases ph ON ph.project_id = p.project_id AND ph.pipeline_id = p.pipeline_id AND ph.phase = '` + name + `'
WHERE ` + scope + `
  AND ` + wentWell
}

// p50p80p95 are the seed's percentiles of an expression in seconds.
func p50p80p95(of string) string {
	return `percentile_cont(0.5) WITHIN GROUP (ORDER BY ` + of + `) AS p50,
  percentile_cont(0.8) WITHIN GROUP (ORDER BY ` + of + `) AS p80,
  percentile_cont(0.95) WITHIN GROUP (ORDER BY ` + of + `) AS p95`
}

// inTotal is one row of percentiles; overTime is a row for each bucket.
func inTotal(of, from string) string { return "SELECT " + p50p80p95(of) + "\n" + from }

func overTime(columns, from string) string {
	return "SELECT $__timeGroupAlias(p.created_at, $__interval),\n  " + columns + "\n" + from + "\nGROUP BY 1\nORDER BY 1"
}

const pipelinesInScope = "FROM ci_pipelines p\nWHERE " + scope

const countPipelines = "SELECT count(*) AS pipelines\n" + pipelinesInScope

// Cancelled and skipped pipelines are in neither number.
const successRate = `SELECT count(*) FILTER (WHERE p.result = 'success')::float8
  / nullif(count(*) FILTER (WHERE p.result = 'success' OR ` + failed + `), 0) AS success_rate
` + pipelinesInScope

const restartRate = `SELECT count(*) FILTER (WHERE p.has_restarts)::float8 / nullif(count(*), 0) AS restarted
` + pipelinesInScope

const outcomes = `count(*) FILTER (WHERE p.result = 'success' AND NOT p.has_restarts) AS passed,
  count(*) FILTER (WHERE ` + wentWell + ` AND p.has_restarts) AS restarted,
  count(*) FILTER (WHERE ` + failed + `) AS failed,
  count(*) FILTER (WHERE p.result IN ('cancellation', 'skip')) AS cancelled,
  count(*) FILTER (WHERE coalesce(p.result, '') = '' AND NOT p.has_restarts) AS not_said`

const restartsOverTime = `count(*) FILTER (WHERE p.has_restarts) AS with_restarts,
  count(*) FILTER (WHERE NOT p.has_restarts) AS without_restarts`

// attempts joins the pipelines in scope to their job attempts, j.
const attempts = `FROM ci_pipelines p
JOIN ci_jobs j ON j.project_id = p.project_id AND j.pipeline_id = p.pipeline_id
WHERE ` + scope

const jobFailed = `j.result IN ('failure', 'error', 'timeout')`

const slowestJobs = `SELECT p.project, j.job, count(*) AS attempts,
  percentile_cont(0.5) WITHIN GROUP (ORDER BY j.duration) AS p50,
  percentile_cont(0.8) WITHIN GROUP (ORDER BY j.duration) AS p80,
  percentile_cont(0.95) WITHIN GROUP (ORDER BY j.duration) AS p95,
  percentile_cont(0.95) WITHIN GROUP (ORDER BY j.queue_time) AS queue_p95
` + attempts + `
  AND coalesce(j.result, '') IN ('', 'success')
GROUP BY p.project_id, p.project, j.job
ORDER BY p50 DESC NULLS LAST
LIMIT 50`

const failingJobs = `SELECT p.project, j.job, count(*) AS attempts,
  count(*) FILTER (WHERE ` + jobFailed + `) AS failed,
  count(*) FILTER (WHERE ` + jobFailed + `)::float8 / count(*) AS failure_rate,
  count(*) FILTER (WHERE j.is_retried) AS retried,
  max(j.finished_at) FILTER (WHERE ` + jobFailed + `) AS last_failure
` + attempts + `
GROUP BY p.project_id, p.project, j.job
HAVING count(*) FILTER (WHERE ` + jobFailed + `) > 0
ORDER BY failed DESC
LIMIT 50`

const byProject = `SELECT p.project, count(*) AS pipelines,
  count(*) FILTER (WHERE p.result = 'success')::float8
    / nullif(count(*) FILTER (WHERE p.result = 'success' OR ` + failed + `), 0) AS success_rate,
  count(*) FILTER (WHERE p.has_restarts)::float8 / count(*) AS restarted,
  percentile_cont(0.5) WITHIN GROUP (ORDER BY ph.time_to) FILTER (WHERE ` + wentWell + `) AS time_to_e2e_p50,
  percentile_cont(0.5) WITHIN GROUP (ORDER BY ph.span) FILTER (WHERE ` + wentWell + `) AS e2e_p50,
  percentile_cont(0.95) WITHIN GROUP (ORDER BY ph.span) FILTER (WHERE ` + wentWell + `) AS e2e_p95,
  max(p.created_at) AS newest
FROM ci_pipelines p
LEFT JOIN ci_phases ph ON ph.project_id = p.project_id AND ph.pipeline_id = p.pipeline_id AND ph.phase = 'e2e'
WHERE ` + scope + `
GROUP BY p.project_id, p.project
ORDER BY pipelines DESC
LIMIT 200`

const newestPipelines = `SELECT p.created_at, p.project, p.pipeline_id::text AS pipeline, p.ref, p.result, p.has_restarts,
  ph.time_to AS time_to_e2e, ph.span AS e2e
FROM (SELECT p.project_id, p.project, p.pipeline_id, p.created_at, p.ref, p.result, p.has_restarts
  FROM ci_pipelines p
  WHERE ` + scope + `
  ORDER BY p.created_at DESC
  LIMIT 50) AS p
LEFT JOIN ci_phases ph ON ph.project_id = p.project_id AND ph.pipeline_id = p.pipeline_id AND ph.phase = 'e2e'
ORDER BY p.created_at DESC`
