package analytics

// The answers about change as tables, for CSV.

// Table has a row for each regression and each change point.
func (c *Changes) Table() Table {
	t := Table{Columns: []string{
		"project", "workflow", "metric", "kind", "since_at", "first_pipeline", "commit", "fired_at", "cleared_at",
		"before_count", "before_p50_s", "before_p80_s", "before_p95_s", "after_count", "after_p50_s", "after_p80_s", "after_p95_s", "p", "per_week",
	}}
	for i := range c.Items {
		one := &c.Items[i]
		for _, r := range one.Regressions {
			t.add(one.Project, one.Workflow, one.Metric, "regression", r.SinceAt, r.FirstPipeline, r.Commit, r.FiredAt, r.ClearedAt,
				r.Before.Count, r.Before.P50S, r.Before.P80S, r.Before.P95S, r.After.Count, r.After.P50S, r.After.P80S, r.After.P95S, r.P, r.PerWeek)
		}
		if p := one.ChangePoint; p != nil {
			t.add(one.Project, one.Workflow, one.Metric, "change_point", p.At, p.Pipeline, p.Commit, nil, nil, nil, p.BeforeS, nil, nil, nil, p.AfterS, nil, nil, p.P, nil)
		}
	}
	return t
}

// Table has a row for each finding.
func (f *Findings) Table() Table {
	t := Table{Columns: []string{
		"project", "workflow", "sentence", "metric", "since_at", "first_pipeline", "commit", "job", "part", "change_s", "step",
		"before_count", "before_p50_s", "after_count", "after_p50_s", "p", "per_week", "seconds_per_week_s",
	}}
	for _, one := range f.Items {
		t.add(one.Project, one.Workflow, one.Sentence, one.Metric, one.SinceAt, one.FirstPipeline, one.Commit, one.Job, one.Part, one.ChangeS, one.Step,
			one.Before.Count, one.Before.P50S, one.After.Count, one.After.P50S, one.P, one.PerWeek, one.SecondsPerWeek)
	}
	return t
}

// Table has a row for each time at which a rule would have fired.
func (b *Backtest) Table() Table {
	t := Table{Columns: []string{
		"project", "workflow", "metric", "fired_at", "fired_pipeline", "since_at", "first_pipeline", "commit", "baseline_s", "recent_s", "cleared_at",
	}}
	for _, one := range b.Items {
		t.add(one.Project, one.Workflow, one.Metric, one.FiredAt, one.FiredPipeline, one.SinceAt, one.FirstPipeline, one.Commit, one.BaselineS, one.RecentS, one.ClearedAt)
	}
	return t
}

// Table has a row for each job.
func (r *Restarts) Table() Table {
	t := Table{Columns: []string{"project", "job", "attempts", "pipelines", "runner_s", "added_wall_s", "added_time_to_e2e_s"}}
	for _, one := range r.Jobs {
		t.add(one.Project, one.Job, one.Attempts, one.Pipelines, one.RunnerS, one.AddedWallS, one.AddedTimeToE2eS)
	}
	return t
}

// Table has a row for each job.
func (f *Flaky) Table() Table {
	t := Table{Columns: []string{
		"project", "job", "commits", "flaked", "rate", "rate_low", "rate_high", "runner_s", "added_wall_s", "added_time_to_e2e_s", "first_at", "last_at", "strip",
	}}
	for _, one := range f.Jobs {
		t.add(one.Project, one.Job, one.Commits, one.Flaked, one.Rate, one.Interval.Low, one.Interval.High, one.RunnerS, one.AddedWallS, one.AddedTimeToE2eS, one.FirstAt, one.LastAt, one.Strip)
	}
	return t
}

// Table has a row for each metric and each job.
func (c *Comparison) Table() Table {
	t := Table{Columns: []string{
		"metric", "job", "base_count", "base_p50_s", "base_p80_s", "base_p95_s", "head_count", "head_p50_s", "head_p80_s", "head_p95_s",
		"p50_change_s", "p50_low_s", "p50_high_s", "mean_change_s", "mean_low_s", "mean_high_s", "p",
	}}
	for _, d := range c.Metrics {
		t.add(append([]any{d.Metric, nil}, d.cells()...)...)
	}
	for _, d := range c.Jobs {
		t.add(append([]any{nil, d.Metric}, d.cells()...)...)
	}
	return t
}

func (d *Difference) cells() []any {
	var cells []any
	for _, s := range []*Spread{d.Base, d.Head} {
		if s == nil {
			cells = append(cells, 0, nil, nil, nil)
			continue
		}
		cells = append(cells, s.Count, s.P50S, s.P80S, s.P95S)
	}
	for _, g := range []*Gain{d.P50, d.Mean} {
		switch {
		case g == nil:
			cells = append(cells, nil, nil, nil)
		case g.Interval == nil:
			cells = append(cells, g.ChangeS, nil, nil)
		default:
			cells = append(cells, g.ChangeS, g.Interval.LowS, g.Interval.HighS)
		}
	}
	return append(cells, d.P)
}

// Table has a row for each week.
func (d *DORA) Table() Table {
	t := Table{Columns: []string{
		"start", "end", "deployments", "succeeded", "lead_time_p50_s", "failed", "change_failure_rate", "recovery_time_p50_s", "unrepaired", "reworked", "rework_rate",
	}}
	for _, w := range d.Weeks {
		var lead, recovery any
		if w.LeadTime != nil {
			lead = w.LeadTime.P50S
		}
		if w.Recovery != nil {
			recovery = w.Recovery.P50S
		}
		t.add(w.Start, w.End, w.Deployments, w.Succeeded, lead, w.Failed, w.FailureRate, recovery, w.Unrepaired, w.Reworked, w.ReworkRate)
	}
	return t
}

// Table has a row for each project, job, group or runner.
func (c *Costs) Table() Table {
	t := Table{Columns: []string{"project", "group", "team", "job", "runner", "attempts", "runner_s", "retried_s", "failed_s", "share", "cost"}}
	for _, e := range c.Items {
		t.add(e.Project, e.Group, e.Team, e.Job, e.Runner, e.Attempts, e.RunnerS, e.RetriedS, e.FailedS, e.Share, e.Cost)
	}
	return t
}

// add adds a row; a pointer is what it points at, or nothing.
func (t *Table) add(cells ...any) {
	for i, c := range cells {
		switch c := c.(type) {
		case *string:
			cells[i] = pointed(c)
		case *float64:
			cells[i] = pointed(c)
		case *Time:
			cells[i] = pointed(c)
		}
	}
	t.Rows = append(t.Rows, cells)
}

func pointed[T any](p *T) any {
	if p == nil {
		return nil
	}
	return *p
}
