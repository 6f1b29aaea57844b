package push_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/push"
)

// answers is a server that gives these statuses in turn, and the last for ever.
func answers(t *testing.T, statuses ...int) (url string, asked *atomic.Int64) {
	t.Helper()
	asked = &atomic.Int64{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := asked.Add(1)
		status := statuses[min(int(n), len(statuses))-1]
		if r.Header.Get("Idempotency-Key") == "" || r.Header.Get("Authorization") != "Bearer a-secret" {
			t.Errorf("the request lacks its headers: %v", r.Header)
		}
		if status != http.StatusOK {
			w.WriteHeader(status)
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		n = int64(strings.Count(string(body), `"project"`))
		fmt.Fprint(w, "["+strings.TrimSuffix(strings.Repeat(`{"status":201},`, int(n)), ",")+"]")
	}))
	t.Cleanup(s.Close)
	return s.URL, asked
}

const reports = `{"project":"p","pipeline":{"id":1}} {"project":"p","pipeline":{"id":2}}`

func TestPush(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		statuses []int
		wait     time.Duration
		want     push.Result
		asked    int64
		failed   string
	}{
		"at once":                 {[]int{200}, time.Minute, push.Result{Sent: 2}, 1, ""},
		"after trouble":           {[]int{503, 429, 200}, time.Minute, push.Result{Sent: 2}, 3, ""},
		"never in time":           {[]int{503}, time.Second, push.Result{Waiting: 1}, 2, "503"},
		"a wrong token":           {[]int{401}, time.Minute, push.Result{Waiting: 1}, 1, "401"},
		"to a page":               {[]int{302}, time.Minute, push.Result{Waiting: 1}, 1, "302"},
		"what will never be told": {[]int{400}, time.Minute, push.Result{}, 1, "400"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, asked := answers(t, c.statuses...)
			got, err := push.Push(t.Context(), push.Config{URL: url, Token: "a-secret", Dir: t.TempDir(), Wait: c.wait, Tell: t.Logf}, strings.NewReader(reports))
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if asked.Load() != c.asked {
				t.Errorf("asked %d times, want %d", asked.Load(), c.asked)
			}
			switch {
			case (err == nil) != (c.failed == ""), err != nil && !strings.Contains(err.Error(), c.failed):
				t.Errorf("%v, want %q", err, c.failed)
			case err != nil && strings.Contains(err.Error(), "a-secret"):
				t.Errorf("the error tells the token: %v", err)
			}
		})
	}
}

// What waits is sent with the next push, and once.
func TestSpool(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := push.Config{Dir: dir, Token: "a-secret", Wait: time.Minute, Tell: t.Logf}
	for _, url := range []string{"", "ftp://x", "https://x:secret@y"} {
		c.URL = url
		if _, err := push.Push(t.Context(), c, strings.NewReader(reports)); err == nil || strings.Contains(err.Error(), "secret@") {
			t.Errorf("to %q: %v", url, err)
		}
	}
	c.URL, _ = answers(t, 200)
	for _, want := range []push.Result{{Sent: 7}, {Sent: 1}} {
		got, err := push.Push(t.Context(), c, strings.NewReader(`{"project":"p","pipeline":{"id":3}}`))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	if info, err := os.Stat(filepath.Join(dir, "spool")); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the spool: %v, %v, want one that others can't read", info, err)
	}
}

// Many reports go in bodies that a server takes.
func TestManyReports(t *testing.T) {
	t.Parallel()
	url, asked := answers(t, 200)
	var all strings.Builder
	for i := range 2500 {
		fmt.Fprintf(&all, "{\"project\":\"p\",\"pipeline\":{\"id\":%d}}\n", i+1)
	}
	got, err := push.Push(t.Context(), push.Config{URL: url, Token: "a-secret", Dir: t.TempDir(), Wait: time.Minute, Tell: t.Logf}, strings.NewReader(all.String()))
	if err != nil || got.Sent != 2500 || asked.Load() != 3 {
		t.Errorf("%+v, %v in %d bodies, want 2500 in 3", got, err, asked.Load())
	}
}

