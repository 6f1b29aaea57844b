package store_test

import (
	"context"
	"io"
	"net"
	"net/url"
	"slices"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

// A pooler stands before PostgreSQL and looks at how connections begin.
type pooler struct {
	net.Listener

	server string // PostgreSQL's address

	mu    sync.Mutex
	asked []string // the names of all that was asked for at a start
}

func (p *pooler) serve(t *testing.T) {
	t.Helper()
	for {
		client, err := p.Accept()
		if err != nil {
			return // closed
		}
		go p.pass(t, client)
	}
}

func (p *pooler) pass(t *testing.T, client net.Conn) {
	t.Helper()
	defer client.Close()
	server, err := net.Dial("tcp", p.server)
	if err != nil {
		t.Error(err)
		return
	}
	defer server.Close()
	start, err := pgproto3.NewBackend(client, client).ReceiveStartupMessage()
	if err != nil {
		return // it went away
	}
	if m, ok := start.(*pgproto3.StartupMessage); ok {
		p.mu.Lock()
		for name := range m.Parameters {
			p.asked = append(p.asked, name)
		}
		p.mu.Unlock()
	}
	packet, err := start.Encode(nil)
	if err != nil {
		t.Error(err)
		return
	}
	if _, err := server.Write(packet); err != nil {
		return
	}
	go func() {
		defer server.Close()
		_, _ = io.Copy(server, client) // until one of them goes
	}()
	_, _ = io.Copy(client, server)
}

// A connection begins with nothing that PgBouncer refuses as it is shipped, and
// has its settings all the same, but for those that the address names.
func TestPoolersTakeOurConnections(t *testing.T) {
	t.Parallel()
	u, err := url.Parse(storetest.Postgres(t))
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &pooler{Listener: listener, server: u.Host}
	t.Cleanup(func() { _ = p.Close() })
	go p.serve(t)
	u.Host = p.Addr().String()

	s := storetest.Open(t, u.String())
	if _, err := s.Save(t.Context(), posted(1)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	led := make(chan struct{})
	go s.Lead(ctx, "anything", func(context.Context) { close(led) })
	<-led
	cancel()

	p.mu.Lock()
	defer p.mu.Unlock()
	for _, name := range p.asked {
		if !slices.Contains([]string{"user", "database", "application_name", "client_encoding", "DateStyle", "TimeZone", "standard_conforming_strings"}, name) {
			t.Errorf("a connection begins with %s, which PgBouncer refuses", name)
		}
	}
	if len(p.asked) == 0 {
		t.Error("no connection came by")
	}
}

func TestSettingsOfSessions(t *testing.T) {
	t.Parallel()
	database := storetest.Postgres(t)
	for _, at := range []struct {
		database, limit, scans string
	}{
		{database, "1min", "off"},
		{with(t, database, "statement_timeout", "1234"), "1234ms", "off"},
		// Behind a pooler of transactions others would find the writer's settings.
		{with(t, database, "default_query_exec_mode", "cache_describe"), "1min", "on"},
	} {
		s := storetest.Open(t, at.database)
		for name, want := range map[string]string{"statement_timeout": at.limit, "enable_seqscan": at.scans} {
			if got, err := store.WriterSetting(t.Context(), s, name); got != want || err != nil {
				t.Errorf("%s: the writer's %s is %q, %v, want %q", at.database, name, got, err, want)
			}
		}
		if got := storetest.Table(t, s, "SHOW enable_seqscan")[0][0]; got != "on" {
			t.Errorf("a reader's enable_seqscan is %v", got)
		}
	}
}
