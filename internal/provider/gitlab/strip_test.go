package gitlab_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/provider/gitlab"
)

func TestStripGolden(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"pipeline_success", "job_retried", "push", "deployment"} {
		got, err := gitlab.Strip(read(t, "testdata/"+name+".json"))
		if err != nil {
			t.Fatal(err)
		}
		var indented bytes.Buffer
		if err := json.Indent(&indented, got, "", "\t"); err != nil {
			t.Fatal(err)
		}
		indented.WriteByte('\n')
		golden(t, "testdata/"+name+".stripped.golden", indented.Bytes())
	}
}

func TestStrip(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		` {"a" : [1, 2.50, 1e400, true, null, "<&>"] , "b":{}, "c":[]} `: `{"a":[1,2.50,1e400,true,null,"<&>"],"b":{},"c":[]}`,
		`"text"`: `"text"`,
		`[]`:     `[]`,
		`{"user":{"email":"a@b.example","Email":{"x":1},"USER_EMAIL":[1],"name":"a@b.example"}}`:                                          `{"user":{"name":"[REDACTED]"}}`,
		`{"variables":[{"key":"K","value":"secret"}],"x":{"variables":{}},"y":[{"variables":1}]}`:                                         `{"x":{},"y":[{}]}`,
		`{"commit":{"author_url":"mailto:a@b.example","message":"by A <a@b.example>,\n<c@localhost>"}}`:                                   `{"commit":{"author_url":"mailto:[REDACTED]","message":"by A <[REDACTED]>,\n<[REDACTED]>"}}`,
		`{"title":"j\u00f6hn\u0040b.example and a@b@c.example"}`:                                                                          `{"title":"[REDACTED] and [REDACTED]"}`,
		`{"user":{"avatar_url":"https://www.gravatar.com/avatar/0123"},"user_avatar":"x","a":1}`:                                          `{"user":{},"a":1}`,
		`{"builds":[{"name":"a@b.example","runner":{"description":"a@b.example","tags":["a@b.example"]},"user":{"name":"a@b.example"}}]}`: `{"builds":[{"name":"a@b.example","runner":{"description":"a@b.example","tags":["a@b.example"]},"user":{"name":"[REDACTED]"}}]}`,
		`{"project":{"git_ssh_url":"git@b.example:g/p.git","description":"ask a@b.example"}}`:                                             `{"project":{"git_ssh_url":"git@b.example:g/p.git","description":"ask [REDACTED]"}}`,
		`{"a":"` + "\xff" + `"}`: `{"a":"` + "\ufffd" + `"}`,
	} {
		got, err := gitlab.Strip([]byte(in))
		if err != nil {
			t.Errorf("%s: %v", in, err)
		}
		if diff := cmp.Diff(want, string(got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", in, diff)
		}
	}
	for _, in := range []string{``, `{`, `{} {}`, `{"a":}`, strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000)} {
		if got, err := gitlab.Strip([]byte(in)); err == nil {
			t.Errorf("%.20s: %.20s, want an error", in, got)
		}
	}
}

// Of all samples nothing is left that looks like an address, but for git's own
// and names.
func TestStripLeavesNoAddress(t *testing.T) {
	t.Parallel()
	for file, body := range samples(t) {
		got, err := gitlab.Strip(body)
		if err != nil {
			t.Fatal(err)
		}
		for _, word := range []string{"@acme.example", "gravatar", "a-secret"} {
			if bytes.Contains(got, []byte(word)) {
				t.Errorf("%s: %q is left in %s", file, word, got)
			}
		}
	}
}

// FuzzStrip: nothing panics, what comes out is JSON without the unwanted keys,
// and nothing else went away.
func FuzzStrip(f *testing.F) {
	for _, body := range samples(f) {
		f.Add(body)
	}
	f.Add([]byte(`{"a":{"variables":[{"b":[]}],"emails":"","c":"\ud800 a@b"},"a":[[],{}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := gitlab.Strip(body)
		if err != nil {
			return
		}
		var before, after any
		if err := json.Unmarshal(got, &after); err != nil {
			t.Fatalf("%s: %v", got, err)
		}
		if json.Unmarshal(body, &before) != nil {
			return // a number beyond float64
		}
		if diff := cmp.Diff(without(before), without(after)); diff != "" {
			t.Fatalf("(-before +after):\n%s", diff)
		}
	})
}

// without is a value in which texts with an @ and unwanted keys are left out.
func without(v any) any {
	switch v := v.(type) {
	case string:
		if strings.Contains(v, "@") || strings.Contains(v, "[REDACTED]") {
			return "an address"
		}
	case []any:
		for i := range v {
			v[i] = without(v[i])
		}
	case map[string]any:
		for key, inner := range v {
			lower := strings.ToLower(strings.ToUpper(key))
			switch {
			case lower == "email", lower == "emails", lower == "variables", lower == "avatar_url", lower == "user_avatar", strings.HasSuffix(lower, "_email"):
				delete(v, key)
			default:
				v[key] = without(inner)
			}
		}
	}
	return v
}