func TestWhatIsNoReport(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		"":   "no report",
		"[]": "no report",
		"[" + `{"project":"p","pipeline":{"id":1}}`: "no end",
		`{"project":"p","pipeline":{"id":1}}]`:      "",
		`{"project":"p"`:                            "can't be read",
		`[{"project":"p","pipeline":{"id":1}}] 7`:   "something follows",
		`7`: "must be an object",
		`{"a":"` + strings.Repeat("x", 9<<20) + `"}`: "greater than 8 MiB",
	} {
		got, err := push.Push(t.Context(), push.Config{Dir: t.TempDir(), Tell: func(string, ...any) {}}, strings.NewReader(body))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: %+v, %v, want %q", body, got, err, want)
		}
	}
}

func TestPushStopsWhenAsked(t *testing.T) {
	t.Parallel()
	url, _ := answers(t, 503)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	got, err := push.Push(ctx, push.Config{URL: url, Token: "a-secret", Dir: t.TempDir(), Wait: time.Hour, Tell: t.Logf}, strings.NewReader(reports))
	if err == nil || got.Waiting != 1 {
		t.Errorf("%+v, %v, want the reports to wait", got, err)
	}
}

func TestMarks(t *testing.T) {
	t.Parallel()
	dir, now := t.TempDir(), at("10:00")
	m := push.MarksOf(dir, &ci.Report{Project: "p", Jobs: []ci.Attempt{{ID: "1", Name: "a"}}}, "/x")
	other := push.MarksOf(dir, &ci.Report{Project: "p", Jobs: []ci.Attempt{{ID: "2", Name: "a"}}}, "/x")
	for i, name := range []string{"up", "e2e", "", "", "logs"} {
		if err := m.Add(name, now.Add(time.Duration(i)*10*time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	got, err := m.Steps(now.Add(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	want := []ci.Step{
		{Name: "up", StartedAt: now, DurationS: 10},
		{Name: "e2e", StartedAt: now.Add(10 * time.Second), DurationS: 10},
		{Name: "logs", StartedAt: now.Add(40 * time.Second), DurationS: 20},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if steps, err := other.Steps(now); err != nil || steps != nil {
		t.Errorf("another job has %v, %v", steps, err)
	}
	if err := m.Add(strings.Repeat("x", ci.MaxText+1), now); err == nil {
		t.Error("a name of any length was taken")
	}
	if err := errors.Join(m.Remove(), m.Remove()); err != nil {
		t.Error(err)
	}
	if steps, err := m.Steps(now); err != nil || steps != nil {
		t.Errorf("after they were removed: %v, %v", steps, err)
	}
}

// FuzzMarks: whatever stands in the file, steps are valid.
func FuzzMarks(f *testing.F) {
	f.Add([]byte(`{"name":"up","at":"2026-11-20T10:00:00Z"}` + "\nhalf a li"))
	f.Fuzz(func(t *testing.T, text []byte) {
		dir := t.TempDir()
		m := push.MarksOf(dir, &ci.Report{}, "/x")
		if err := m.Add("first", at("10:00")); err != nil {
			t.Fatal(err)
		}
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, entries[0].Name()), text, 0o600); err != nil {
			t.Fatal(err)
		}
		steps, _ := m.Steps(at("11:00"))
		for _, s := range steps {
			if s.Name == "" || s.DurationS < 0 {
				t.Fatalf("%+v", s)
			}
		}
	})
}

// FuzzReports: what is on disk to be sent is valid, whatever came in.
func FuzzReports(f *testing.F) {
	f.Add([]byte(reports))
	f.Add([]byte("[" + `{"project":"p","pipeline":{"external_id":"x"}}` + "]"))
	f.Fuzz(func(t *testing.T, body []byte) {
		_, _ = push.Push(t.Context(), push.Config{Dir: t.TempDir(), Tell: func(string, ...any) {}}, strings.NewReader(string(body)))
	})
}
