// Package deploy_test holds the files in this folder against each other and
// against the program. No container engine is needed, or assumed.
package deploy_test

import (
	"encoding/json"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
)

// root is the top of the repository, where compose.yaml is.
const root = ".."

// A composeFile is the part of compose.yaml that the tests look at. What is not
// here is an error: a new key wants a look.
type composeFile struct {
	Services map[string]service
	Volumes  map[string]any
}

type service struct {
	Build           struct{ Context, Dockerfile string }
	Image           string
	Hostname        string
	User            string
	Command         []string
	Ports           []string
	Environment     map[string]string
	Volumes         []string
	Tmpfs           []string
	DependsOn       map[string]struct{ Condition string } `yaml:"depends_on"`
	Healthcheck     healthcheck
	Restart         string
	StopGracePeriod string   `yaml:"stop_grace_period"`
	ReadOnly        bool     `yaml:"read_only"`
	CapDrop         []string `yaml:"cap_drop"`
	SecurityOpt     []string `yaml:"security_opt"`
}

type healthcheck struct {
	Test        []string
	Interval    string
	Timeout     string
	StartPeriod string `yaml:"start_period"`
	Retries     int
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func readYAML(t *testing.T, name string, into any) {
	t.Helper()
	if err := yaml.UnmarshalWithOptions([]byte(readFile(t, name)), into, yaml.Strict()); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

func readCompose(t *testing.T) composeFile {
	t.Helper()
	var c composeFile
	readYAML(t, "compose.yaml", &c)
	return c
}

// pinned is a tag that names one release, such as 15.18-bookworm.
var pinned = regexp.MustCompile(`^[a-z0-9./-]+:\d+\.\d+(\.\d+)?(-[a-z0-9.]+)?$`)

func TestComposeBringsUpTheThreeServices(t *testing.T) {
	t.Parallel()
	c := readCompose(t)
	var names []string
	for name, s := range c.Services {
		names = append(names, name)
		switch {
		case s.Build.Context != "":
			if s.Image != "" {
				t.Errorf("%s is built here and yet has the image %s", name, s.Image)
			}
			readFile(t, path.Join(s.Build.Context, s.Build.Dockerfile))
		case !pinned.MatchString(s.Image):
			t.Errorf("%s: the image %q names no release", name, s.Image)
		}
	}
	slices.Sort(names)
	if diff := cmp.Diff([]string{"db", "grafana", "web"}, names); diff != "" {
		t.Errorf("services (-want +got):\n%s", diff)
	}
	if got := c.Services["web"].Hostname; got != "web" {
		t.Errorf("web calls itself %q, and would refuse requests for http://web:5000", got)
	}
	if c.Services["web"].Build.Context != "." {
		t.Error("web is not built from this repository")
	}
}

func TestComposeIsReachableFromThisMachineAlone(t *testing.T) {
	t.Parallel()
	c := readCompose(t)
	want := map[string][]string{"web": {"127.0.0.1:5000:5000"}, "grafana": {"127.0.0.1:3000:3000"}, "db": nil}
	for name, s := range c.Services {
		if diff := cmp.Diff(want[name], s.Ports); diff != "" {
			t.Errorf("%s: ports (-want +got):\n%s", name, diff)
		}
	}
}

func TestComposeSaysHowToOpenIt(t *testing.T) {
	t.Parallel()
	if got := readCompose(t).Services["web"].Environment["PMC_ALLOW_ANONYMOUS"]; got != "ingest,read" {
		t.Errorf("PMC_ALLOW_ANONYMOUS is %q, want ingest,read: the port is published on this machine alone", got)
	}
	lines := strings.Split(readFile(t, "compose.yaml"), "\n")
	at := slices.IndexFunc(lines, func(l string) bool { return strings.Contains(l, "PMC_ALLOW_ANONYMOUS:") })
	comment := strings.Join(lines[at-3:at], "\n")
	for _, word := range []string{"PMC_INGEST_TOKEN", "PMC_READ_TOKEN", "_FILE", `"5000:5000"`, "PMC_BASE_URL"} {
		if !strings.Contains(comment, word) {
			t.Errorf("the three lines above PMC_ALLOW_ANONYMOUS do not speak of %s:\n%s", word, comment)
		}
	}
}

func TestComposeServicesAreHealthCheckedAndOrdered(t *testing.T) {
	t.Parallel()
	c := readCompose(t)
	image := readDockerfile(t)
	for name, s := range c.Services {
		if len(s.Healthcheck.Test) == 0 && (s.Build.Context == "" || image.last("HEALTHCHECK") == "") {
			t.Errorf("%s has no health check", name)
		}
		if len(s.Healthcheck.Test) > 0 && s.Healthcheck.Test[0] != "CMD" {
			t.Errorf("%s: the health check needs a shell: %q", name, s.Healthcheck.Test)
		}
		for on, is := range s.DependsOn {
			if _, there := c.Services[on]; !there || is.Condition != "service_healthy" {
				t.Errorf("%s waits for %s to be %q, want service_healthy", name, on, is.Condition)
			}
		}
		if s.Restart != "unless-stopped" {
			t.Errorf("%s: restart is %q", name, s.Restart)
		}
	}
	if _, waits := c.Services["web"].DependsOn["db"]; !waits {
		t.Error("web does not wait for its database")
	}
	if _, waits := c.Services["grafana"].DependsOn["web"]; !waits {
		t.Error("grafana does not wait for web, which makes the views")
	}
}

func TestComposeGivesAwayNoRights(t *testing.T) {
	t.Parallel()
	for name, s := range readCompose(t).Services {
		if !s.ReadOnly {
			t.Errorf("%s: its file system can be written", name)
		}
		if diff := cmp.Diff([]string{"ALL"}, s.CapDrop); diff != "" {
			t.Errorf("%s: cap_drop (-want +got):\n%s", name, diff)
		}
		if diff := cmp.Diff([]string{"no-new-privileges:true"}, s.SecurityOpt); diff != "" {
			t.Errorf("%s: security_opt (-want +got):\n%s", name, diff)
		}
	}
	if user := readCompose(t).Services["db"].User; user != "postgres" {
		t.Errorf("db starts as %q: as root it needs rights that are dropped", user)
	}
}

func TestComposeVolumesAreThere(t *testing.T) {
	t.Parallel()
	c := readCompose(t)
	used := map[string]bool{}
	for name, s := range c.Services {
		for _, v := range s.Volumes {
			from, to, _ := strings.Cut(v, ":")
			if !strings.HasPrefix(from, "./") {
				if _, declared := c.Volumes[from]; !declared {
					t.Errorf("%s: the volume %s is not declared", name, from)
				}
				used[from] = true
				continue
			}
			if !strings.HasSuffix(to, ":ro") {
				t.Errorf("%s can write into %s", name, from)
			}
			if _, err := os.Stat(filepath.Join(root, from)); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	for v := range c.Volumes {
		if !used[v] {
			t.Errorf("nobody uses the volume %s", v)
		}
	}
}

// fromEnvironment finds the names that Grafana's files and the SQL scripts take
// from the environment.
var fromEnvironment = regexp.MustCompile(`\$__env\{([A-Z_]+)\}|\\getenv [a-z]+ ([A-Z_]+)`)

func TestEveryNameFromTheEnvironmentIsSet(t *testing.T) {
	t.Parallel()
	c := readCompose(t)
	for file, service := range map[string]string{
		"deploy/grafana/provisioning/datasources/pmc.yaml": "grafana",
		"deploy/postgres/collector.sql":                    "db",
		"deploy/postgres/grafana_reader.sql":               "db",
	} {
		names := fromEnvironment.FindAllStringSubmatch(readFile(t, file), -1)
		if len(names) == 0 {
			t.Errorf("%s takes nothing from the environment", file)
		}
		for _, m := range names {
			if c.Services[service].Environment[m[1]+m[2]] == "" {
				t.Errorf("%s needs %s, which %s has not", file, m[1]+m[2], service)
			}
		}
	}
}

func TestPasswordsAndNamesAgree(t *testing.T) {
	t.Parallel()
	c := readCompose(t)
	web, db, grafana := c.Services["web"].Environment, c.Services["db"].Environment, c.Services["grafana"].Environment
	want := "postgres://pmc:" + db["COLLECTOR_DB_PASSWORD"] + "@db:5432/" + db["POSTGRES_DB"] + "?sslmode=disable"
	if got := web["PMC_DATABASE"]; got != want {
		t.Errorf("web has the database %q, want %q", got, want)
	}
	if grafana["PG_PASSWORD"] != db["GRAFANA_DB_PASSWORD"] || grafana["PG_DATABASE"] != db["POSTGRES_DB"] || grafana["PG_HOST"] != "db" {
		t.Errorf("grafana asks with %v, db has %v", grafana, db)
	}
	for file, role := range map[string]string{"collector.sql": `\set collector pmc`, "grafana_reader.sql": `\set reader ` + grafana["PG_USER"]} {
		if !strings.Contains(readFile(t, "deploy/postgres/"+file), role+"\n") {
			t.Errorf("%s does not make the role of %q", file, role)
		}
	}
}

// mountedAt is where a service sees a path of this repository.
func (s service) mountedAt(path string) string {
	for _, v := range s.Volumes {
		if parts := strings.Split(v, ":"); parts[0] == "./"+path {
			return parts[1]
		}
	}
	return ""
}

func TestGrafanaFindsDataSourceAndDashboards(t *testing.T) {
	t.Parallel()
	grafana := readCompose(t).Services["grafana"]
	for _, kind := range []string{"datasources", "dashboards"} {
		if got := grafana.mountedAt("deploy/grafana/provisioning/" + kind); got != "/etc/grafana/provisioning/"+kind {
			t.Errorf("the %s are mounted at %q", kind, got)
		}
	}
	var sources struct {
		APIVersion  int `yaml:"apiVersion"`
		Datasources []struct {
			Name, UID, Type, Access, URL, User string
			SecureJSONData                     map[string]string `yaml:"secureJsonData"`
			JSONData                           map[string]any    `yaml:"jsonData"`
			IsDefault                          bool              `yaml:"isDefault"`
			Editable                           bool
		}
	}
	readYAML(t, "deploy/grafana/provisioning/datasources/pmc.yaml", &sources)
	if len(sources.Datasources) != 1 || sources.Datasources[0].UID != "pmc-postgres" || !sources.Datasources[0].IsDefault {
		t.Errorf("data sources: %+v", sources)
	}
	if sources.Datasources[0].JSONData["database"] == nil {
		t.Error("the data source has no database in jsonData: Grafana would run no query")
	}
	var dashboards struct {
		APIVersion int `yaml:"apiVersion"`
		Providers  []struct {
			Name, Folder, Type    string
			DisableDeletion       bool `yaml:"disableDeletion"`
			AllowUIUpdates        bool `yaml:"allowUiUpdates"`
			UpdateIntervalSeconds int  `yaml:"updateIntervalSeconds"`
			Options               struct{ Path string }
		}
	}
	readYAML(t, "deploy/grafana/provisioning/dashboards/pmc.yaml", &dashboards)
	at := grafana.mountedAt("deploy/grafana/dashboards")
	if len(dashboards.Providers) != 1 || dashboards.Providers[0].Options.Path != at || at == "" {
		t.Errorf("the dashboards are mounted at %q, Grafana looks into %+v", at, dashboards.Providers)
	}
	home := grafana.Environment["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
	if name, below := strings.CutPrefix(home, at+"/"); !below {
		t.Errorf("the home dashboard %q is not below %q", home, at)
	} else {
		readFile(t, "deploy/grafana/dashboards/"+name)
	}
}

func TestDashboardsParse(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("grafana/dashboards/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no dashboards: %v", err)
	}
	for _, f := range files {
		var d struct {
			UID    string
			Panels []any
		}
		if err := json.Unmarshal([]byte(readFile(t, "deploy/"+f)), &d); err != nil || d.UID == "" || len(d.Panels) == 0 {
			t.Errorf("%s: uid %q, %d panels, %v", f, d.UID, len(d.Panels), err)
		}
	}
}
