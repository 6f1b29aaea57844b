package grafana

// overview is the dashboard that answers, for any choice of projects: how long,
// how often, what breaks, what is slow.
func overview() Dashboard {
	panels := append(overviewNumbers(), overviewTrends()...)
	return board("pmc-overview", "CI pipelines",
		"How long pipelines take, how often they are restarted or fail, and which jobs are slow.",
		[]Variable{
			sourceVariable(), projectsVariable(),
			customVariable("branch", "Branch", "Pipelines of the project's default branch, or of every ref.",
				Choice{Selected: true, Text: "default branch", Value: "default"}, Choice{Text: "all", Value: "all"}),
			customVariable("restarts", "Restarts", "Pipelines with restarts: count them in, leave them out, or take them only.",
				Choice{Selected: true, Text: "in", Value: "in"}, Choice{Text: "out", Value: "out"}, Choice{Text: "only", Value: "only"}),
			collectorVariable(),
		},
		append(panels, overviewTables()...)...)
}

func overviewNumbers() []Panel {
	const okOnly = " Pipelines that failed or were cancelled are left out."
	rate := func(s spec) Panel {
		p := s.stat()
		one := 1
		p.FieldConfig.Defaults.Decimals = &one
		return p
	}
	return []Panel{
		spec{
			title: "Pipelines", unit: "short", w: 4, h: 4, sql: countPipelines,
			description: "Pipelines that were created in the time range.",
		}.stat(),
		rate(spec{
			title: "Success rate", unit: "percentunit", w: 4, h: 4, sql: successRate, noValue: "No result was said",
			description: "Passed by passed and failed. Cancelled and skipped ones, and those of which no result was said, are left out.",
		}),
		rate(spec{
			title: "Restarted", unit: "percentunit", w: 4, h: 4, sql: restartRate,
			description: "Share of the pipelines in which a job had more than one attempt.",
			overrides:   []Override{column("restarted", color(amber))},
		}),
		spec{
			title: "Builds", unit: "s", w: 12, h: 4, sql: inTotal("ph.work", phase("build")), overrides: percentiles(),
			description: "Seconds of work in a pipeline's build jobs, added up." + okOnly, noValue: "No build in this time range",
		}.stat(),
		spec{
			title: "Time to e2e", unit: "s", w: 12, h: 4, sql: inTotal("ph.time_to", phase("e2e")), overrides: percentiles(),
			description: "Seconds from the creation of the pipeline to the start of its first e2e job." + okOnly, noValue: "No e2e job in this time range",
		}.stat(),
		spec{
			title: "E2e", unit: "s", w: 12, h: 4, sql: inTotal("ph.span", phase("e2e")), overrides: percentiles(),
			description: "Seconds from the start of the first e2e job to the end of the last." + okOnly, noValue: "No e2e job in this time range",
		}.stat(),
	}
}

func overviewTrends() []Panel {
	const bucket = " One point a bucket; narrower time ranges have narrower buckets, an hour at least."
	trend := func(title, of, name, description string) Panel {
		return spec{
			title: title, unit: "s", w: 12, h: 8, sql: overTime(p50p80p95(of), phase(name)), overrides: percentiles(),
			description: description + bucket,
		}.lines()
	}
	return []Panel{
		trend("Time to e2e over time", "ph.time_to", "e2e", "Did the way to the first e2e job get longer?"),
		trend("E2e over time", "ph.span", "e2e", "Did the e2e jobs get slower?"),
		trend("End of e2e over time", "ph.time_to + ph.span", "e2e", "Seconds from the creation of the pipeline to the end of its last e2e job."),
		trend("Builds over time", "ph.work", "build", "Did the build jobs get slower?"),
		spec{
			title: "Outcomes", unit: "short", w: 12, h: 8, sql: overTime(outcomes, pipelinesInScope),
			description: "Restarted: passed, or nothing else was said, after a job had more than one attempt. Not said: the report has no result.",
			overrides: []Override{
				column("passed", color(green)), column("restarted", color(amber)), column("failed", color(red)),
				column("cancelled", color(grey)), column("not_said", color(paleBlue), label("not said")),
			},
		}.bars(),
		spec{
			title: "Restarts over time", unit: "short", w: 12, h: 8, sql: overTime(restartsOverTime, pipelinesInScope),
			description: "Pipelines in which a job had more than one attempt, and those without.",
			overrides: []Override{
				column("with_restarts", color(amber), label("with restarts")), column("without_restarts", color(grey), label("without")),
			},
		}.bars(),
		spec{
			title: "Waiting for a runner", unit: "s", w: 12, h: 8, sql: overTime(p50p80p95("j.queue_time"), attempts+"\n  AND j.queue_time IS NOT NULL"),
			description: "Seconds that a job waited for a runner." + bucket, noValue: "No queue time was said", overrides: percentiles(),
		}.lines(),
		spec{
			title: "Failed attempts", unit: "short", w: 12, h: 8, sql: overTime("count(*) AS failed", attempts+"\n  AND "+jobFailed),
			description: "Job attempts that failed, retried ones included.", noValue: "No failed attempt in this time range",
			overrides: []Override{column("failed", color(red))},
		}.bars(),
	}
}

func overviewTables() []Panel {
	share := unit("percentunit")
	project := column("project", label("Project"), opens(projectLink("${__data.fields.project}")))
	job := column("job", label("Job"), opens(jobLink()))
	return []Panel{
		spec{
			title: "Slowest jobs", unit: "s", w: 12, h: 11, sql: slowestJobs, noValue: "–",
			description: "The 50 jobs with the greatest median. Attempts that failed are left out. Queue: the wait for a runner.",
			overrides: []Override{
				project, job, column("attempts", unit("short"), label("Attempts")), column("queue_p95", label("queue p95")),
			},
		}.table(),
		spec{
			title: "Jobs that fail most", unit: "short", w: 12, h: 11, sql: failingJobs, noValue: "–",
			description: "The 50 jobs with the most failed attempts. Retried: attempts that another one followed.",
			overrides: []Override{
				project, job, column("attempts", label("Attempts")), column("failed", label("Failed")),
				column("failure_rate", share, label("Failure rate")), column("retried", label("Retried")),
				column("last_failure", unit("dateTimeFromNow"), label("Last failure")),
			},
		}.table(),
		spec{
			title: "Projects", unit: "s", w: 24, h: 9, sql: byProject, noValue: "–",
			description: "One row a project, at most 200, the busiest first. The name leads to the project's page.",
			overrides: []Override{
				project, column("pipelines", unit("short"), label("Pipelines")), column("success_rate", share, label("Success rate")),
				column("restarted", share, label("Restarted")), column("time_to_e2e_p50", label("Time to e2e p50")),
				column("e2e_p50", label("E2e p50")), column("e2e_p95", label("E2e p95")), column("newest", unit("dateTimeFromNow"), label("Newest")),
			},
		}.table(),
		spec{
			title: "Newest pipelines", unit: "s", w: 24, h: 11, sql: newestPipelines, noValue: "–",
			description: "The newest 50 pipelines of the time range. The number leads to the pipeline's page.",
			overrides: []Override{
				column("created_at", unit("dateTimeAsIso"), label("Created")), project,
				column("pipeline", label("Pipeline"), opens(pipelineLink("${__data.fields.project}", "pipeline"))),
				column("ref", label("Ref")), column("result", label("Result")), column("has_restarts", label("Restarts")),
				column("time_to_e2e", label("Time to e2e")), column("e2e", label("E2e")),
			},
		}.table(),
	}
}
