package analytics

import (
	"context"
	"net/url"
	"strings"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// DefaultMetric is what is asked for where nobody says.
const DefaultMetric = "active"

const maxMetric = 2100 // bytes: a job's and a step's name, encoded

// A measure hands take one number after the other: milliseconds, and the Unix
// milliseconds in which the pipeline was created.
type measure func(ctx context.Context, read *store.Reading, s *scope, w Window, take func(at int64, ms float64)) error

// A measureSQL is a measure as a SELECT of at and v, never null.
type measureSQL func(s *scope, args *arguments, w Window) string

func (m measureSQL) measure(ctx context.Context, read *store.Reading, s *scope, w Window, take func(at int64, ms float64)) error {
	var args arguments
	var at int64
	var ms float64
	to := []any{&at, &ms}
	return read.Rows(ctx, m(s, &args, w), args, func(scan store.Scan) error {
		err := scan(to...)
		take(at, ms)
		return err
	})
}

// parseMetric reads the name of a metric, as docs/numbers.md lists them.
func parseMetric(name string) (measure, error) {
	if len(name) > maxMetric || strings.ContainsRune(name, 0) || !validUTF8(name) {
		return nil, &FieldError{"metric", "It is too long or no text."}
	}
	kind, rest, found := strings.Cut(name, ":")
	if !found {
		return pipelineMetric(name), nil
	}
	if rest == "" {
		return nil, &FieldError{"metric", "Name the job or phase after the colon."}
	}
	switch kind {
	case "job_run":
		return ofJob(rest, "run_ms", ResultOK).measure, nil
	case "job_queue":
		return ofJob(rest, "queue_ms", "").measure, nil
	case "end_of":
		return endOf(rest), nil
	case "step":
		return stepMetric(rest)
	}
	return nil, &FieldError{"metric", "It is active, wall, one of its parts, time_to_PHASE, PHASE, PHASE_work, end_of:PHASE, job_run:JOB, job_queue:JOB or step:JOB/STEP."}
}

func pipelineMetric(name string) measure {
	if column, is := map[string]store.Columns{
		"active": store.ActiveMS, "wall": store.WallMS, "execution": store.ExecutionMS, "retry": store.RetryMS, "queue": store.QueueMS, "blocked": store.BlockedMS, "gap": store.GapMS,
	}[name]; is {
		return ofColumn(column, func(v *store.Volume) []int64 { return v.Numbers(column) })
	}
	of := func(phase string, column int) measure {
		return ofColumn(store.PhasesMS, func(v *store.Volume) []int64 { return v.Phase(phase, column) })
	}
	if phase, ok := strings.CutPrefix(name, "time_to_"); ok {
		return of(phase, store.TimeTo)
	}
	if phase, ok := strings.CutSuffix(name, "_work"); ok {
		return of(phase, store.Work)
	}
	return of(name, store.Span)
}

// endOf measures from the creation of pipelines to the end of a phase.
func endOf(phase string) measure {
	var ends []int64
	return ofColumn(store.PhasesMS, func(v *store.Volume) []int64 {
		began, took := v.Phase(phase, store.TimeTo), v.Phase(phase, store.Span)
		if began == nil {
			return nil
		}
		ends = ends[:0]
		for i := range began {
			end := int64(store.None)
			if began[i] != store.None && took[i] != store.None {
				end = began[i] + took[i]
			}
			ends = append(ends, end)
		}
		return ends
	})
}

// ofColumn measures a column of pipelines; nil: there is none.
func ofColumn(want store.Columns, column func(*store.Volume) []int64) measure {
	return func(ctx context.Context, read *store.Reading, s *scope, w Window, take func(at int64, ms float64)) error {
		return s.eachPipelines(ctx, read, w, ResultOK, want, func(c chosen) {
			values := column(c.Volume)
			if values == nil {
				return
			}
			for _, i := range c.rows {
				if values[i] != store.None {
					take(c.Created[i], float64(values[i]))
				}
			}
		})
	}
}

// ofJob measures a column of the attempts of a job. The filter's results are
// those of the attempts; where it names none, usual counts, and with "" all do.
func ofJob(job, column, usual string) measureSQL {
	return func(s *scope, args *arguments, w Window) string {
		return "SELECT p.created_ms AS at, j." + column + " AS v FROM pipelines p" +
			" JOIN jobs j ON j.project_id = p.project_id AND j.pipeline_id = p.id AND j.name = " + args.add(job) +
			" WHERE " + s.pipelinesAndJobs(args, w) + s.attemptResult(args, usual) + " AND j." + column + " IS NOT NULL"
	}
}

// attemptResult is the condition on the result of attempts, after an AND.
func (s *scope) attemptResult(args *arguments, usual string) string {
	if len(s.Results) == 0 && usual == "" {
		return ""
	}
	return " AND " + s.result(args, "j", usual)
}

// stepMetric reads JOB/STEP. A slash in either is written as %2F.
func stepMetric(name string) (measure, error) {
	before, after, _ := strings.Cut(name, "/")
	job, jobErr := url.PathUnescape(before)
	step, stepErr := url.PathUnescape(after)
	if jobErr != nil || stepErr != nil || job == "" || step == "" {
		return nil, &FieldError{"metric", "A step is written as step:JOB/STEP, with %2F for a slash in either name."}
	}
	return ofStep(job, step).measure, nil
}

// ofStep measures a step in the attempts of a job. One that comes several times
// in an attempt counts once, with the sum. Of the sources that tell of it the
// first counts: the report, sections of the log, markers in it, a report of
// POST /save_metrics.
func ofStep(job, step string) measureSQL {
	return func(s *scope, args *arguments, w Window) string {
		name := args.add(job)
		told := args.add(step)
		const rank = "CASE %.source WHEN 'report' THEN 0 WHEN 'sections' THEN 1 ELSE 2 END"
		all := "SELECT MIN(p.created_ms) AS at, SUM(t.duration_ms) AS v FROM pipelines p" +
			" JOIN jobs j ON j.project_id = p.project_id AND j.pipeline_id = p.id AND j.name = " + name +
			" JOIN steps t ON t.project_id = j.project_id AND t.pipeline_id = j.pipeline_id AND t.attempt_key = j.attempt_key AND t.name = " + told +
			" WHERE " + s.pipelinesAndJobs(args, w) + s.attemptResult(args, ResultOK) +
			" AND NOT EXISTS (SELECT 1 FROM steps o WHERE o.project_id = t.project_id AND o.pipeline_id = t.pipeline_id AND o.attempt_key = t.attempt_key AND o.name = t.name" +
			" AND " + strings.ReplaceAll(rank, "%", "o") + " < " + strings.ReplaceAll(rank, "%", "t") + ")" +
			" GROUP BY j.project_id, j.pipeline_id, j.attempt_key"
		column := map[string]string{"up": "up_s", "e2e": "e2e_s", "pull": "pull_s", "up_without_pull": "up_without_pull_s"}[step]
		if column == "" {
			return all
		}
		// The row of the report, and the attempt that it tells of: itself, or
		// another row that has more words.
		return all + " UNION ALL SELECT p.created_ms AS at, l." + column + " * 1000 AS v FROM pipelines p" +
			" JOIN jobs l ON l.project_id = p.project_id AND l.pipeline_id = p.id AND l.name = " + name + " AND l.legacy_kind = 'job' AND l." + column + " IS NOT NULL" +
			" JOIN jobs j ON j.project_id = l.project_id AND j.pipeline_id = l.pipeline_id AND j.attempt_key = CASE WHEN l.is_superseded THEN l.same_key ELSE l.attempt_key END" +
			" WHERE " + s.pipelinesAndJobs(args, w) + s.attemptResult(args, ResultOK) +
			" AND NOT EXISTS (SELECT 1 FROM steps o WHERE o.project_id = j.project_id AND o.pipeline_id = j.pipeline_id AND o.attempt_key = j.attempt_key AND o.name = " + told + ")"
	}
}
