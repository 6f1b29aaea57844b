package analytics_test

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/analytics"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

// Pages put together are the list, in every order, and every row is what is
// stored.
func TestPipelines(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		w := newWorld(t, s, 120)
		a := analytics.New(analytics.Config{Store: s, Now: clock})
		listed := 0
		for n := range 30 {
			f, query := w.drawFilter(t)
			sort := []string{"", "created", "-active", "wall", "-queue", "time_to_e2e", "-attempts"}[n%7]
			search := pick(w, "", "", "", "feature", "10", "#7", "11")
			var got []string
			page := analytics.Page{Sort: sort, Limit: 1 + w.rand.IntN(20), Search: search}
			for {
				answer, err := a.Pipelines(t.Context(), f, page)
				if err != nil {
					t.Fatal(err)
				}
				for i := range answer.Items {
					got = append(got, shown(&answer.Items[i]))
				}
				if answer.Next == nil {
					break
				}
				page.Cursor = *answer.Next
			}
			want := w.list(&f, cmp.Or(sort, "-created"), search)
			listed += len(want)
			if diff := gocmp.Diff(want, got); diff != "" {
				t.Fatalf("%s, sort %s, search %s (-want +got):\n%s", query, sort, search, diff)
			}
		}
		if listed < 100 {
			t.Errorf("only %d rows were compared", listed)
		}
	})
}

// shown is what a row says, as text.
func shown(p *analytics.Pipeline) string {
	created := ""
	if p.CreatedAt != nil {
		created = strconv.FormatInt(p.CreatedAt.UnixMilli(), 10)
	}
	return fmt.Sprintln(p.Project, p.PipelineID, p.Outcome, created, p.CreatedAtIsKnown, p.IsDefaultBranch, p.HasRestarts, p.Attempts, p.LateAttempts, p.FailedJobs,
		maybe(p.WallS), maybe(p.ActiveS), maybe(p.ExecutionS), maybe(p.RetryS), maybe(p.QueueS), maybe(p.BlockedS), maybe(p.GapS), maybe(p.TimeToE2eS))
}

func maybe(s *float64) string {
	if s == nil {
		return "null"
	}
	return strconv.FormatFloat(*s, 'f', 6, 64)
}

func inSeconds(ms *int64) *float64 {
	if ms == nil {
		return nil
	}
	return new(float64(*ms) / 1000)
}

// list is what Pipelines lists, once more and slowly.
func (w *world) list(f *analytics.Filter, sort, search string) (all []string) {
	var found []*pipelineRow
	for _, p := range w.pipelines {
		as := *p
		as.known = true // a list shows these, too
		if p.created == 0 {
			as.created = f.Window.From.UnixMilli()
		}
		if !counts(f, f.Window, &as) || len(f.Results) > 0 && !resulted(f, "", p.state, p.result) {
			continue
		}
		if search != "" && !strings.Contains(p.ref, search) && !strings.HasPrefix(p.commit, search) && strconv.FormatInt(p.id, 10) != strings.TrimPrefix(search, "#") {
			continue
		}
		found = append(found, p)
	}
	name := strings.TrimPrefix(sort, "-")
	slices.SortFunc(found, func(a, b *pipelineRow) int {
		order := cmp.Or(cmp.Compare(a.sortsBy(name), b.sortsBy(name)), cmp.Compare(a.projectID, b.projectID), cmp.Compare(a.id, b.id))
		if sort != name {
			return -order
		}
		return order
	})
	for _, p := range found {
		all = append(all, p.shown())
	}
	return all
}

func (p *pipelineRow) sortsBy(name string) int64 {
	value := p.parts()[name]
	switch name {
	case "created":
		return p.created
	case "attempts":
		return p.attempts
	case "time_to_e2e":
		value = p.phases["e2e"].timeTo
	}
	if value == nil {
		return -1
	}
	return *value
}

func (p *pipelineRow) outcome() string {
	switch {
	case p.state != "finished":
		return "unfinished"
	case slices.Contains([]string{"failure", "error", "timeout"}, p.result):
		return "failed"
	case p.result == "cancellation":
		return "canceled"
	case p.result == "skip":
		return "skipped"
	case p.restarts:
		return "restarted"
	}
	return "passed"
}

func (j *jobRow) failed() bool {
	return j.state == "finished" && slices.Contains([]string{"failure", "error", "timeout"}, j.result)
}

func (p *pipelineRow) shown() string {
	failed := []string{}
	for _, j := range p.jobs {
		if !j.superseded && !j.retried && !j.allowed && j.failed() {
			failed = append(failed, j.name)
		}
	}
	slices.Sort(failed)
	return fmt.Sprintln(p.project, p.id, p.outcome(), p.created, p.known, p.onDefault, p.restarts, p.attempts, p.late, failed,
		maybe(inSeconds(p.wall)), maybe(inSeconds(p.active)), maybe(inSeconds(p.execution)), maybe(inSeconds(p.retry)), maybe(inSeconds(p.queue)), maybe(inSeconds(p.blocked)),
		maybe(inSeconds(p.gap)), maybe(inSeconds(p.phases["e2e"].timeTo)))
}
