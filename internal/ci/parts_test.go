package ci_test

import (
	"slices"
	"strconv"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
)

var nine = time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)

// at is an instant so many seconds after the pipeline's creation.
func at(seconds float64) time.Time { return nine.Add(time.Duration(seconds * float64(time.Second))) }

// drawRun makes up a finished pipeline of any attempts, in half seconds, some
// of which nobody would believe.
func drawRun(t *rapid.T) ci.Report {
	r := ci.Report{Project: "p", Source: ci.API, Pipeline: ci.Pipeline{ID: 1, CreatedAt: nine, State: ci.Finished, Result: ci.Success, FinishedAt: at(1e5)}}
	half := func(label string, most int) float64 { return float64(rapid.IntRange(0, most).Draw(t, label)) / 2 }
	long := rapid.SampledFrom([]int{20, 400}).Draw(t, "length")
	for i := range rapid.IntRange(0, 9).Draw(t, "attempts") {
		a := ci.Attempt{ID: strconv.Itoa(i), Name: rapid.SampledFrom([]string{"a", "b", "c", "d", "e"}).Draw(t, "name"), State: ci.Finished, Result: ci.Success}
		created := half("created", long)
		started := created + half("queue", long/2)
		if rapid.Bool().Draw(t, "created is known") {
			a.CreatedAt = at(created)
		}
		if rapid.IntRange(0, 9).Draw(t, "started") > 0 {
			a.StartedAt = at(started)
		}
		if rapid.Bool().Draw(t, "queue is known") {
			a.QueuedS = new(half("queued", long/4))
		}
		if rapid.IntRange(0, 3).Draw(t, "manual") == 0 {
			a.Manual = new(true)
		}
		a.FinishedAt = at(started + half("run", long))
		switch rapid.IntRange(0, 5).Draw(t, "needs") {
		case 0:
			a.Needs = []string{}
		case 1:
			a.Needs = rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c", "z"}), 1, 2).Draw(t, "names")
		}
		r.Jobs = append(r.Jobs, a)
	}
	return r
}

// Whatever the times: the parts add up to the wall time to the millisecond, so
// does the critical path, and nothing is negative.
func TestPartsAddUp(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		addsUp(t, merged([]ci.Report{drawRun(t)}))
	})
}

func addsUp(t *rapid.T, rec *ci.Record) {
	p := rec.Parts
	if p == nil {
		for _, a := range rec.Attempts {
			if a.Late || a.PathRunMS != nil || a.PathQueueMS != nil || a.SavesMS != nil {
				t.Fatalf("%s has times of a first pass that is not over", a.Key)
			}
		}
		return
	}
	if sum := p.ExecutionMS + p.RetryMS + p.QueueMS + p.BlockedMS + p.GapMS; sum != p.WallMS || p.ActiveMS != p.WallMS-p.BlockedMS {
		t.Fatalf("the parts add up to %d ms: %+v", sum, *p)
	}
	path := rec.Path.RetryMS + rec.Path.BlockedMS + rec.Path.GapMS
	all := []int64{p.ExecutionMS, p.RetryMS, p.QueueMS, p.BlockedMS, p.GapMS, rec.Path.RetryMS, rec.Path.BlockedMS, rec.Path.GapMS}
	run, saves := map[string]int64{}, map[string]int64{}
	for _, a := range rec.Attempts {
		if (a.PathRunMS == nil) != (a.PathQueueMS == nil) {
			t.Fatalf("%s is half on the path", a.Key)
		}
		if a.PathRunMS != nil {
			path += *a.PathRunMS + *a.PathQueueMS
			all = append(all, *a.PathRunMS, *a.PathQueueMS)
		}
		if a.RunMS != nil {
			run[a.Name] += max(*a.RunMS, a.FinishedAt.UnixMilli()-a.StartedAt.UnixMilli())
		}
		if a.SavesMS != nil {
			all = append(all, *a.SavesMS)
			if _, twice := saves[a.Name]; twice && a.Legacy == "" {
				t.Fatalf("two attempts of %s say what it could save", a.Name)
			}
			saves[a.Name] = max(saves[a.Name], *a.SavesMS)
		}
	}
	if path != p.WallMS {
		t.Fatalf("the path adds up to %d ms, wall is %d", path, p.WallMS)
	}
	if least := slices.Min(all); least < 0 {
		t.Fatalf("a time is %d ms: %+v, %+v", least, *p, *rec.Path)
	}
	for name, ms := range saves {
		if ms > run[name] || ms > p.WallMS {
			t.Fatalf("%s could save %d ms of %d, wall is %d", name, ms, run[name], p.WallMS)
		}
	}
}

