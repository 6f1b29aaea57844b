package gitlab_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/provider/gitlab"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/provider/gitlab/gitlabtest"
)

func TestHooksAreInstalledOnce(t *testing.T) {
	t.Parallel()
	const address = "https://metrics.example.com/api/v1/webhooks/gitlab"
	w := gitlabtest.Generate(5, 20)
	w.AddProject("acme/empty")
	project := w.Projects[0]
	for id := int64(1); id <= 120; id++ { // ours is on the second page
		project.Hooks = append(project.Hooks, &gitlabtest.Hook{ID: id, URL: "https://other.example.com/hook", Token: "theirs", Events: map[string]bool{"push_events": true}, Alert: "executable"})
	}
	s := gitlabtest.Serve(t, w, gitlabtest.Faults{}, nil)
	c := clientOf(t, s)
	install := func(path string, h gitlab.Hook, want gitlab.Installed) *gitlabtest.Hook {
		t.Helper()
		did, err := c.Install(t.Context(), projectOf(t, c, path), h)
		if err != nil || did != want {
			t.Errorf("%s: %q %v, want %q", path, did, err, want)
		}
		for _, p := range w.Projects {
			if p.Path == path {
				return p.Hooks[len(p.Hooks)-1]
			}
		}
		return nil
	}
	h := gitlab.Hook{URL: address, Secret: "first secret", VerifyTLS: true}
	hook := install("acme/shop", h, gitlab.HookCreated)
	if diff := cmp.Diff(map[string]bool{"push_events": false, "pipeline_events": true, "job_events": true, "deployment_events": true}, hook.Events); diff != "" || hook.Token != "first secret" || !hook.EnableSSL {
		t.Errorf("%+v %s", hook, diff)
	}
	h.Secret = "second secret"
	if install("acme/shop", h, gitlab.HookKept); len(project.Hooks) != 121 || hook.Token != "second secret" {
		t.Errorf("%d hooks, %+v", len(project.Hooks), hook)
	}
	hook.Events["job_events"] = false
	if install("acme/shop", h, gitlab.HookChanged); !hook.Events["job_events"] {
		t.Errorf("%+v", hook)
	}
	hook.Alert = "disabled"
	if install("acme/shop", h, gitlab.HookEnabled); hook.Alert != "executable" || len(project.Hooks) != 121 {
		t.Errorf("%d hooks, %+v", len(project.Hooks), hook)
	}
	hook.Alert, hook.TestsFail = "temporarily_disabled", true
	fresh := install("acme/shop", gitlab.Hook{URL: address, SigningToken: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}, gitlab.HookEnabled)
	if fresh == hook || fresh.Alert != "executable" || fresh.SigningToken == "" || fresh.EnableSSL || len(project.Hooks) != 121 {
		t.Errorf("%d hooks, %+v", len(project.Hooks), fresh)
	}
	if project.Hooks[0].Token != "theirs" || !project.Hooks[0].Events["push_events"] {
		t.Error("a hook of others was changed")
	}
	install("acme/empty", h, gitlab.HookCreated).Alert = "disabled"
	install("acme/empty", h, gitlab.HookEnabled)
	if _, err := c.Install(t.Context(), gitlab.Project{ID: 99_999, Path: "acme/none"}, h); err == nil {
		t.Error("a project that is not there has a hook")
	}
}
