package ci_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
)

// phaseOf is the phase of a job of that stage and name.
func phaseOf(phases ci.Phases, stage, name string) string {
	rec := &ci.Record{}
	rec.Merge(&ci.Report{Project: "p", Pipeline: ci.Pipeline{ID: 1}, Jobs: []ci.Attempt{{ID: "1", Name: name, Stage: stage}}})
	rec.Derive(ci.Definitions{Phases: phases}, "")
	return rec.Attempts["#1"].Phase
}

// The defaults mean what they mean to the original's client.
func TestDefaultPhases(t *testing.T) {
	t.Parallel()
	for job, want := range map[[2]string]string{
		{"build", "build-e2e"}: "build", {"build", "build"}: "", {"test", "e2e"}: "e2e", {"e2e", "anything"}: "e2e",
		{"test", "unit"}: "", {"test", "e2e:lint"}: "", {"deploy", "e2e"}: "", {"", "e2e"}: "",
	} {
		if got := phaseOf(ci.DefaultPhases(), job[0], job[1]); got != want {
			t.Errorf("%v is in phase %q, want %q", job, got, want)
		}
	}
}

// A pattern is what a regular expression says of it.
func TestPatterns(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		letters := rapid.StringOfN(rapid.RuneFrom([]rune("ab/é")), 0, 8, -1)
		pattern := rapid.StringOfN(rapid.RuneFrom([]rune("ab/é*?")), 1, 8, -1).Draw(t, "pattern")
		text := letters.Draw(t, "text")
		quoted := strings.NewReplacer(`\*`, "(?s:.*)", `\?`, "(?s:.)").Replace(regexp.QuoteMeta(pattern))
		want := regexp.MustCompile("^" + quoted + "$").MatchString(text)
		if got := phaseOf(ci.Phases{{Name: "x", Jobs: []string{pattern}}}, "", "."+text) != ""; got != regexp.MustCompile("^"+quoted+"$").MatchString("."+text) {
			t.Fatalf("%q on %q: %v", pattern, "."+text, got)
		}
		if text != "" {
			if got := phaseOf(ci.Phases{{Name: "x", Jobs: []string{pattern}}}, "", text) != ""; got != want {
				t.Fatalf("%q on %q: %v", pattern, text, got)
			}
		}
	})
}

// A phase of steps: in the jobs that match, out of one source.
func TestPhaseOfSteps(t *testing.T) {
	t.Parallel()
	up := func(source ci.StepSource, start, took float64) ci.Step {
		return ci.Step{Name: "up", Source: source, StartedAt: at(start), DurationS: took}
	}
	a := ran("1", "e2e one", 0, 10, 110)
	a.Steps = []ci.Step{up(ci.StepsReported, 12, 20), {Name: "up_images", DurationS: 3}, up(ci.StepsMarkers, 13, 19), {Name: "e2e", DurationS: 50}}
	b := ran("2", "e2e two", 0, 5, 60)
	b.Steps = []ci.Step{up(ci.StepsSections, 6, 40)}
	other := ran("3", "unit", 0, 1, 2)
	other.Steps = []ci.Step{up("", 1, 1)}
	rec := &ci.Record{}
	rec.Merge(&ci.Report{Project: "p", Pipeline: ci.Pipeline{ID: 1, CreatedAt: nine}, Jobs: []ci.Attempt{a, b, other}})
	rec.Derive(ci.Definitions{Phases: ci.Phases{{Name: "set-up", Jobs: []string{"e2e *"}, Steps: []string{"up*"}}}}, "")
	want := []ci.PhaseTimes{{
		Phase: "set-up", FirstStart: at(6), LastFinish: at(46), Attempts: 2,
		TimeToMS: new(int64(6000)), SpanMS: new(int64(40_000)), WorkMS: new(int64(63_000)),
	}}
	if diff := gocmp.Diff(want, rec.Phases); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestDefinitionsAreChecked(t *testing.T) {
	t.Parallel()
	if err := ci.DefaultDefinitions().Validate(); err != nil {
		t.Errorf("the defaults: %v", err)
	}
	bad := ci.Settings{
		LateAfterS: new(-1.0), Phases: ci.Phases{{Name: "a", Jobs: []string{"x", ""}}, {Name: "a"}},
		Milestones: []ci.Milestone{{Name: "m", Phase: "b", At: "now"}}, Objectives: []ci.Objective{{Metric: "active", Percentile: 80, MaxS: 1}},
	}
	bad.Regression = ci.RegressionRule{Recent: new(0), FloorS: new(-1.0)}
	err := bad.Validate(ci.DefaultDefinitions())
	invalid, ok := err.(*ci.InvalidError) //nolint:errorlint // it is not wrapped
	if !ok {
		t.Fatalf("%v is no InvalidError", err)
	}
	var got []string
	for _, f := range invalid.Fields {
		got = append(got, f.Pointer)
	}
	want := []string{"/late_after_s", "/milestones/0/at", "/milestones/0/phase", "/objectives/0/percentile", "/phases/0/jobs/1", "/phases/1", "/phases/1/name", "/regression/floor_s", "/regression/recent"}
	slices.Sort(got)
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Every change of a definition is another hash, and a change of what is shown
// alone is not.
func TestHashOfDefinitions(t *testing.T) {
	t.Parallel()
	server := ci.DefaultDefinitions()
	same := ci.Settings{Milestones: []ci.Milestone{{Name: "m", Phase: "e2e", At: "start"}}, DefaultBranch: "trunk"}.Definitions(server)
	if same.Hash() != server.Hash() {
		t.Error("a milestone is another hash")
	}
	for name, other := range map[string]ci.Settings{
		"no phase": {Phases: ci.Phases{}}, "late after": {LateAfterS: new(61.0)}, "a phase": {Phases: ci.Phases{{Name: "x", Jobs: []string{"*"}}}},
	} {
		if by := other.Definitions(server); by.Hash() == server.Hash() {
			t.Errorf("%s is the same hash", name)
		}
	}
	if server.LateAfter != time.Minute {
		t.Errorf("late after %v", server.LateAfter)
	}
}
