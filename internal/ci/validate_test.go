package ci_test

import (
	"errors"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
)

func TestParentIsValidated(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		parent *ci.Parent
		want   []string
	}{
		{nil, nil},
		{&ci.Parent{Project: "acme/all", PipelineID: 1}, nil},
		{&ci.Parent{PipelineID: -1, JobID: "\x00"}, []string{"/pipeline/parent/project", "/pipeline/parent/pipeline_id", "/pipeline/parent/job_id"}},
	} {
		r := ci.Report{Project: "p", Pipeline: ci.Pipeline{ID: 1, Parent: tc.parent}}
		var got []string
		if invalid, ok := errors.AsType[*ci.InvalidError](r.Validate()); ok {
			for _, f := range invalid.Fields {
				got = append(got, f.Pointer)
			}
		}
		if diff := gocmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", tc.parent, diff)
		}
	}
}
