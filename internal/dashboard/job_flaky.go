package dashboard

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/analytics"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/dashboard/chart"
)

// jobFlakyCard lists the commits on which the job failed and passed.
func (d *Dashboard) jobFlakyCard(ctx context.Context, v *view) (Card, error) {
	c := Card{Title: "Flaky commits", Question: "Which commits did it fail and pass on, and what did that cost?", Define: "flaky", TableShown: true}
	a, err := d.jobAnswer(ctx, v)
	if err != nil {
		return c, err
	}
	c.Table = Table{Columns: []Column{
		{"Commit", "commit", false},
		{"Branch", "ref", false},
		{"Attempts", "strip", false},
		{"Runner time", "runner_s", true},
		{"Added to pipelines", "added_wall_s", true},
		{"First failed", "first_at", true},
		{"Last failed", "last_at", true},
	}}
	for i := range a.FlakyCommits {
		c.Table.Rows = append(c.Table.Rows, v.flakyCommitRow(&a.FlakyCommits[i]))
	}
	if len(c.Table.Rows) == 0 {
		c.Empty = &Empty{Text: "The job did not fail and pass on one commit in this time. Reports must say the commit, or the retries of a pipeline."}
		return c, nil
	}
	few := c
	if n := len(c.Table.Rows); n > shownGroups {
		few.Table.Rows = c.Table.Rows[:shownGroups]
		c.Note = noted([]string{fmt.Sprintf("The latest %d of %d; CSV has all.", shownGroups, n)})
	}
	c.Body = shown(&few, true)
	return c, nil
}

// flakyCommitRow leads to the pipelines of the commit, and each letter to its
// own.
func (v *view) flakyCommitRow(f *analytics.FlakyCommit) Row {
	row := Row{Href: v.href("pipelines", "q", said(f.Commit), "result", "")}
	head := Cell{shortCommit(said(f.Commit)), plainValue(f.Commit)}
	if f.Commit == nil && len(f.Attempts) > 0 {
		row.Href = pipelineHref(f.Project, f.Attempts[0].PipelineID)
		head.Text = "#" + strconv.FormatInt(f.Attempts[0].PipelineID, 10)
	}
	var strip strings.Builder
	for _, a := range f.Attempts {
		sign := "P"
		if a.Outcome == analytics.Failed {
			sign = "F"
		}
		strip.WriteString(sign)
		row.Letters = append(row.Letters, letter{sign, pipelineHref(f.Project, a.PipelineID), fmt.Sprintf("#%d, attempt %d", a.PipelineID, a.Attempt)})
	}
	row.Cells = []Cell{
		head, textCell(said(f.Ref)), textCell(strip.String()),
		{chart.Duration(f.RunnerS), f.RunnerS},
		{chart.Duration(f.AddedWallS), f.AddedWallS},
		timeCell(time.Time(f.FirstAt), v.filter.Zone), timeCell(time.Time(f.LastAt), v.filter.Zone),
	}
	return row
}
