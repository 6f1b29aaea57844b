package grafana

// The three queries of the original's guide, kept to the letter so that what
// people have today goes on working. Their bare '$project' is why this
// dashboard takes one project at a time, and none with an apostrophe.
const (
	seedCount = `SELECT count(*)
FROM metrics_pipeline mp
WHERE
$__timeFilter(created_at) AND
mp.project = '$project' AND mp.is_master = true`

	seedTimeToE2e = `SELECT
PERCENTILE_CONT(0.5) WITHIN GROUP(ORDER by total) as p50,
PERCENTILE_CONT(0.80) WITHIN GROUP(ORDER by total) as p80,
PERCENTILE_CONT(0.95) WITHIN GROUP(ORDER by total) as p95
FROM (SELECT
created_at AS "time",
mp.duration - mp.duration_e2e as "total"
FROM metrics_pipeline mp
LEFT JOIN metrics_build mb
ON mb.pipeline_id = mp.pipeline_id
WHERE
$__timeFilter(created_at) AND
mp.project = '$project' AND mp.is_master = true
GROUP BY time, mp.duration, mp.duration_e2e
ORDER BY 1) as data`

	seedTotalE2e = `SELECT
PERCENTILE_CONT(0.5) WITHIN GROUP(ORDER by total_e2e) as p50,
PERCENTILE_CONT(0.80) WITHIN GROUP(ORDER by total_e2e) as p80,
PERCENTILE_CONT(0.95) WITHIN GROUP(ORDER by total_e2e) as p95
FROM (SELECT
created_at AS "time",
mp.duration_e2e as "total_e2e"
FROM metrics_pipeline mp
LEFT JOIN metrics_build mb
ON mb.pipeline_id = mp.pipeline_id
WHERE
$__timeFilter(created_at) AND
mp.project = '$project' AND mp.is_master = true AND mp.has_restarts = false
GROUP BY time, mp.duration, mp.duration_e2e
ORDER BY 1) as data`
)

// seedScope is the same choice of pipelines, quoted safely, for the panels
// that the guide does not spell out.
const seedScope = `$__timeFilter(mp.created_at) AND mp.project = ${project:sqlstring} AND mp.is_master`

const seedProjects = `SELECT DISTINCT project
FROM metrics_pipeline
WHERE $__timeFilter(created_at) AND project IS NOT NULL
ORDER BY project`

const seedWithRestarts = `SELECT mp.has_restarts, count(*) AS pipelines
FROM metrics_pipeline mp
WHERE ` + seedScope + `
GROUP BY mp.has_restarts
ORDER BY mp.has_restarts`

const seedRestartsOverTime = `SELECT mp.created_at AS "time", mp.has_restarts::int AS restarts
FROM metrics_pipeline mp
WHERE ` + seedScope + `
ORDER BY 1`

// Each bar chart shows the newest 200 pipelines: more bars can't be told apart.
const seedBarsTimeToE2e = `SELECT pipeline_id::text AS pipeline, duration - duration_e2e AS time_to_e2e
FROM (SELECT mp.pipeline_id, mp.duration, mp.duration_e2e, mp.created_at
  FROM metrics_pipeline mp
  WHERE ` + seedScope + `
  ORDER BY mp.created_at DESC
  LIMIT 200) AS newest
ORDER BY created_at`

const seedBars = `SELECT newest.pipeline_id::text AS pipeline, newest.duration AS total, newest.duration_e2e AS e2e, sum(mb.duration) AS build
FROM (SELECT mp.pipeline_id, mp.project, mp.duration, mp.duration_e2e, mp.created_at
  FROM metrics_pipeline mp
  WHERE ` + seedScope + `
  ORDER BY mp.created_at DESC
  LIMIT 200) AS newest
LEFT JOIN metrics_build mb ON mb.project = newest.project AND mb.pipeline_id = newest.pipeline_id
GROUP BY newest.project, newest.pipeline_id, newest.duration, newest.duration_e2e, newest.created_at
ORDER BY newest.created_at`

// seed is the dashboard of people who come from the original: its panels, one
// to one.
func seed() Dashboard {
	return board("pmc-seed", "CI pipelines: the original's panels",
		"The panels of the original collector, one to one. Pipelines of one project's default branch.",
		[]Variable{sourceVariable(), projectVariable(seedProjects), collectorVariable()},
		spec{
			title: "Pipelines", unit: "short", w: 6, h: 5, sql: seedCount,
			description: "Reports of the default branch in the time range.",
		}.stat(),
		spec{
			title: "With and without restarts", unit: "short", w: 6, h: 5, sql: seedWithRestarts,
			description: "How many pipelines had an e2e job that was retried, as the report said.",
			overrides:   []Override{column("has_restarts", label("Restarts")), column("pipelines", label("Pipelines"))},
		}.table(),
		restartDots(),
		spec{
			title: "Time to the first e2e job", unit: "s", w: 12, h: 5, sql: seedTimeToE2e, overrides: percentiles(),
			description: "Seconds from the creation of the pipeline to the start of its first e2e job: duration less duration_e2e.",
		}.stat(),
		spec{
			title: "E2e in total", unit: "s", w: 12, h: 5, sql: seedTotalE2e, overrides: percentiles(),
			description: "Seconds from the start of the first to the end of the last e2e job. Pipelines with restarts are left out.",
		}.stat(),
		spec{
			title: "Time to the first e2e job, by pipeline", unit: "s", w: 24, h: 8, sql: seedBarsTimeToE2e,
			description: "The newest 200 pipelines of the time range, oldest first.",
			overrides:   []Override{column("time_to_e2e", label("time to e2e"), color(blue))},
			links:       []Link{pipelineLink("${project:raw}", "pipeline")},
		}.barChart("pipeline"),
		spec{
			title: "Total, e2e and build, by pipeline", unit: "s", w: 24, h: 8, sql: seedBars,
			description: "The newest 200 pipelines of the time range, oldest first. Build is the sum of the pipeline's build jobs.",
			overrides:   []Override{column("total", color(blue)), column("e2e", color(green)), column("build", color(grey))},
			links:       []Link{pipelineLink("${project:raw}", "pipeline")},
		}.barChart("pipeline"),
	)
}

// restartDots has a dot for each pipeline: above with, below without a
// restart.
func restartDots() Panel {
	p := spec{
		title: "Restarts over time", unit: "short", w: 12, h: 5, sql: seedRestartsOverTime,
		description: "A dot a pipeline: 1 with a restart, 0 without.",
		overrides:   []Override{column("restarts", color(amber))},
	}.lines()
	p.MaxDataPoints, p.Interval = 0, ""
	p.FieldConfig.Defaults.Custom["drawStyle"] = "points"
	one, none := 1.0, 0
	p.FieldConfig.Defaults.Max, p.FieldConfig.Defaults.Decimals = &one, &none
	return p
}
