package exporter_test

import (
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/exporter"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
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

// readFile reads a file of the repository.
func readFile(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// docs/prometheus.md lists each series with its labels, and the rules that come
// with the program ask for no others.
func TestDocuments(t *testing.T) {
	t.Parallel()
	document, want := readFile(t, "docs/prometheus.md"), names(t)
	got := map[string]string{}
	for _, m := range regexp.MustCompile("(?m)^\\| `(cicd_\\w+)(?:\\{(.*?)\\})?` \\|").FindAllStringSubmatch(document, -1) {
		got[m[1]] = m[2]
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("docs/prometheus.md (-want +got):\n%s", diff)
	}
	known := slices.Collect(maps.Keys(want))
	for name, text := range map[string]string{"the document": document, "the alerts": readFile(t, "deploy/prometheus/alerts.yaml")} {
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

// The scrapes that come with the program ask what is answered, and the rules are
// such that Prometheus reads them.
func TestDeployed(t *testing.T) {
	t.Parallel()
	var config struct {
		RuleFiles []string `yaml:"rule_files"`
		Scrapes   []struct {
			Path   string     `yaml:"metrics_path"`
			Params url.Values `yaml:"params"`
		} `yaml:"scrape_configs"`
	}
	var rules struct {
		Groups []struct {
			Name  string
			Rules []struct {
				Alert, Expr         string
				For                 time.Duration
				Labels, Annotations map[string]string
			}
		}
	}
	if err := yaml.Unmarshal([]byte(readFile(t, "deploy/prometheus/prometheus.yaml")), &config); err != nil {
		t.Fatal(err)
	}
	if err := yaml.UnmarshalWithOptions([]byte(readFile(t, "deploy/prometheus/alerts.yaml")), &rules, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	f := siteOf(t, storetest.Open(t, storetest.SQLite(t)))
	asked := 0
	for _, s := range config.Scrapes {
		if s.Path != "" {
			f.get(t, s.Path+"?"+s.Params.Encode(), http.StatusOK)
			asked += len(s.Params["question"])
		}
	}
	if asked != 3 || len(config.RuleFiles) != 1 || len(rules.Groups) != 1 {
		t.Errorf("%d questions are asked, want all three; %d groups of rules", asked, len(rules.Groups))
	}
	for _, r := range rules.Groups[0].Rules {
		if r.Alert == "" || r.Expr == "" || r.Labels["severity"] == "" || r.Annotations["summary"] == "" {
			t.Errorf("a rule lacks something: %+v", r)
		}
	}
}
