package server_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/server"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

// A half is a request whose body has not come whole.
type half struct{ conn net.Conn }

// half promises a body of so many bytes and sends some of them, spaces.
func (p *process) half(t *testing.T, promised, sent int) *half {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(p.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_, err = fmt.Fprintf(conn, "POST /save_metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		promised, strings.Repeat(" ", sent))
	if err != nil {
		t.Fatal(err)
	}
	return &half{conn}
}

// expecting sends the headers of a report and returns once the server asks for
// its body: then the request has its place.
func (p *process) expecting(t *testing.T, promised int) *half {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(p.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_, err = fmt.Fprintf(conn, "POST /save_metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n", promised)
	if err != nil {
		t.Fatal(err)
	}
	const asked = "HTTP/1.1 100 Continue\r\n\r\n"
	got := make([]byte, len(asked))
	if _, err := io.ReadFull(conn, got); err != nil || string(got) != asked {
		t.Fatalf("the server answered %q, %v; want %q", got, err, asked)
	}
	return &half{conn}
}

// finish sends the rest of the body and returns the answer's status.
func (h *half) finish(t *testing.T, rest string) int {
	t.Helper()
	h.send(rest)
	return h.answer(t)
}

// send sends more of the body; the server may have answered already.
func (h *half) send(more string) { _, _ = io.WriteString(h.conn, more) }

// answer waits for the answer's status; 0 is none.
func (h *half) answer(t *testing.T) int {
	t.Helper()
	_ = h.conn.SetReadDeadline(time.Now().Add(20 * time.Second)) // reading fails where this does
	resp, err := http.ReadResponse(bufio.NewReader(h.conn), nil)
	if err != nil {
		t.Error(err)
		return 0
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

// Clients that send half a body do not hold up the others.
func TestHalfBodiesHoldNobodyUp(t *testing.T) {
	t.Parallel()
	p := serve(t, storetest.SQLite(t))
	post := func() time.Duration {
		var took []time.Duration
		for range 40 {
			began := time.Now()
			if a := p.do(t, http.MethodPost, "/save_metrics", example(t)); a.status != 200 && a.status != 208 {
				t.Fatalf("got %d %s", a.status, a.body)
			}
			took = append(took, time.Since(began))
		}
		slices.Sort(took)
		return took[len(took)/2]
	}
	alone := post()
	for range 100 {
		p.half(t, 1<<20, 1<<10)
	}
	if beside := post(); beside > 5*alone+50*time.Millisecond {
		t.Errorf("a post took %v beside half bodies, %v alone", beside, alone)
	}
}

// Who does not get past its headers is hung up on.
func TestSlowHeaders(t *testing.T) {
	t.Parallel()
	p := serve(t, storetest.SQLite(t))
	conn, err := net.Dial("tcp", strings.TrimPrefix(p.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "POST /save_metrics HTTP/1.1\r\nHost: localhost\r\n"); err != nil {
		t.Fatal(err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(15 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(conn); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("the connection is still open after 15 s")
	}
}

// More requests at once than there are places are told to come again; health
// needs no place.
func TestOverload(t *testing.T) {
	t.Parallel()
	p := serve(t, storetest.SQLite(t), func(c *server.Config) { c.MaxConcurrent = 1 })
	body := example(t)
	h := p.expecting(t, len(body))
	a := p.do(t, http.MethodGet, "/", "")
	if a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" {
		t.Errorf("got %d, Retry-After %q, want 503 and a time", a.status, a.header.Get("Retry-After"))
	}
	for _, path := range []string{"/livez", "/readyz", "/healthz"} {
		if a := p.do(t, http.MethodGet, path, ""); a.status != 200 {
			t.Errorf("%s: %d", path, a.status)
		}
	}
	if status := h.finish(t, body); status != 200 {
		t.Errorf("the one request: %d", status)
	}
}

// Who sends far too much before it reads an answer still hears why it is
// refused.
func TestTooLargeIsTold(t *testing.T) {
	t.Parallel()
	p := serve(t, storetest.SQLite(t), func(c *server.Config) { c.MaxBody = 1 << 20 })
	h := p.half(t, 4<<20, 4<<20)
	if status := h.answer(t); status != http.StatusRequestEntityTooLarge {
		t.Errorf("got %d, want 413", status)
	}
}
