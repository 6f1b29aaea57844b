package analytics

// How a pipeline ended, in five words; "unfinished" where it has not.
const (
	Passed     = "passed"    // a success, or not said, without a restart
	Restarted  = "restarted" // the same with a retried job
	Failed     = "failed"    // a failure, an error or a timeout
	Canceled   = "canceled"
	Skipped    = "skipped"
	Unfinished = "unfinished"
)

// outcomeSQL is the outcome of a pipeline, the alias p.
const outcomeSQL = `CASE WHEN p.state <> 'finished' THEN 'unfinished'
	WHEN p.result IN ('failure', 'error', 'timeout') THEN 'failed'
	WHEN p.result = 'cancellation' THEN 'canceled'
	WHEN p.result = 'skip' THEN 'skipped'
	WHEN p.has_restarts THEN 'restarted' ELSE 'passed' END`

// failedSQL tells whether an attempt failed, over the alias j.
const failedSQL = `(j.state = 'finished' AND j.result IN ('failure', 'error', 'timeout'))`

// okSQL tells whether an attempt finished with a success, or without a word on
// how, over the alias j.
const okSQL = `(j.state = 'finished' AND (j.result IS NULL OR j.result = 'success'))`
