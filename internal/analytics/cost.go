package analytics

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// What costs can be grouped by.
const (
	ByProject = "project"
	ByJob     = "job"
	ByGroup   = "group" // the first part of the project's path
	ByTeam    = "team"  // that the project belongs to, as its settings or else POST /save_project_info said
	ByRunner  = "runner"
)

// Costs are the minutes on runners, and what they cost.
type Costs struct {
	From  Time      `json:"from"`
	To    Time      `json:"to"`
	By    string    `json:"by"`
	Price *float64  `json:"price_per_minute"` // as asked for; null: each project has its own
	Total Minutes   `json:"total"`
	Items []Expense `json:"items"` // the greatest first
	// Truncated: there are more than 1,000; total has them all.
	Truncated bool `json:"truncated"`
}

// Minutes are what attempts took on runners.
type Minutes struct {
	Attempts int64   `json:"attempts"`
	RunnerS  float64 `json:"runner_s"`
	RetriedS float64 `json:"retried_s"` // of these, attempts that were followed by another
	FailedS  float64 `json:"failed_s"`  // and those that failed
	// Cost is RunnerS at the price asked for, or else of their projects; null: of
	// one of them nobody said what a minute costs.
	Cost *float64 `json:"cost"`

	runMS, retriedMS, failedMS int64
}

// An Expense is what one project, job, group or runner took.
type Expense struct {
	Project *string `json:"project"`
	Group   *string `json:"group"`
	Team    *string `json:"team"` // null with by=team: nobody said which
	Job     *string `json:"job"`
	Runner  *string `json:"runner"` // null with by=runner: nobody said which
	Minutes
	Share float64 `json:"share"` // of all runner seconds
}

// ParseCost reads by (project if not said) and price, per minute.
func ParseCost(q url.Values) (by string, price *float64, err error) {
	by = ByProject
	if err = choose(q, "by", &by, ByProject, ByJob, ByGroup, ByTeam, ByRunner); err != nil {
		return "", nil, err
	}
	said, err := only(q, "price")
	if err != nil || said == "" {
		return by, nil, err
	}
	p, err := strconv.ParseFloat(said, 64)
	if err != nil || !(p >= 0 && p <= ci.MaxPrice) {
		return "", nil, &FieldError{"price", fmt.Sprintf("It is what a minute of a runner costs, from 0 to %g.", ci.MaxPrice)}
	}
	return by, &p, nil
}

// Costs adds up how long attempts ran on runners. Where the filter names no ref
// all refs count, and any result.
func (a *Analytics) Costs(ctx context.Context, f Filter, by string, price *float64) (Costs, error) {
	answer := Costs{From: Time(f.Window.From), To: Time(f.Window.To), By: by, Price: price, Items: []Expense{}}
	if len(f.Refs) == 0 {
		f.Refs = []string{AnyRef}
	}
	err := a.ask(ctx, &f, func(ctx context.Context, read *store.Reading, s *scope) error {
		names, err := s.names(ctx, read)
		if err != nil {
			return err
		}
		teams := map[int64]string{}
		if by == ByTeam {
			if teams, err = teamsOf(ctx, read); err != nil {
				return err
			}
		}
		prices := func(int64) *float64 { return price }
		if price == nil {
			settings, err := allSettings(ctx, read)
			if err != nil {
				return err
			}
			prices = func(id int64) *float64 { return settings[id].PricePerMinute }
		}
		return answer.read(ctx, read, s, names, teams, prices)
	})
	if price != nil && answer.Total.Attempts == 0 {
		answer.Total.Cost = new(0.0)
	}
	return answer, err
}

// A minutesOf is what attempts of a project took that belong together.
type minutesOf struct {
	project int64
	of      *string // the job or the runner, where asked for
	Minutes
}

