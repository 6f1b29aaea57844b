package grafana_test

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/grafana"
)

// committed is the folder that Grafana is provisioned from.
const committed = "../../deploy/grafana/dashboards"

// TestMain writes the files first where -update asks for it: the other tests
// read them.
func TestMain(m *testing.M) {
	update := flag.Bool("update", false, "write the dashboards into "+committed)
	flag.Parse()
	if *update {
		if _, err := grafana.Export(committed, ""); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

func TestCommittedDashboardsAreWhatTheStructsSay(t *testing.T) {
	t.Parallel()
	var names []string
	for _, f := range grafana.Dashboards() {
		names = append(names, filepath.Join(committed, f.Name))
		want, err := f.JSON()
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join(committed, f.Name))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s is out of date; run this test with -update (-want +got):\n%s", f.Name, diff)
		}
	}
	files, err := filepath.Glob(filepath.Join(committed, "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(names, files); diff != "" {
		t.Errorf("files in %s (-want +got):\n%s", committed, diff)
	}
}

func TestExportOpensWithTheDataSourceThatWasAskedFor(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "made", "on the way")
	paths, err := grafana.Export(dir, "my-postgres")
	if err != nil {
		t.Fatal(err)
	}
	if len(paths) != len(grafana.Dashboards()) {
		t.Errorf("wrote %q, want a file a dashboard", paths)
	}
	for _, path := range paths {
		d := readDashboard(t, path)
		for _, v := range d.Templating.List {
			if v.Name == "ds" && (v.Current == nil || v.Current.Value != "my-postgres") {
				t.Errorf("%s: the variable ds opens with %+v, want my-postgres", path, v.Current)
			}
		}
	}
}
