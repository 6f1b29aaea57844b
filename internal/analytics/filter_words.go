package analytics

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
)

// parseWords checks and reads the parameters that are words of ours.
func (f *Filter) parseWords(q url.Values, _ time.Time) error {
	if len(f.Refs) == 1 && f.Refs[0] == DefaultRef {
		f.Refs = nil
	}
	for _, ref := range f.Refs {
		if strings.HasPrefix(ref, "@") && !slices.Contains([]string{DefaultRef, AnyRef, ChangeRef}, ref) {
			return &FieldError{"ref", fmt.Sprintf("%q is none of @default, @all, @mr; a branch's or tag's name does not begin with @.", ref)}
		}
	}
	if slices.Contains(f.Refs, AnyRef) {
		f.Refs = []string{AnyRef}
	}
	if err := f.checkStates(); err != nil {
		return err
	}
	if err := choose(q, "restarts", &f.Restarts, RestartsIn, RestartsOut, RestartsOnly); err != nil {
		return err
	}
	if err := choose(q, "bucket", &f.Bucket, append([]string{bucketAuto}, BucketWidths()...)...); err != nil {
		return err
	}
	return f.parseZone(q)
}

func (f *Filter) checkStates() error {
	states := []string{string(ci.Queued), string(ci.Blocked), string(ci.Running), string(ci.Finished), string(ci.Unknown)}
	results := []string{
		ResultOK, ResultAll, string(ci.Success), string(ci.Failure), string(ci.Error),
		string(ci.Timeout), string(ci.Cancellation), string(ci.Skip),
	}
	if err := among("state", f.States, states); err != nil {
		return err
	}
	if err := among("result", f.Results, results); err != nil {
		return err
	}
	if slices.Contains(f.Results, ResultAll) {
		f.Results = []string{ResultAll}
	}
	return nil
}

func among(name string, values, words []string) error {
	for _, v := range values {
		if !slices.Contains(words, v) {
			return &FieldError{name, fmt.Sprintf("%q is none of %s.", v, strings.Join(words, ", "))}
		}
	}
	return nil
}

// choose reads a parameter that is one of some words.
func choose(q url.Values, name string, at *string, words ...string) error {
	word, err := only(q, name)
	if err != nil || word == "" {
		return err
	}
	*at = word
	return among(name, []string{word}, words)
}

func (f *Filter) parseZone(q url.Values) error {
	name, err := only(q, "tz")
	if err != nil || name == "" {
		return err
	}
	zone, err := time.LoadLocation(name)
	if err != nil || name == "Local" {
		return &FieldError{"tz", fmt.Sprintf("%q is no time zone that is known here; one is like Europe/Berlin.", name)}
	}
	f.Zone = zone
	return nil
}
