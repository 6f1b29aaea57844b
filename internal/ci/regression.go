package ci

import "fmt"

// A RegressionRule is the figures of the rule that says what got slower, where
// people decide on them; those that are nil are as UsualRegression has them.
type RegressionRule struct {
	Recent   *int     `json:"recent,omitempty"`   // how many of the latest values are looked at
	Baseline *int     `json:"baseline,omitempty"` // how many before them they are compared with, at the most
	Least    *int     `json:"least,omitempty"`    // and at the least
	Rise     *float64 `json:"rise,omitempty"`     // share of the baseline by which the median must rise
	Clear    *float64 `json:"clear,omitempty"`    // it is over when the median is less than this share above the baseline
	// Seconds by which the median must rise: of what a pipeline takes, and of what
	// a job or step does.
	FloorS    *float64 `json:"floor_s,omitempty"`
	JobFloorS *float64 `json:"job_floor_s,omitempty"`
}

// UsualRegression is made for few values: ten pipelines a day. It has all
// figures.
func UsualRegression() RegressionRule {
	return RegressionRule{new(3), new(24), new(8), new(0.25), new(0.1), new(60.0), new(30.0)}
}

// The bounds of the figures.
const (
	maxRecent   = 50
	maxBaseline = 1000
	maxShare    = 100.0
	maxFloor    = 7 * 24 * 3600.0 // seconds
)

// Or has the figures of another rule where it has none of its own.
func (r RegressionRule) Or(other RegressionRule) RegressionRule {
	ints, floats := r.figures()
	otherInts, otherFloats := other.figures()
	for i, f := range ints {
		if *f == nil {
			*f = *otherInts[i]
		}
	}
	for i, f := range floats {
		if *f == nil {
			*f = *otherFloats[i]
		}
	}
	return r
}

// Own are the figures that are not as usual.
func (r RegressionRule) Own() RegressionRule {
	usual := UsualRegression()
	ints, floats := r.figures()
	usualInts, usualFloats := usual.figures()
	for i, f := range ints {
		if *f != nil && **f == **usualInts[i] {
			*f = nil
		}
	}
	for i, f := range floats {
		if *f != nil && **f == **usualFloats[i] {
			*f = nil
		}
	}
	return r
}

func (r *RegressionRule) figures() (ints []**int, floats []**float64) {
	return []**int{&r.Recent, &r.Baseline, &r.Least}, []**float64{&r.Rise, &r.Clear, &r.FloorS, &r.JobFloorS}
}

// Validate returns an *InvalidError that lists everything wrong with the
// figures, by their keys, or nil.
func (r RegressionRule) Validate() error {
	v := &validator{}
	full := r.Or(UsualRegression())
	for _, f := range []struct {
		key   string
		value int
		most  int
	}{{"/recent", *full.Recent, maxRecent}, {"/baseline", *full.Baseline, maxBaseline}, {"/least", *full.Least, maxBaseline}} {
		if f.value < 1 || f.value > f.most {
			v.bad(f.key, fmt.Sprintf("must be a whole number from 1 to %d", f.most))
		}
	}
	for _, f := range []struct {
		key   string
		value float64
		most  float64
		say   string
	}{
		{"/rise", *full.Rise, maxShare, "must be from 0 to 100 times the baseline"},
		{"/clear", *full.Clear, maxShare, "must be from 0 to 100 times the baseline"},
		{"/floor_s", *full.FloorS, maxFloor, "must be from 0 seconds to a week"},
		{"/job_floor_s", *full.JobFloorS, maxFloor, "must be from 0 seconds to a week"},
	} {
		if !(f.value >= 0 && f.value <= f.most) { // NaN is neither
			v.bad(f.key, f.say)
		}
	}
	if len(v.fields) > 0 {
		return &InvalidError{Fields: v.fields}
	}
	switch {
	case *full.Least > *full.Baseline:
		v.bad("/least", fmt.Sprintf("can't be more than baseline, which is %d", *full.Baseline))
	case *full.Clear > *full.Rise:
		v.bad("/clear", "can't be more than the rise: it would be over as it begins")
	default:
		return nil
	}
	return &InvalidError{Fields: v.fields}
}