// read adds up by project and, where asked for, job or runner.
func (c *Costs) read(ctx context.Context, read *store.Reading, s *scope, names, teams map[int64]string, prices func(int64) *float64) error {
	found := map[projectJob]*minutesOf{}
	err := s.days(ctx, read, func(v *sieve) error {
		c.addDay(v, found)
		return nil
	}, s.Window)
	if err != nil {
		return fmt.Errorf("add up runner minutes: %w", err)
	}
	groups := map[string]*Expense{}
	var order []string
	for _, m := range slices.SortedFunc(maps.Values(found), func(x, y *minutesOf) int {
		return cmp.Or(cmp.Compare(y.runMS, x.runMS), cmp.Compare(x.project, y.project), cmp.Compare(text(x.of), text(y.of)))
	}) {
		if p := prices(m.project); p != nil {
			m.Cost = new(float64(m.runMS) / 60_000 * *p)
		}
		c.Total.add(m.Minutes)
		key, e := c.expense(names[m.project], teams[m.project], m.of)
		if groups[key] == nil {
			groups[key] = &e
			order = append(order, key)
		}
		groups[key].add(m.Minutes)
	}
	c.rank(groups, order)
	return nil
}

// addDay takes a day.
func (c *Costs) addDay(v *sieve, found map[projectJob]*minutesOf) {
	a := &v.Attempts
	for i := range v.of {
		if !v.of[i] || !v.in(v.Window, i) {
			continue
		}
		from, to := v.attemptsOf(i)
		for k := from; k < to; k++ {
			if !v.attempts[k] || a.Name.Codes[k] == 0 || a.Run[k] == none || len(v.Results) > 0 && !v.isAttemptOK(k) {
				continue
			}
			key := projectJob{project: v.Project}
			switch c.By {
			case ByJob:
				key.job = a.Name.At(k)
			case ByRunner:
				key.job = cmp.Or(a.RunnerName.At(k), a.RunnerID.At(k))
			}
			m := found[key]
			if m == nil {
				m = &minutesOf{project: v.Project, of: name(key.job)}
				found[key] = m
			}
			m.Attempts++
			m.runMS += a.Run[k]
			if a.IsRetried[k] {
				m.retriedMS += a.Run[k]
			}
			if v.failed[a.Result.Codes[k]] {
				m.failedMS += a.Run[k]
			}
		}
	}
}

// teamsOf are the teams of projects, by the projects' ids.
func teamsOf(ctx context.Context, read *store.Reading) (map[int64]string, error) {
	all := map[int64]string{}
	err := read.Rows(ctx, "SELECT id, COALESCE(decided_team, team) FROM projects WHERE COALESCE(decided_team, team) IS NOT NULL", nil, func(scan store.Scan) error {
		var id int64
		var team string
		err := scan(&id, &team)
		all[id] = team
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the teams: %w", err)
	}
	return all, nil
}

// expense is what a row belongs to, and a key for that.
func (c *Costs) expense(project, team string, of *string) (string, Expense) {
	switch c.By {
	case ByJob:
		return project + "\x00" + text(of), Expense{Project: &project, Job: of}
	case ByRunner:
		return text(of), Expense{Runner: of}
	case ByTeam:
		return team, Expense{Team: name(team)}
	case ByGroup:
		group, _, _ := strings.Cut(project, "/")
		return group, Expense{Group: &group}
	}
	return project, Expense{Project: &project}
}

func (m *Minutes) add(o Minutes) {
	switch {
	case m.Attempts == 0:
		m.Cost = o.Cost
	case m.Cost != nil && o.Cost != nil:
		m.Cost = new(*m.Cost + *o.Cost)
	default:
		m.Cost = nil
	}
	m.Attempts += o.Attempts
	m.runMS += o.runMS
	m.retriedMS += o.retriedMS
	m.failedMS += o.failedMS
	m.RunnerS, m.RetriedS, m.FailedS = float64(m.runMS)/1000, float64(m.retriedMS)/1000, float64(m.failedMS)/1000
}

// rank orders the groups, which came in the order given, by their size.
func (c *Costs) rank(groups map[string]*Expense, order []string) {
	for _, key := range order {
		e := groups[key]
		if c.Total.RunnerS > 0 {
			e.Share = e.RunnerS / c.Total.RunnerS
		}
		c.Items = append(c.Items, *e)
	}
	slices.SortStableFunc(c.Items, func(x, y Expense) int { return cmp.Compare(y.RunnerS, x.RunnerS) })
	if len(c.Items) > maxJobs {
		c.Items, c.Truncated = c.Items[:maxJobs], true
	}
}
