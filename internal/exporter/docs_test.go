package exporter_test

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/exporter"
)

// names are those of the series, with their labels.
func names(t *testing.T) map[string]string {
	t.Helper()
	described := make(chan *prometheus.Desc)
	go func() {
		exporter.Describe(described)
		close(described)
	}()
	all := map[string]string{}
	form := regexp.MustCompile(`fqName: "(\w+)".*variableLabels: \{([^}]*)\}`)
	for d := range described {
		m := form.FindStringSubmatch(d.String())
		if m == nil {
			t.Fatalf("%s names nothing", d)
		}
		all[m[1]] = m[2]
	}
	return all
}

// docs/prometheus.md lists each series with its labels, and the rules that come
// with the program ask for no others.
func TestDocuments(t *testing.T) {
	t.Parallel()
	read := func(name string) string {
		b, err := os.ReadFile(filepath.Join("..", "..", filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	document, want := read("docs/prometheus.md"), names(t)
	got := map[string]string{}
	for _, m := range regexp.MustCompile("(?m)^\\| `(cicd_\\w+)(?:\\{(.*?)\\})?` \\|").FindAllStringSubmatch(document, -1) {
		got[m[1]] = m[2]
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("docs/prometheus.md (-want +got):\n%s", diff)
	}
	known := slices.Collect(maps.Keys(want))
	for name, text := range map[string]string{"the document": document, "the alerts": read("deploy/prometheus/alerts.yaml")} {
		asked := regexp.MustCompile(`\bcicd_\w*[a-z]`).FindAllString(text, -1)
		if len(asked) == 0 {
			t.Errorf("%s: no series is asked for", name)
		}
		for _, one := range asked {
			if !slices.Contains(known, one) && !slices.ContainsFunc(known, func(k string) bool { return strings.HasPrefix(k, one+"_") }) {
				t.Errorf("%s: %s is no series", name, one)
			}
		}
	}
}
