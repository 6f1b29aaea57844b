package dashboard

import (
	"net/http"
)

// A definition says what a number means. Cards lead to its ID.
type definition struct {
	ID, Name, Means, Without, API, SQL string
}

// definitions are on /about/metrics, in the order in which one reads them.
func definitions() []definition {
	return []definition{
		{
			"wall", "Wall time",
			"From the creation of a pipeline to the end of its first pass. The first pass ends with the latest first finish of the jobs that started; attempts that were created within a minute of that belong to it, too. What comes later, such as a restart on the next day, is late and counted apart.",
			"Pipelines whose creation nobody told, and those that are not through their first pass.", "metric=wall", "ci_pipelines.wall",
		},
		{
			"active", "Pipeline duration",
			"Active time: wall time without what was blocked, that is, without waiting for a person or a delay. It is what pages and the API mean unless they say otherwise.",
			"Pipelines that did not succeed, unless the filter asks for another result.", "metric=active", "ci_pipelines.active",
		},
		{
			"parts", "Where the time went",
			"Every instant of the wall time belongs to exactly one part, the first that applies: running (an attempt runs whose result counted), retrying (only attempts run that were retried later), queued (something waits for a runner), waiting for a person, and not known. The parts add up to the wall time to the millisecond.",
			"", "GET /api/v1/breakdown", "ci_pipelines.execution, retry, queue, blocked, gap",
		},
		{
			"where", "Where the time goes",
			"The wall time along the critical path, in the mean: jobs on it waited for a runner, or ran, by their phase; the steps up and Set up job of all of them are set-up. Attempts that were retried, waiting for a person, and what nobody knows belong to no phase. The parts add up to the wall time to the millisecond.",
			"Pipelines without a critical path, such as those told of by POST /save_metrics alone.", "GET /api/v1/critical-path", "ci_jobs.path_run, path_queue, phase",
		},
		{
			"queue", "Queued",
			"Of a pipeline: the time in which nothing ran and something waited for a runner. Of a job: from the moment when it could run to its start.",
			"Waiting for other jobs, and for a person.", "metric=queue, metric=job_queue:JOB", "ci_pipelines.queue, ci_jobs.queue_time",
		},
		{
			"time-to-phase", "Time to a phase",
			"From the creation of a pipeline to the first start of a job or step of the phase. Phases are what the configuration says; without one, build and e2e. For a report of POST /save_metrics it is duration − duration_e2e.",
			"", "metric=time_to_e2e", "ci_phases.time_to",
		},
		{
			"phase", "Time of a phase",
			"The span from the first start to the last finish of the phase's attempts. Its work is the sum of their run times.",
			"", "metric=e2e, metric=build_work", "ci_phases.span, ci_phases.work",
		},
		{
			"milestone", "Milestones and ends of phases",
			"A milestone is the first start or the last finish of a phase, counted from the creation of the pipeline. Which there are, and their names, is in the settings of the project. The last finish is the time to the phase and its span together. Findings watch the first start of every phase, and the last finish of those that are milestones.",
			"", "metric=time_to_e2e, metric=end_of:e2e", "ci_phases.time_to, ci_phases.span",
		},
		{
			"objective", "Objectives",
			"What a percentile of a metric should be at most, by the settings of the project. It is missed when the figure of the time and the filter that are shown is above that; of fewer than five values it is never said.",
			"", "GET /api/v1/objectives", "",
		},
		{
			"job-run", "Job duration",
			"From the start of an attempt to its finish, of attempts that succeeded.",
			"Queue time; attempts that failed or were canceled.", "metric=job_run:JOB", "ci_jobs.duration",
		},
		{
			"percentiles", "Percentiles",
			"Linear interpolation between closest ranks, as PERCENTILE_CONT of SQL. The p80 is the value that eight of ten stay below. With fewer than five values a percentile is grey, and no band is drawn.",
			"", "percentiles=0.5,0.8,0.95", "",
		},
		{
			"change", "Changes against the period before",
			"The p50 of the time that is shown against the p50 of the time to compare with. It is grey under four percent or a second, and where it may be chance: where the 99 % interval of the difference has 0 in it, or a side has fewer than five values.",
			"", "vs=prev", "",
		},
		{
			"critical-path", "Critical path",
			"Walk back from the attempt that finished last: before it came the attempt with the latest finish that is not after the moment when it could run. Where needs are known, only those count; else the path is inferred from the times. A job's share is the time on the path.",
			"", "GET /api/v1/jobs", "ci_jobs.path_run, ci_jobs.path_queue",
		},
		{
			"could-save", "Could save",
			"By how much shorter pipelines would be if the job took no time: each pipeline is replayed without it. Where the graph is not known it is rather too small.",
			"", "GET /api/v1/jobs", "ci_jobs.saves",
		},
		{
			"success-rate", "Success rate",
			"Pipelines that passed, also after a restart, of those that passed or failed. First try: without a restart.",
			"Pipelines that were canceled or skipped.", "GET /api/v1/outcomes", "",
		},
		{
			"restarts", "Restarted",
			"Pipelines in which a job has more than one attempt, of those that finished. Their cost: the runner time of the attempts that were retried, and what they added to the wall time.",
			"", "GET /api/v1/restarts", "ci_pipelines.has_restarts",
		},
		{
			"flaky", "Flaky jobs",
			"A job is flaky on a commit when it has both failed and passed on it. The rate is the commits on which it flaked of those on which it finished, with its 95 % interval (Wilson). What costs most comes first.",
			"Times in which four of five jobs fail: that is an outage.", "GET /api/v1/flaky", "",
		},
		{
			"finding", "Slower since",
			"The median of the last three against the median of the 24 before: it must be a quarter and a minute more (a job: half a minute), and all three must be above. The chart's mark is where the rule says that it began. It is over when the median is back under ten percent. The settings of a project may have other figures.",
			"Pipelines that did not succeed.", "GET /api/v1/findings", "",
		},
		{
			"attribution", "What changed",
			"The difference of the mean wall time before and after, split over the parts of the critical path: the run and the queue of each job, retries, waiting. The parts add up to the difference exactly. It is the mean, for percentiles can't be split. The interval is that of the difference, with 95 % confidence; where zero is in it, all of it may be chance.",
			"", "GET /api/v1/compare", "",
		},
		{
			"compare", "Compare",
			"Two times, branches or workflows, side by side. The interval is that of the difference, with 95 % confidence; p is that of the Mann–Whitney test.",
			"", "GET /api/v1/compare", "",
		},
		{
			"dora", "DORA",
			"A deployment is a finished attempt of a job with an environment, or one that the CI system or CDEvents told of without a job. Frequency: those that succeeded. Lead time: from the creation of the commit's first pipeline to its first successful deployment. Change failure rate: those that failed or were rolled back. Recovery: from a failure to the next success. The settings of a project say which deployments count; unless they do, those to environments that begin with prod, production or live, and where there are none of these, all. The list says what was counted.",
			"", "GET /api/v1/dora", "",
		},
	}
}

// metrics says what every number means.
func (d *Dashboard) metrics(w http.ResponseWriter, r *http.Request) error {
	return d.Shell.Render(w, r, http.StatusOK, "metrics", &Page{Title: "What each number means", Sub: "Formula, what is left out, and the name in the API and in SQL", Data: definitions()})
}
