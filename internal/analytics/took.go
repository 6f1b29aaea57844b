package analytics

import (
	"cmp"
	"math"
	"net/url"
	"strconv"
	"strings"
)

// A Took chooses pipelines by how long something took in them: those behind a
// bar of a histogram. The zero Took chooses all.
type Took struct {
	Metric string // as Stats knows it; empty: no choice is made
	// FromMS is the least that is chosen and ToMS the first that is not, in
	// milliseconds; nil: there is no such limit.
	FromMS, ToMS *int64
}

// maxTook is the longest that can be asked for, in seconds.
const maxTook = 1e12

// ParseTook reads the parameters metric, from_s and to_s. With one of the
// latter alone, the metric is DefaultMetric. It fails with a *FieldError.
func ParseTook(q url.Values) (Took, error) {
	metric, err := only(q, "metric")
	if err != nil {
		return Took{}, err
	}
	t := Took{Metric: metric}
	for _, limit := range []struct {
		name string
		ms   **int64
	}{{"from_s", &t.FromMS}, {"to_s", &t.ToMS}} {
		text, err := only(q, limit.name)
		if err != nil {
			return Took{}, err
		}
		if text == "" {
			continue
		}
		s, err := strconv.ParseFloat(text, 64)
		if err != nil || !(math.Abs(s) <= maxTook) {
			return Took{}, &FieldError{limit.name, "It is a number of seconds, such as 90 or 0.5."}
		}
		*limit.ms = new(int64(math.Round(s * 1000)))
	}
	if t.FromMS != nil || t.ToMS != nil {
		t.Metric = cmp.Or(t.Metric, DefaultMetric)
	}
	return t, t.check()
}

// check says what is wrong with a metric by which pipelines can't be chosen.
func (t *Took) check() error {
	if t.Metric == "" {
		return nil
	}
	if _, err := parseMetric(t.Metric); err != nil {
		return err
	}
	if strings.HasPrefix(t.Metric, metricStep) {
		return &FieldError{"metric", "Pipelines can't be chosen by a step: choose them by its job, as job_run:JOB."}
	}
	return nil
}

// Query is the choice in its canonical form.
func (t *Took) Query() url.Values {
	q := url.Values{}
	if t.Metric != "" {
		q.Set("metric", t.Metric)
	}
	for name, ms := range map[string]*int64{"from_s": t.FromMS, "to_s": t.ToMS} {
		if ms != nil {
			q.Set(name, strconv.FormatFloat(float64(*ms)/1000, 'f', -1, 64))
		}
	}
	return q
}

// took is the condition on pipelines to have a value of the metric between the
// limits that Stats counts too, over the alias p and after an AND: the filter's
// results are those of what has the value, and ok if it names none.
func (s *scope) took(args *arguments, t *Took) string {
	kind, job, found := strings.Cut(t.Metric, ":")
	if found && (kind == "job_run" || kind == "job_queue") {
		ended, column := "", "x.run_ms"
		if kind == "job_queue" {
			column = "x.queue_ms"
		}
		if kind == "job_run" || len(s.Results) > 0 {
			ended = " AND " + s.result(args, "x", ResultOK)
		}
		return " AND p.created_known AND EXISTS (SELECT 1 FROM jobs x WHERE x.project_id = p.project_id AND x.pipeline_id = p.id AND NOT x.is_superseded AND x.name = " +
			args.add(job) + s.attempts(args, "x") + ended + t.between(args, column) + ")"
	}
	return " AND p.created_known AND " + s.result(args, "p", ResultOK) + t.ofPipeline(args)
}

// ofPipeline is the condition on a metric that a pipeline or phase has.
func (t *Took) ofPipeline(args *arguments) string {
	switch t.Metric {
	case "active", "wall", "execution", "retry", "queue", "blocked", "gap":
		return t.between(args, "p."+t.Metric+"_ms")
	}
	phase, column := t.Metric, "t.span_ms"
	for _, m := range []struct {
		cut    func(string, string) (string, bool)
		word   string
		column string
	}{{strings.CutPrefix, "end_of:", "t.time_to_ms + t.span_ms"}, {strings.CutPrefix, metricTimeTo, "t.time_to_ms"}, {strings.CutSuffix, "_work", "t.work_ms"}} {
		if name, is := m.cut(t.Metric, m.word); is {
			phase, column = name, m.column
			break
		}
	}
	return " AND EXISTS (SELECT 1 FROM phases t WHERE t.project_id = p.project_id AND t.pipeline_id = p.id AND t.phase = " + args.add(phase) + t.between(args, column) + ")"
}

func (t *Took) between(args *arguments, column string) string {
	c := " AND " + column + " IS NOT NULL"
	if t.FromMS != nil {
		c += " AND " + column + " >= " + args.add(*t.FromMS)
	}
	if t.ToMS != nil {
		c += " AND " + column + " < " + args.add(*t.ToMS)
	}
	return c
}
