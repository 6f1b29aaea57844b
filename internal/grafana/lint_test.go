package grafana_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/grafana"
)

// The three queries of the original's guide are kept to the letter, with a
// bare '$project': no other query may have one.
var bareOnPurpose = []string{"Pipelines", "Time to the first e2e job", "E2e in total"}

var (
	// Grafana's own names begin with two underscores.
	bareVariable = regexp.MustCompile(`\$\{?[A-Za-z][A-Za-z0-9_]*\}?|\[\[.*?\]\]`)
	quoted       = regexp.MustCompile(`\$\{[a-z_]+:sqlstring\}`)
	timeFilter   = regexp.MustCompile(`\$__(timeFilter|unixEpochFilter)\([a-z_.]+\)`)
	usedVariable = regexp.MustCompile(`\$\{([A-Za-z][A-Za-z0-9_]*)(?::[a-z]+)?\}|\$([A-Za-z][A-Za-z0-9_]*)`)
)

func readDashboard(t *testing.T, path string) grafana.Dashboard {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var d grafana.Dashboard
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&d); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return d
}

// eachDashboard runs a check on each file as it is committed.
func eachDashboard(t *testing.T, check func(t *testing.T, name string, d grafana.Dashboard)) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(committed, "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no dashboards in %s: %v", committed, err)
	}
	for _, path := range files {
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			check(t, filepath.Base(path), readDashboard(t, path))
		})
	}
}

func TestDashboardIsComplete(t *testing.T) {
	t.Parallel()
	uids := map[string]string{}
	for _, f := range grafana.Dashboards() {
		d := f.Dashboard
		if d.UID == "" || d.Title == "" || d.Description == "" || d.ID != nil {
			t.Errorf("%s: uid %q, title %q, description %q, id %v; want all but the id", f.Name, d.UID, d.Title, d.Description, d.ID)
		}
		if d.SchemaVersion < 39 || d.SchemaVersion > 41 {
			t.Errorf("%s: schemaVersion %d, want 39 to 41, which every Grafana from 10 on reads", f.Name, d.SchemaVersion)
		}
		if other, taken := uids[d.UID]; taken {
			t.Errorf("%s and %s have one uid, %q", f.Name, other, d.UID)
		}
		uids[d.UID] = f.Name
	}
}

func TestPanelsAreComplete(t *testing.T) {
	t.Parallel()
	eachDashboard(t, func(t *testing.T, _ string, d grafana.Dashboard) {
		ids := map[int]bool{}
		for _, p := range d.Panels {
			if p.ID < 1 || ids[p.ID] {
				t.Errorf("%s: the id %d is not its own", p.Title, p.ID)
			}
			ids[p.ID] = true
			c := p.FieldConfig.Defaults
			if p.Title == "" || p.Description == "" || c.Unit == "" || c.NoValue == "" {
				t.Errorf("panel %d: title %q, description %q, unit %q, noValue %q; want all", p.ID, p.Title, p.Description, c.Unit, c.NoValue)
			}
			if p.Datasource.UID != "${ds}" {
				t.Errorf("%s: data source %q, want ${ds}", p.Title, p.Datasource.UID)
			}
			if len(p.Targets) == 0 {
				t.Errorf("%s asks nothing", p.Title)
			}
			for _, q := range p.Targets {
				if q.Datasource.UID != "${ds}" || !q.RawQuery {
					t.Errorf("%s: query %s goes to %q, raw %v", p.Title, q.RefID, q.Datasource.UID, q.RawQuery)
				}
			}
		}
	})
}

func TestPanelsDoNotOverlap(t *testing.T) {
	t.Parallel()
	eachDashboard(t, func(t *testing.T, _ string, d grafana.Dashboard) {
		type cell struct{ x, y int }
		taken := map[cell]string{}
		for _, p := range d.Panels {
			g := p.GridPos
			if g.W < 1 || g.H < 1 || g.X < 0 || g.Y < 0 || g.X+g.W > 24 {
				t.Errorf("%s is off the grid: %+v", p.Title, g)
			}
			for x := g.X; x < g.X+g.W; x++ {
				for y := g.Y; y < g.Y+g.H; y++ {
					if other, is := taken[cell{x, y}]; is {
						t.Fatalf("%s lies on %s at %d, %d", p.Title, other, x, y)
					}
					taken[cell{x, y}] = p.Title
				}
			}
		}
	})
}

func TestQueriesQuoteTheirVariables(t *testing.T) {
	t.Parallel()
	eachDashboard(t, func(t *testing.T, name string, d grafana.Dashboard) {
		for title, sql := range queries(d) {
			if !timeFilter.MatchString(sql) {
				t.Errorf("%s has no time filter on a plain column:\n%s", title, sql)
			}
			bare := bareVariable.FindAllString(quoted.ReplaceAllString(sql, ""), -1)
			if name == "seed.json" && slices.Contains(bareOnPurpose, title) {
				if !slices.Equal(bare, []string{"$project"}) {
					t.Errorf("%s is no longer the guide's query: bare variables %q", title, bare)
				}
				continue
			}
			if len(bare) > 0 {
				t.Errorf("%s: %q; Grafana quotes these differently from version to version: write ${name:sqlstring}", title, bare)
			}
		}
	})
}

// queries are the SQL of all panels and variables, by title.
func queries(d grafana.Dashboard) map[string]string {
	all := map[string]string{}
	for _, p := range d.Panels {
		for _, q := range p.Targets {
			all[p.Title] = q.RawSQL
		}
	}
	for _, v := range d.Templating.List {
		if v.Type == "query" {
			all["variable "+v.Name] = v.Query
		}
	}
	return all
}

func TestProjectVariable(t *testing.T) {
	t.Parallel()
	eachDashboard(t, func(t *testing.T, name string, d grafana.Dashboard) {
		i := slices.IndexFunc(d.Templating.List, func(v grafana.Variable) bool { return v.Name == "project" })
		if i < 0 {
			t.Fatal("no variable project")
		}
		v := d.Templating.List[i]
		several := name != "seed.json" // the guide's '$project' is right for one alone
		if v.Multi != several || v.IncludeAll != several {
			t.Errorf("multi %v, includeAll %v; want %v", v.Multi, v.IncludeAll, several)
		}
		if v.Refresh != 2 {
			t.Errorf("refresh %d, want 2: its query has a time filter", v.Refresh)
		}
		if v.Datasource == nil || v.Datasource.UID != "${ds}" {
			t.Errorf("data source %+v, want ${ds}", v.Datasource)
		}
	})
}

func TestEveryVariableIsThereAndUsed(t *testing.T) {
	t.Parallel()
	eachDashboard(t, func(t *testing.T, name string, d grafana.Dashboard) {
		b, err := os.ReadFile(filepath.Join(committed, name))
		if err != nil {
			t.Fatal(err)
		}
		used := map[string]bool{}
		for _, m := range usedVariable.FindAllStringSubmatch(string(b), -1) {
			used[m[1]+m[2]] = true
		}
		for _, v := range d.Templating.List {
			if !used[v.Name] {
				t.Errorf("nothing uses the variable %s", v.Name)
			}
			delete(used, v.Name)
		}
		for v := range used {
			t.Errorf("there is no variable %s", v)
		}
		if !strings.Contains(string(b), "${pmc_url}/p/${") {
			t.Error("no value leads back to our own pages")
		}
	})
}
