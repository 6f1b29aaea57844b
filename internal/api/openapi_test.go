package api_test

import (
	"bytes"
	"flag"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "accept what is made now")

// The JSON is the YAML.
func TestOpenAPIAsJSON(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	want, err := yaml.YAMLToJSON(source)
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile("openapi.json", want, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile("openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("openapi.json is not made from openapi.yaml: run `make golden`")
	}
}

func description(t *testing.T) *openapi3.T {
	t.Helper()
	d, err := openapi3.NewLoader().LoadFromFile("openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestOpenAPIIsValid(t *testing.T) {
	t.Parallel()
	if err := description(t).Validate(t.Context(), openapi3.IsOpenAPI31OrLater()); err != nil {
		t.Error(err)
	}
}

// Every route is in the description, and everything described is a route.
func TestOpenAPIHasEveryRoute(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("api.go")
	if err != nil {
		t.Fatal(err)
	}
	var routes, described []string
	for _, m := range regexp.MustCompile(`m\.Handle\("([A-Z]+ [^"]+[^/"])"`).FindAllSubmatch(source, -1) {
		routes = append(routes, string(m[1]))
	}
	names := questionNames(t)
	for _, name := range names {
		routes = append(routes, "GET /api/v1/"+name)
		if strings.Contains(name, "/") && !strings.HasSuffix(name, "}") { // its CSV is described apart
			routes = append(routes, "GET /api/v1/"+name+".csv")
		}
	}
	routes = append(routes, "GET /api/v1/{question}.csv") // described once for all
	for path, item := range description(t).Paths.Map() {
		for method := range item.Operations() {
			described = append(described, method+" "+path)
		}
	}
	slices.Sort(routes)
	slices.Sort(described)
	if diff := cmp.Diff(routes, described); diff != "" {
		t.Errorf("(-routes +described):\n%s", diff)
	}
}

// questionNames are the questions of api.go.
func questionNames(t *testing.T) (names []string) {
	t.Helper()
	source, err := os.ReadFile("api.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?m)^\t\t"([a-z/{}_-]+)": +(?:a\.|plain\()`).FindAllSubmatch(source, -1) {
		names = append(names, string(m[1]))
	}
	if len(names) == 0 {
		t.Fatal("no questions found: the search is broken")
	}
	slices.Sort(names)
	return names
}

// Every question is named where its CSV is described.
func TestOpenAPIHasEveryCSV(t *testing.T) {
	t.Parallel()
	var described []string
	for _, v := range description(t).Paths.Find("/api/v1/{question}.csv").Get.Parameters.GetByInAndName("path", "question").Schema.Value.Enum {
		described = append(described, v.(string))
	}
	names := slices.DeleteFunc(questionNames(t), func(n string) bool { return strings.Contains(n, "/") })
	if diff := cmp.Diff(names, described); diff != "" {
		t.Errorf("(-questions +described):\n%s", diff)
	}
}

// The page shows every route and loads nothing.
func TestDocsPage(t *testing.T) {
	t.Parallel()
	f := serve(t)
	body := f.get(t, "/api/docs", http.StatusOK)
	for path := range description(t).Paths.Map() {
		if !strings.Contains(body, path) {
			t.Errorf("%s is not on the page", path)
		}
	}
	if m := regexp.MustCompile(`(src|href)="(https?:)?//`).FindString(body); m != "" {
		t.Errorf("the page loads from elsewhere: %s", m)
	}
}
