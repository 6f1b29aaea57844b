package server_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/server"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A process is a server that runs.
type process struct {
	url  string // of its listener
	logs *buffer
	stop context.CancelFunc
	done chan error // what Run returned
}

// A buffer is written by many.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// launch starts a server that is stopped at the end of the test, at the latest.
func launch(t *testing.T, database string, changes ...func(*server.Config)) *process {
	t.Helper()
	p := &process{logs: &buffer{}, done: make(chan error, 1)}
	log := slog.New(slog.NewJSONHandler(p.logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	c := server.Config{
		Store: store.Config{Database: database, Log: log}, Listen: "127.0.0.1:0",
		MaxBody: 8 << 20, MaxConcurrent: 4096, ShutdownTimeout: 10 * time.Second, Log: log, Version: "v1.2.3",
	}
	for _, change := range changes {
		change(&c)
	}
	s, err := server.New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	scheme := "http"
	if c.TLSCert != "" {
		scheme = "https"
	}
	_, port, err := net.SplitHostPort(s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	p.url = scheme + "://127.0.0.1:" + port
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	p.stop = stop
	go func() { p.done <- s.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err, running := <-p.done; running && err != nil {
			t.Errorf("the server ended with %v", err)
		}
	})
	return p
}

// ended returns what Run returned.
func (p *process) ended(t *testing.T) error {
	t.Helper()
	select {
	case err := <-p.done:
		close(p.done)
		return err
	case <-time.After(30 * time.Second):
		t.Fatal("the server does not end")
		return nil
	}
}

// serve starts a server and waits until it is ready.
func serve(t *testing.T, database string, changes ...func(*server.Config)) *process {
	t.Helper()
	p := launch(t, database, changes...)
	p.waitReady(t, http.StatusOK)
	return p
}

func (p *process) waitReady(t *testing.T, status int) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		a := p.do(t, http.MethodGet, "/readyz?verbose", "")
		if a.status == status {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("/readyz answers %d, want %d:\n%s", a.status, status, a.body)
		}
	}
}

// A reply is an answer that was read whole.
type reply struct {
	status int
	header http.Header
	body   string
}

// client gives every request a connection of its own, so that no idle one
// outlives its test.
var client = &http.Client{
	Transport:     &http.Transport{DisableKeepAlives: true},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	Timeout:       30 * time.Second,
}

// do sends a request; with a body, one of JSON.
func (p *process) do(t *testing.T, method, path, body string, changes ...func(*http.Request)) reply {
	t.Helper()
	a, err := p.try(t.Context(), method, path, body, changes...)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func (p *process) try(ctx context.Context, method, path, body string, changes ...func(*http.Request)) (reply, error) {
	r, err := http.NewRequestWithContext(ctx, method, p.url+path, strings.NewReader(body))
	if err != nil {
		return reply{}, err
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, change := range changes {
		change(r)
	}
	resp, err := client.Do(r)
	if err != nil {
		return reply{}, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return reply{resp.StatusCode, resp.Header, string(text)}, err
}

func header(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

func bearer(token string) func(*http.Request) { return header("Authorization", "Bearer "+token) }

func host(name string) func(*http.Request) { return func(r *http.Request) { r.Host = name } }

// example is the request body of the original's README.
func example(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("../provider/legacy/testdata/seed.json")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
