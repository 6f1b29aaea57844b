// Package browser_test opens the pages of the real server in a real browser,
// on made-up pipelines: what axe finds, what the console says, what a person
// with a keyboard, a telephone or without JavaScript gets.
//
// It needs Chromium, and axe-core of web/devtools; `make test` sees to both.
// PMC_CHROMIUM names another browser of that family.
package browser_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/demo"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/server"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// A lab is what all tests share: one browser, and one server with made-up
// pipelines, each started by the first test that wants it.
type lab struct {
	dir  string
	mu   sync.Mutex
	tabs context.Context // the parent of all tabs; nil: no browser yet
	demo *site
	ends []func()
}

var shared lab

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "pmc-browser-")
	if err != nil {
		panic(err)
	}
	shared.dir = dir
	status := m.Run()
	shared.end()
	os.Exit(status)
}

// end stops what was started, the last first.
func (l *lab) end() {
	for _, end := range slices.Backward(l.ends) {
		end()
	}
	_ = os.RemoveAll(l.dir)
}

// demoDays are as many as the widest of the pages that are opened shows.
const demoDays = 90

// onDemo is the address of the server with the made-up pipelines. Its caller
// must not change them.
func onDemo(t *testing.T) *site {
	t.Helper()
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.demo != nil {
		return shared.demo
	}
	database := filepath.Join(shared.dir, "demo.db")
	planted := makeUp(t, database, demoDays)
	s, stop := start(t, database)
	shared.ends = append(shared.ends, stop)
	shared.demo = s
	s.planted = planted
	return s
}

// makeUp makes a database of made-up pipelines.
func makeUp(t *testing.T, database string, days int) demo.Planted {
	t.Helper()
	st, err := store.Open(t.Context(), store.Config{Database: database})
	if err != nil {
		t.Fatal(err)
	}
	h := demo.Generate(1, time.Now(), days)
	err = h.Save(t.Context(), func(ctx context.Context, r ci.Report) error {
		_, err := st.Save(ctx, r)
		return err
	})
	if err := errors.Join(err, st.Close()); err != nil {
		t.Fatal(err)
	}
	return h.Planted
}

// A site is a server that runs.
type site struct {
	url     string
	planted demo.Planted
	assets  sync.Map // bytes of each, by path
}

// serve starts a server of the test's own, on an empty database.
func serve(t *testing.T, changes ...func(*server.Config)) *site {
	t.Helper()
	s, stop := start(t, filepath.Join(t.TempDir(), "own.db"), changes...)
	t.Cleanup(stop)
	return s
}

func start(t *testing.T, database string, changes ...func(*server.Config)) (*site, func()) {
	t.Helper()
	c := server.Config{
		Store: store.Config{Database: database, ReadLimit: patience}, Listen: "127.0.0.1:0",
		MaxBody: 8 << 20, MaxConcurrent: 4096, ShutdownTimeout: 5 * time.Second,
		Log: slog.New(slog.DiscardHandler), Version: "v1.2.3",
	}
	for _, change := range changes {
		change(&c)
	}
	srv, err := server.New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(srv.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s := &site{url: "http://127.0.0.1:" + port}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- srv.Run(ctx) }()
	s.waitReady(t)
	return s, func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the server ended with %v", err)
		}
	}
}

// chromium starts the browser, or skips the test where there is none.
func chromium(t *testing.T) context.Context {
	t.Helper()
	path := os.Getenv("PMC_CHROMIUM")
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path == "" {
			path, _ = exec.LookPath(name)
		}
	}
	if path == "" {
		t.Skip("there is no Chromium: on Debian or Ubuntu, sudo apt-get install chromium fonts-inter")
	}
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.tabs == nil {
		shared.tabs = shared.launch(t, path) //nolint:fatcontext // once, whatever the number of tests
	}
	return shared.tabs
}

func (l *lab) launch(t *testing.T, path string) context.Context {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
	)
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, leave := chromedp.NewContext(allocator)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("start %s: %v", path, err)
	}
	l.ends = append(l.ends, stop, leave)
	return ctx
}
