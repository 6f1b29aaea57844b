package cli_test

import (
	"bytes"
	"context"
	"database/sql"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	_ "modernc.org/sqlite" // registers "sqlite", to look into the demo's database

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/cli"
)

// The demo serves what it says that it made up, and leaves nothing behind.
func TestDemo(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	out, w := io.Pipe()
	var stderr bytes.Buffer
	status := make(chan int, 1)
	go func() {
		status <- cli.Main(ctx, []string{"demo", "--days", "14", "--listen", "127.0.0.1:0"}, none, w, &stderr)
		w.Close()
	}()

	greeting := readUntil(t, out, "FROM metrics_pipeline")
	pipelines := find(t, greeting, `pipelines: (\d+) of`)
	url := find(t, greeting, `listens on +(\S+)`)
	file := find(t, greeting, `keeps in +(\S+),`)
	find(t, greeting, `acme/shop: (e2e:checkout) got slower`)

	resp, err := http.Get(url + "/livez")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("GET /livez is answered %d", resp.StatusCode)
	}
	if got := count(t, file, "SELECT count(*) FROM ci_pipelines"); strconv.Itoa(got) != pipelines {
		t.Errorf("%d pipelines are stored, %s were announced", got, pipelines)
	}
	if got := count(t, file, "SELECT count(*) FROM metrics_job WHERE duration_up > 0 AND duration_pull > 0"); got < 100 {
		t.Errorf("%d jobs with steps pull and up in metrics_job", got)
	}

	stop()
	rest, err := io.ReadAll(out)
	if err != nil {
		t.Fatal(err)
	}
	if got := <-status; got != 0 {
		t.Errorf("status %d, want 0; it said:\n%s", got, &stderr)
	}
	if want := "Removed " + filepath.Dir(file) + "."; !strings.Contains(string(rest), want) {
		t.Errorf("it said %q at the end, want %q", rest, want)
	}
	if _, err := os.Stat(filepath.Dir(file)); !os.IsNotExist(err) {
		t.Errorf("the demo's directory is still there: %v", err)
	}
}

// A demo that can't be served, and one that is stopped before it is there,
// leave nothing behind either.
func TestDemoThatNeverServes(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { taken.Close() })
	stopped, stop := context.WithCancel(t.Context())
	stop()
	for _, c := range []struct {
		name, says string
		ctx        context.Context
		args       []string
		status     int
		removed    bool
	}{
		{"address taken", "address already in use", t.Context(), []string{"--listen", taken.Addr().String()}, 1, true},
		{"stopped", "", stopped, []string{"--listen", "127.0.0.1:0"}, 0, true},
		{"open to all", "--allow-anonymous read", t.Context(), []string{"--listen", "0.0.0.0:0", "--days", "14"}, 1, true},
		{"too few days", "--days must be from 14 to 366, not 3", t.Context(), []string{"--days", "3"}, 2, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var stdout, stderr bytes.Buffer
			if got := cli.Main(c.ctx, append([]string{"demo"}, c.args...), none, &stdout, &stderr); got != c.status {
				t.Errorf("status %d, want %d", got, c.status)
			}
			if !strings.Contains(stderr.String(), c.says) {
				t.Errorf("it said %q, want %q", &stderr, c.says)
			}
			if !c.removed {
				return
			}
			if dir := find(t, stdout.String(), `Removed (\S+)\.`); dir != "" {
				if _, err := os.Stat(dir); !os.IsNotExist(err) {
					t.Errorf("%s is still there: %v", dir, err)
				}
			}
		})
	}
}

// readUntil reads what the program says until it has said last.
func readUntil(t *testing.T, r io.Reader, last string) string {
	t.Helper()
	var said []byte
	for b := make([]byte, 4096); ; {
		n, err := r.Read(b)
		if said = append(said, b[:n]...); bytes.Contains(said, []byte(last)) {
			return string(said)
		}
		if err != nil {
			t.Fatalf("it ended (%v) without %q; it said:\n%s", err, last, said)
		}
	}
}

// find returns the first group of a pattern.
func find(t *testing.T, text, pattern string) string {
	t.Helper()
	found := regexp.MustCompile(pattern).FindStringSubmatch(text)
	if found == nil {
		t.Fatalf("there is no %q in:\n%s", pattern, text)
	}
	return found[1]
}

func count(t *testing.T, file, query string) int {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+file+"?mode=ro&_pragma=busy_timeout(10000)") // the server opens it at the same time
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var n int
	if err := db.QueryRowContext(t.Context(), query).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}
