package provider_test

import (
	"net/http"
	"reflect"
	"testing"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/provider"
)

// Each of them has everything, asks for a secret, and reads what it stores.
func TestWebhooks(t *testing.T) {
	t.Parallel()
	for name, event := range map[string]struct{ name, body string }{
		"gitea":  {"workflow_run", `{"workflow_run":{"id":1,"repository":{"owner":{"email":"a@b.example"}}},"repository":{"full_name":"a/b"}}`},
		"github": {"workflow_run", `{"workflow_run":{"id":1,"head_commit":{"author":{"email":"a@b.example"}}},"repository":{"full_name":"a/b"}}`},
		"gitlab": {"Pipeline Hook", `{"object_kind":"pipeline","object_attributes":{"id":1},"project":{"path_with_namespace":"p"},"user":{"email":"a@b.example"}}`},
	} {
		w, found := provider.FindWebhook(name)
		if !found {
			t.Fatalf("there is no %s", name)
		}
		v := reflect.ValueOf(w)
		for i := range v.NumField() {
			if v.Field(i).IsNil() {
				t.Errorf("%s has no %s", name, v.Type().Field(i).Name)
			}
		}
		if err := w.Authenticate(http.Header{}, []byte(event.body), time.Now()); err == nil {
			t.Errorf("%s: a delivery is authentic without any secret", name)
		}
		stored, err := w.Strip([]byte(event.body))
		if err != nil {
			t.Fatal(err)
		}
		if reports, err := w.Parse(event.name, stored); len(reports) != 1 || err != nil {
			t.Errorf("%s: %d reports, %v", name, len(reports), err)
		}
	}
	if _, found := provider.FindWebhook("nobody"); found {
		t.Error("nobody is a provider")
	}
}
