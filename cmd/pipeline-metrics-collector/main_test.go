package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/provider/github/githubtest"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/provider/gitlab/gitlabtest"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

// In a script, "exec pipeline-metrics-collector" runs this program.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"pipeline-metrics-collector": main})
}

const scripts = "../../internal/cli/testdata/script"

func TestScripts(t *testing.T) {
	t.Parallel()
	run(t, scripts, storetest.SQLite)
}

// Scripts that name their database $DATABASE run on both engines.
func TestScriptsOnBothEngines(t *testing.T) {
	t.Parallel()
	for engine, database := range map[string]func(testing.TB) string{"sqlite": storetest.SQLite, "postgres": storetest.Postgres} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			run(t, scripts+"/both", database)
		})
	}
}

func run(t *testing.T, dir string, database func(testing.TB) string) {
	t.Helper()
	database(t) // skips the test here, where there is none
	testscript.Run(t, testscript.Params{
		Dir:                 dir,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(e *testscript.Env) error {
			port, err := freePort()
			name := database(t)
			e.Setenv("DATABASE", name)
			e.Setenv("PORT", port)
			e.Setenv("URL", "http://127.0.0.1:"+port)
			return err
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"post": post, "get": get, "terminate": terminate, "gitlab": serveGitLab, "github": serveGitHub, "await": await, "original": original},
	})
}

// freePort finds a port at which nobody listens just now.
func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		return "", err
	}
	return port, l.Close()
}

// post STATUS FILE [HEADER...] posts FILE to $URL/save_metrics until the server
// is there, and fails where the answer has another status.
func post(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: post STATUS FILE [HEADER...]")
	}
	answer(ts, args[0], http.MethodPost, "/save_metrics", ts.ReadFile(args[1]), append(args[2:], "Content-Type: application/json"))
}

// get STATUS PATH [HEADER...] gets $URL/PATH likewise.
func get(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: get STATUS PATH [HEADER...]")
	}
	answer(ts, args[0], http.MethodGet, args[1], "", args[2:])
}

// await TEXT PATH gets $URL/PATH until the answer holds the text.
func await(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: await TEXT PATH")
	}
	var text []byte
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		resp, err := http.Get(ts.Getenv("URL") + args[1])
		ts.Check(err)
		text, err = io.ReadAll(resp.Body)
		ts.Check(err)
		ts.Check(resp.Body.Close())
		if strings.Contains(string(text), args[0]) {
			return
		}
	}
	ts.Fatalf("%s never held %s:\n%s", args[1], args[0], text)
}

// answer asks until there is an answer of a server that is ready.
func answer(ts *testscript.TestScript, status, method, path, body string, headers []string) {
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		r, err := http.NewRequest(method, ts.Getenv("URL")+path, strings.NewReader(body))
		ts.Check(err)
		for _, h := range headers {
			name, value, _ := strings.Cut(h, ": ")
			r.Header.Set(name, value)
		}
		resp, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			if time.Now().After(deadline) {
				ts.Fatalf("%v", err)
			}
			continue
		}
		text, err := io.ReadAll(resp.Body)
		ts.Check(err)
		ts.Check(resp.Body.Close())
		starting := strings.Contains(string(text), "problem:starting") || strings.Contains(string(text), "not ready\n")
		if starting && time.Now().Before(deadline) {
			continue
		}
		_, err = fmt.Fprintf(ts.Stdout(), "%s", text)
		ts.Check(err)
		if got := strconv.Itoa(resp.StatusCode); got != status {
			ts.Fatalf("%s %s is answered %s, not %s:\n%s", method, path, got, status, text)
		}
		return
	}
}

// gitlab N serves a GitLab of the tests with N made-up pipelines at $GITLAB.
func serveGitLab(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: gitlab N")
	}
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	s, stop := gitlabtest.Start(gitlabtest.Generate(1, n), gitlabtest.Faults{}, nil)
	ts.Defer(stop)
	ts.Setenv("GITLAB", s.URL)
	ts.Setenv("PMC_GITLAB_TOKEN", gitlabtest.Token)
	ts.Setenv("PROJECT_ID", strconv.FormatInt(s.World.Projects[0].ID, 10))
}

// github N serves a GitHub of the tests with N made-up runs at $GITHUB.
func serveGitHub(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: github N")
	}
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	const token = "github_pat_of_the_tests"
	s := githubtest.Start(githubtest.Generate(1, n, time.Now()), token)
	ts.Defer(s.Close)
	ts.Setenv("GITHUB", s.URL)
	ts.Setenv("PMC_GITHUB_TOKEN", token)
	ts.Setenv("RUN", strconv.FormatInt(s.World().Repositories[0].Runs[0].ID, 10))
}

// original PAGE SIZE lets a stand-in of the original's client read a page of
// $GITLAB and post it to $URL.
func original(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: original PAGE SIZE")
	}
	page, err := strconv.Atoi(args[0])
	ts.Check(err)
	size, err := strconv.Atoi(args[1])
	ts.Check(err)
	project, err := strconv.ParseInt(ts.Getenv("PROJECT_ID"), 10, 64)
	ts.Check(err)
	c := &gitlabtest.OriginalClient{
		GitLab: ts.Getenv("GITLAB"), Endpoint: ts.Getenv("URL") + "/save_metrics", ProjectID: project, ProjectName: "test/project", StageBuild: "build", StageE2e: "test",
		JobsBuild: []string{"build-e2e"}, Blacklist: []string{"lint", "unit"}, Step: []string{"up", "e2e"},
	}
	ids, err := c.SuccessfulPage(page, size)
	ts.Check(err)
	for _, id := range ids {
		status, err := c.Post(id)
		ts.Check(err)
		_, err = fmt.Fprintf(ts.Stdout(), "%d %d\n", id, status)
		ts.Check(err)
	}
}

// terminate sends SIGTERM to every program in the background.
func terminate(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 0 {
		ts.Fatalf("usage: terminate")
	}
	for _, c := range ts.BackgroundCmds() {
		if c.ProcessState == nil {
			ts.Check(c.Process.Signal(syscall.SIGTERM))
		}
	}
}
