package ci_test

import (
	"math"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
)

// What is said of a rule stands, what is not is as usual, and what is as usual
// is not kept.
func TestRegressionRule(t *testing.T) {
	t.Parallel()
	if err := ci.UsualRegression().Validate(); err != nil {
		t.Errorf("the usual rule: %v", err)
	}
	own := ci.RegressionRule{Recent: new(5), Clear: new(0.0), FloorS: new(60.0)}
	full := own.Or(ci.UsualRegression())
	want := ci.RegressionRule{new(5), new(24), new(8), new(.25), new(0.0), new(60.0), new(30.0)}
	if diff := gocmp.Diff(want, full); diff != "" {
		t.Errorf("in force (-want +got):\n%s", diff)
	}
	if diff := gocmp.Diff(ci.RegressionRule{Recent: new(5), Clear: new(0.0)}, full.Own()); diff != "" {
		t.Errorf("kept (-want +got):\n%s", diff)
	}
	for pointer, bad := range map[string]ci.RegressionRule{
		"/recent": {Recent: new(51)}, "/baseline": {Baseline: new(0)}, "/least": {Least: new(25)}, "/rise": {Rise: new(math.NaN())},
		"/clear": {Clear: new(.3)}, "/floor_s": {FloorS: new(-1.0)}, "/job_floor_s": {JobFloorS: new(math.Inf(1))},
	} {
		invalid, ok := bad.Validate().(*ci.InvalidError) //nolint:errorlint // it is not wrapped
		if !ok || len(invalid.Fields) != 1 || invalid.Fields[0].Pointer != pointer {
			t.Errorf("%s: %v", pointer, bad.Validate())
		}
	}
}
