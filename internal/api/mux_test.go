package api_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

// Bytes that are no text are the sender's mistake on every engine; to one of
// them the database would seem to be away.
func TestWhatIsNoText(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		f := serveOn(t, s)
		for path, parameter := range map[string]string{
			"project?project=%00": "project", "project?project=%ff": "project", "project/settings?project=a%00": "project", "completeness?provider=%00": "provider",
			"deliveries?provider=%ff": "provider", "projects?cursor=AA": "cursor", "completeness?cursor=_w": "cursor", "stats?metric=%00": "metric",
		} {
			if got := f.get(t, "/api/v1/"+path, http.StatusBadRequest); !strings.Contains(got, `"parameter":"`+parameter+`"`) {
				t.Errorf("%s: %s", path, got)
			}
		}
		for _, header := range []map[string]string{
			{"Ce-Type": "\xff", "Ce-Id": "1"}, {"Ce-Type": "dev.cdevents.pipelinerun.started.0.2.0", "Ce-Id": "\xff"},
		} {
			header["Ce-Source"], header["Ce-Specversion"], header["Content-Type"] = "x", "1.0", "application/json"
			f.doWith(t, http.MethodPost, "/api/v1/cdevents", "{}", http.StatusAccepted, header)
		}
	})
}