// The same for a report of POST /save_metrics, whatever it says.
func TestReportedPartsAddUp(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		seconds := rapid.Float64Range(0, 600)
		l := &ci.Legacy{Ref: "main", CreatedAt: nine, DurationS: seconds.Draw(t, "duration"), DurationE2eS: seconds.Draw(t, "e2e")}
		for range rapid.IntRange(0, 6).Draw(t, "entries") {
			e := ci.LegacyEntry{
				Kind: rapid.SampledFrom([]ci.LegacyKind{ci.LegacyBuild, ci.LegacyJob, ci.LegacyFailed}).Draw(t, "kind"),
				Name: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "name"), DurationS: new(seconds.Draw(t, "ran")),
			}
			if e.Kind != ci.LegacyBuild && rapid.Bool().Draw(t, "times") {
				e.StartedAt, e.FinishedAt = at(seconds.Draw(t, "start")), at(seconds.Draw(t, "finish"))
			}
			l.Entries = append(l.Entries, e)
		}
		rec := merged([]ci.Report{{Project: "p", Pipeline: ci.Pipeline{ID: 1}, Legacy: l}})
		if rec.Parts == nil || rec.Parts.WallMS != ci.Millis(l.DurationS) || rec.Parts.ActiveMS != rec.Parts.WallMS {
			t.Fatalf("wall and active are not the reported %v s: %+v", l.DurationS, rec.Parts)
		}
		addsUp(t, rec)
	})
}

// The sweep and the end of the first pass against a slow reading of their
// definitions, half a second at a time.
func TestPartsAreAsDefined(t *testing.T) {
	t.Parallel()
	whole, waited := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		r := drawRun(t)
		rec := merged([]ci.Report{r})
		want, late := slowParts(rec)
		if diff := gocmp.Diff(want, rec.Parts); diff != "" {
			t.Fatalf("(-as defined +computed):\n%s", diff)
		}
		if want == nil {
			return
		}
		whole++
		if want.BlockedMS > 0 || want.QueueMS > 0 {
			waited++
		}
		for _, a := range rec.Attempts {
			if a.Late != late[a.Key] {
				t.Fatalf("%s: late is %v", a.Key, a.Late)
			}
		}
	})
	if whole < 20 || waited < 5 {
		t.Errorf("%d pipelines had a first pass, %d waited: too few to say anything", whole, waited)
	}
}

const half, lateAfter = 500, 60_000

// A slow is an attempt that ran, in milliseconds since the creation.
type slow struct {
	*ci.AttemptRecord
	asked, moment, runnable, start, end int64
	first, gate, in, final              bool
}

func slowParts(rec *ci.Record) (parts *ci.Parts, late map[string]bool) {
	var all []*slow
	for _, a := range rec.Sorted() {
		if a.StartedAt.IsZero() {
			continue
		}
		s := &slow{AttemptRecord: a, start: a.StartedAt.UnixMilli() - nine.UnixMilli(), end: a.FinishedAt.UnixMilli() - nine.UnixMilli(), gate: a.Manual != nil}
		s.asked = s.start
		if a.QueuedS != nil {
			s.asked -= ci.Millis(*a.QueuedS)
		}
		switch {
		case s.gate:
			s.moment = s.asked
		case !a.CreatedAt.IsZero():
			s.moment = a.CreatedAt.UnixMilli() - nine.UnixMilli()
		default:
			s.moment = max(0, s.asked)
		}
		all = append(all, s)
	}
	switch {
	case len(rec.Attempts) == 0: // nothing is known but the whole
		return slowSweep(nil, rec.FinishedAt.UnixMilli()-nine.UnixMilli()), nil
	case len(all) == 0:
		return nil, nil
	}
	end := slowEnd(all)
	late = map[string]bool{}
	for _, s := range all {
		if late[s.Key] = !s.in; s.in {
			s.final = !slices.ContainsFunc(all, func(o *slow) bool { return o.in && o.Name == s.Name && o.Number > s.Number })
			s.runnable = slowRunnable(s, all)
		}
	}
	for _, a := range rec.Sorted() { // an attempt that never ran may be late as well
		if a.StartedAt.IsZero() && !a.CreatedAt.IsZero() && a.CreatedAt.UnixMilli()-nine.UnixMilli() > end+lateAfter {
			late[a.Key] = true
		}
	}
	return slowSweep(all, end), late
}

