package analytics

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// DefaultMetric is what is asked for where nobody says.
const DefaultMetric = "active"

const maxMetric = 2100 // bytes: a job's and a step's name, encoded

// A measure hands take one number after the other: milliseconds, and the Unix
// milliseconds in which the pipeline was created.
type measure func(ctx context.Context, read *store.Reading, s *scope, w Window, take func(at int64, ms float64)) error

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
		return ofAttempts(0, rest, ResultOK, func(v *sieve) func(int) int64 { return column(v.Attempts.Run) }), nil
	case "job_queue":
		return ofAttempts(0, rest, "", func(v *sieve) func(int) int64 { return column(v.Attempts.Queue) }), nil
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
		ends = phaseEnds(v, phase, ends)
		return ends
	})
}

// phaseEnds are the times from the creation of pipelines to the end of a phase,
// in the memory of to; nil: no pipeline has the phase.
func phaseEnds(v *store.Volume, phase string, to []int64) []int64 {
	began, took := v.Phase(phase, store.TimeTo), v.Phase(phase, store.Span)
	if began == nil {
		return nil
	}
	to = to[:0]
	for i := range began {
		end := int64(none)
		if began[i] != none && took[i] != none {
			end = began[i] + took[i]
		}
		to = append(to, end)
	}
	return to
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

// ofAttempts measures the attempts of a job by a value that each has, or none.
// The filter's results are those of the attempts; where it names none, usual
// counts, and with "" all do.
func ofAttempts(want store.Parts, job, usual string, valueOf func(*sieve) func(attempt int) int64) measure {
	return func(ctx context.Context, read *store.Reading, s *scope, w Window, take func(at int64, ms float64)) error {
		anyEnd := len(s.Results) == 0 && usual == ""
		return s.daysWith(ctx, read, want, func(v *sieve) error {
			names, is, value := v.Attempts.Name.Codes, judged(&v.Attempts.Name, oneOf([]string{job})), valueOf(v)
			for i, created := range v.Pipelines.Created {
				if !v.of[i] || !w.has(created) {
					continue
				}
				for k := v.Pipelines.First[i]; k < v.Pipelines.First[i+1]; k++ {
					if !is[names[k]] || !v.attempts[k] || !anyEnd && !v.isAttemptOK(k) {
						continue
					}
					if ms := value(k); ms != none {
						take(created, float64(ms))
					}
				}
			}
			return nil
		}, w)
	}
}

// column are its values.
func column(values []int64) func(int) int64 { return func(i int) int64 { return values[i] } }

// stepMetric reads JOB/STEP. A slash in either is written as %2F.
func stepMetric(name string) (measure, error) {
	before, after, _ := strings.Cut(name, "/")
	job, jobErr := url.PathUnescape(before)
	step, stepErr := url.PathUnescape(after)
	if jobErr != nil || stepErr != nil || job == "" || step == "" {
		return nil, &FieldError{"metric", "A step is written as step:JOB/STEP, with %2F for a slash in either name."}
	}
	return ofAttempts(store.Steps, job, ResultOK, func(v *sieve) func(int) int64 { return tookStep(&v.Steps, step) }), nil
}

// tookStep is how long a step took in an attempt.
func tookStep(steps *store.DaySteps, step string) func(attempt int) int64 {
	code := slices.Index(steps.Name.Values, step)
	return func(attempt int) int64 {
		for n := steps.First[attempt]; n < steps.First[attempt+1]; n++ {
			if int(steps.Name.Codes[n]) == code {
				return steps.MS[n]
			}
		}
		return none
	}
}
