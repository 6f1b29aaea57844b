package cli

import (
	"fmt"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// printAdoption says what became of the original's rows, or would.
func (e *env) printAdoption(what string, a *store.Adoption) {
	fmt.Fprintf(e.stdout, "%s the original's database (revision %s):\n", what, a.Revision)
	zone := "in the time zone " + a.Timezone
	if a.Timezone == "" {
		zone = "with the time zone that it has"
	}
	newest := "there is no pipeline"
	if !a.Newest.IsZero() {
		newest = "the newest pipeline was created at " + a.Newest.Format(time.RFC3339)
	}
	fmt.Fprintf(e.stdout, "  created_at is read %s; %s\n", zone, newest)
	for _, t := range a.Tables {
		fmt.Fprintf(e.stdout, "  %s: %d rows, of which %d move; the table stays as legacy_%[1]s\n", t.Name, t.Rows, t.Taken)
		for _, l := range t.Left {
			fmt.Fprintf(e.stdout, "    %d stay in it alone: %s\n", l.Rows, l.Reason)
		}
	}
	for _, d := range a.Dependents {
		fmt.Fprintf(e.stdout, "  defined again: %s\n", d)
	}
}

// progress tells on stderr what goes on, each step once and its advance every
// second.
func (e *env) progress() func(step string, done, total int64) {
	var (
		last string
		at   time.Time
	)
	return func(step string, done, total int64) {
		now := time.Now()
		if step == last && done < total && now.Sub(at) < time.Second {
			return
		}
		last, at = step, now
		if total > 0 {
			fmt.Fprintf(e.stderr, "%s: %d of %d\n", step, done, total)
			return
		}
		fmt.Fprintln(e.stderr, step)
	}
}