// slowEnd finds the end of the first pass, and which attempts are of it.
func slowEnd(all []*slow) (end int64) {
	for _, s := range all {
		s.first = !slices.ContainsFunc(all, func(o *slow) bool { return o.Name == s.Name && o.Number < s.Number })
		if s.first && !s.gate {
			s.in, end = true, max(end, s.end)
		}
	}
	anyIn := func(f func(*slow) bool) bool {
		return slices.ContainsFunc(all, func(o *slow) bool { return o.in && f(o) })
	}
	for {
		var next *slow
		for _, s := range all {
			job := anyIn(func(o *slow) bool { return o.Name == s.Name })
			belongs := s.moment <= end+lateAfter
			if s.gate && !job {
				belongs = s.moment < end
			}
			if !anyIn(func(*slow) bool { return true }) {
				belongs = true
			}
			if !s.in && belongs && (next == nil || s.moment < next.moment || s.moment == next.moment && before(s, next)) {
				next = s
			}
		}
		if next == nil {
			return end
		}
		next.in, end = true, max(end, next.end)
	}
}

// before is the order in which attempts of one moment are looked at.
func before(a, b *slow) bool {
	first := func(s *slow) time.Time {
		if s.CreatedAt.IsZero() {
			return s.StartedAt
		}
		return s.CreatedAt
	}
	if c := first(a).Compare(first(b)); c != 0 {
		return c < 0
	}
	if c := a.StartedAt.Compare(b.StartedAt); c != 0 {
		return c < 0
	}
	return a.ID < b.ID
}

// slowRunnable: as the CI says; else when it was created, but not before the
// end of what it waited for.
func slowRunnable(s *slow, all []*slow) int64 {
	if s.QueuedS != nil || s.gate || s.CreatedAt.IsZero() {
		return max(0, s.asked)
	}
	needs := func(*slow) bool { return true }
	known := s.Needs != nil && len(s.Needs) == 0
	for _, n := range s.Needs {
		known = known || slices.ContainsFunc(all, func(o *slow) bool { return o.in && o.Name == n })
	}
	if known {
		needs = func(o *slow) bool { return o.Name == s.Name || slices.Contains(s.Needs, o.Name) }
	}
	latest := func(until int64) (end int64) {
		end = -1
		for _, o := range all {
			if o.in && o.end <= until && needs(o) && earlier(o, s) {
				end = max(end, o.end)
			}
		}
		return end
	}
	created := s.CreatedAt.UnixMilli() - nine.UnixMilli()
	ended := latest(created + 999)
	if ended < 0 {
		ended = latest(s.start)
	}
	return min(s.start, max(created, ended))
}

// earlier orders attempts by their ends, and of equal ends the shorter first.
func earlier(a, b *slow) bool {
	switch {
	case a.end != b.end:
		return a.end < b.end
	case a.start != b.start:
		return a.start > b.start
	}
	return before(a, b)
}

func slowSweep(all []*slow, end int64) *ci.Parts {
	p := &ci.Parts{WallMS: end}
	for at := int64(0); at < end; at += half {
		part, next := &p.GapMS, end
		var gates []*slow
		final, retried, waits := false, false, false
		for _, s := range all {
			if !s.in {
				continue
			}
			runs := s.start <= at && at < s.end
			final = final || runs && s.final
			retried = retried || runs && !s.final
			waits = waits || s.runnable <= at && at < s.start
			if s.runnable > at && s.runnable < next {
				next = s.runnable
			}
		}
		for _, s := range all {
			if s.in && s.gate && s.runnable == next && (s.CreatedAt.IsZero() || s.CreatedAt.UnixMilli()-nine.UnixMilli() <= at) {
				gates = append(gates, s)
			}
		}
		switch {
		case final:
			part = &p.ExecutionMS
		case retried:
			part = &p.RetryMS
		case waits:
			part = &p.QueueMS
		case len(gates) > 0:
			part = &p.BlockedMS
		}
		*part += half
	}
	p.ActiveMS = end - p.BlockedMS
	return p
}
