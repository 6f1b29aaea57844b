package redact_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/provider/redact"
)

// What a provider's rules add to what goes everywhere; the providers' own tests
// have the rest.
func TestRules(t *testing.T) {
	t.Parallel()
	rules := redact.Rules{Unwanted: redact.Keys("secret"), Kept: redact.Keys("ref", "steps/name")}
	for in, want := range map[string]string{
		`{"Secret":{"a":[1]},"SECRETS":1,"public_email":"x","n":1e400}`:              `{"SECRETS":1,"n":1e400}`,
		`{"REF":"a@b.example","ref":["a@b.example"],"ref2":"a@b.example"}`:           `{"REF":"a@b.example","ref":["a@b.example"],"ref2":"[REDACTED]"}`,
		`{"steps":[[{"name":"a@b.example"}]],"name":"a@b.example"}`:                  `{"steps":[[{"name":"a@b.example"}]],"name":"[REDACTED]"}`,
		`{"steps":{"by":{"name":"a@b.example"},"name":"a@b.example"},"a@b.c":"@ 5"}`: `{"steps":{"by":{"name":"[REDACTED]"},"name":"a@b.example"},"a@b.c":"@ 5"}`,
	} {
		got, err := rules.JSON([]byte(in))
		if err != nil {
			t.Errorf("%s: %v", in, err)
		}
		if diff := cmp.Diff(want, string(got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", in, diff)
		}
	}
	if got, err := (redact.Rules{}).JSON([]byte(`{"a":1} x`)); err == nil {
		t.Errorf("got %s", got)
	}
}
