package dashboard_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/dashboard"
)

func shell(t testing.TB) *dashboard.Shell {
	t.Helper()
	s, err := dashboard.NewShell(dashboard.ShellConfig{Version: "v1.2.3"})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// All that is sent to browsers is ours and written by hand.
func TestNothingOfOthers(t *testing.T) {
	t.Parallel()
	var names []string
	sizes := map[string]int{}
	err := fs.WalkDir(os.DirFS("static"), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		names = append(names, name)
		text, err := os.ReadFile("static/" + name)
		sizes[name[strings.LastIndexByte(name, '.')+1:]] += packed(t, text)
		if m := regexp.MustCompile(`https?://[^\s"')]+`).FindString(string(text)); m != "" && m != "http://www.w3.org/2000/svg" {
			t.Errorf("%s names %s", name, m)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	want := []string{"app.css", "caret.svg", "icon.svg", "js/chart.js", "js/main.js", "js/settings.js", "js/waiting.js"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	if sizes["css"] > 10<<10 || sizes["js"] > 15<<10 {
		t.Errorf("packed sizes are %v, more than 10 KiB of CSS or 15 KiB of script", sizes)
	}
}

func packed(t *testing.T, text []byte) int {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Len()
}

func page(t *testing.T, s *dashboard.Shell, change func(*http.Request)) *httptest.ResponseRecorder {
	t.Helper()
	w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/x?<y>", nil)
	if change != nil {
		change(r)
	}
	if err := s.Problem(w, r, dashboard.Problem{Status: http.StatusServiceUnavailable, Title: "A <title>.", Detail: "A & B", RequestID: "R1"}); err != nil {
		t.Fatal(err)
	}
	return w
}

func TestProblemIsAPage(t *testing.T) {
	t.Parallel()
	w := page(t, shell(t), nil)
	for _, want := range []string{"<title>A &lt;title&gt; · Pipeline Metrics</title>", "<h1>A &lt;title&gt;</h1>", "A &amp; B", "Request R1", `href="/readyz?verbose"`} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s is not there:\n%s", want, w.Body)
		}
	}
	if w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Header().Get("Content-Security-Policy"), "require-trusted-types-for 'script'") {
		t.Errorf("got %d %v", w.Code, w.Header())
	}
}

// The cookie's theme is there from the first byte on; other words are not.
func TestTheme(t *testing.T) {
	t.Parallel()
	s := shell(t)
	for value, want := range map[string]string{"dark": `<html lang="en" data-theme="dark">`, "light": `<html lang="en" data-theme="light">`, "x": `<html lang="en">`} {
		w := page(t, s, func(r *http.Request) { r.AddCookie(&http.Cookie{Name: "theme", Value: value}) })
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("%q: %.80s", value, w.Body)
		}
	}
}

func TestFlashIsShownOnce(t *testing.T) {
	t.Parallel()
	first := httptest.NewRecorder()
	dashboard.Flash(first, "Saved <it>.")
	w := page(t, shell(t), func(r *http.Request) { r.AddCookie(first.Result().Cookies()[0]) })
	if !strings.Contains(w.Body.String(), "Saved &lt;it&gt;.") || w.Result().Cookies()[0].MaxAge >= 0 {
		t.Errorf("got %v %s", w.Header(), w.Body)
	}
}

func TestAssets(t *testing.T) {
	t.Parallel()
	s := shell(t)
	body := page(t, s, nil).Body.String()
	all := regexp.MustCompile(`(?:href|src)="(/assets/[^"]+)"`).FindAllStringSubmatch(body, -1)
	if len(all) != 4 {
		t.Errorf("%d files are loaded, want 4: %v", len(all), all)
	}
	for _, m := range all {
		w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, m[1], nil)
		r.Header.Set("Accept-Encoding", "br, gzip;q=0.5")
		if !s.Asset(w, r) || !strings.Contains(w.Header().Get("Cache-Control"), "immutable") || w.Header().Get("Content-Type") == "" {
			t.Errorf("%s: %d %v", m[1], w.Code, w.Header())
		}
		z, err := gzip.NewReader(w.Body)
		if err != nil {
			t.Fatal(err)
		}
		if text, err := io.ReadAll(z); err != nil || len(text) == 0 {
			t.Errorf("%s: %d bytes, %v", m[1], len(text), err)
		}
	}
	w := httptest.NewRecorder()
	if !s.Asset(w, httptest.NewRequest(http.MethodGet, "/assets/old/app.css", nil)) || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("an old address may be kept: %v", w.Header())
	}
	for _, path := range []string{"/assets/", "/assets/x/../shell.go", "/assets/x/nothing"} {
		if s.Asset(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, path, nil)) {
			t.Errorf("%s is there", path)
		}
	}
}
