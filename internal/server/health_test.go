package server_test

import (
	"database/sql"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/server"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

// A relay stands between a server and its database, and can be cut.
type relay struct {
	address, target string
	mu              sync.Mutex
	listener        net.Listener
	conns           []net.Conn
	wg              sync.WaitGroup
}

// relayTo takes an address at which nobody listens yet, and returns the
// database's URL by way of it.
func relayTo(t *testing.T, database string) (*relay, string) {
	t.Helper()
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{address: l.Addr().String(), target: u.Host}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.cut)
	u.Host = r.address
	return r, u.String()
}

func (r *relay) join(t *testing.T) {
	t.Helper()
	l, err := net.Listen("tcp", r.address)
	if err != nil {
		t.Fatal(err)
	}
	r.mu.Lock()
	r.listener = l
	r.mu.Unlock()
	r.wg.Go(func() {
		for {
			from, err := l.Accept()
			if err != nil {
				return
			}
			to, err := net.Dial("tcp", r.target)
			if err != nil {
				_ = from.Close()
				continue
			}
			r.mu.Lock()
			r.conns = append(r.conns, from, to)
			r.mu.Unlock()
			r.wg.Go(func() { _, _ = io.Copy(to, from); _ = to.Close() })
			r.wg.Go(func() { _, _ = io.Copy(from, to); _ = from.Close() })
		}
	})
}

func (r *relay) cut() {
	r.mu.Lock()
	if r.listener != nil {
		_ = r.listener.Close()
	}
	for _, c := range r.conns {
		_ = c.Close()
	}
	r.conns = nil
	r.mu.Unlock()
	r.wg.Wait()
}

// The database is away at the start, comes, goes, and comes back. The server
// lives on and recovers by itself.
func TestDatabaseComesAndGoes(t *testing.T) {
	t.Parallel()
	wire, database := relayTo(t, storetest.Postgres(t))
	p := launch(t, database)
	body := example(t)
	away := func(when string) {
		t.Helper()
		p.waitReady(t, http.StatusServiceUnavailable)
		if a := p.do(t, http.MethodGet, "/livez", ""); a.status != 200 {
			t.Errorf("%s: /livez: %d", when, a.status)
		}
		a := p.do(t, http.MethodPost, "/save_metrics", body)
		if a.status != 503 || a.header.Get("Retry-After") == "" || !strings.Contains(a.body, `"status":503`) {
			t.Errorf("%s: post: %d %s, Retry-After %q", when, a.status, a.body, a.header.Get("Retry-After"))
		}
	}
	away("at the start")
	if a := p.do(t, http.MethodGet, "/readyz?verbose", ""); !strings.Contains(a.body, "[-] migrations: ") || !strings.HasSuffix(a.body, "not ready\n") {
		t.Errorf("/readyz?verbose: %s", a.body)
	}
	wire.join(t)
	p.waitReady(t, http.StatusOK)
	if a := p.do(t, http.MethodPost, "/save_metrics", body); a.status != 200 {
		t.Errorf("the database came: %d %s", a.status, a.body)
	}
	wire.cut()
	away("the database went")
	wire.join(t)
	p.waitReady(t, http.StatusOK)
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		a := p.do(t, http.MethodPost, "/save_metrics", body)
		if a.status == 208 {
			break
		}
		if a.status != 503 || time.Now().After(deadline) {
			t.Fatalf("the database is back: %d %s", a.status, a.body)
		}
	}
}

// While a database of the original is taken over the process lives, is not
// ready, and says how far it is.
func TestReadyTellsOfATakeover(t *testing.T) {
	t.Parallel()
	database := storetest.Postgres(t)
	db, err := sql.Open("pgx", database)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), `CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY);
		CREATE TABLE metrics_pipeline (id serial PRIMARY KEY, pipeline_id integer UNIQUE, project varchar, duration integer, duration_e2e integer, created_at timestamp, is_master boolean, has_restarts boolean);
		CREATE TABLE metrics_job (id serial PRIMARY KEY, pipeline_id integer, name varchar, duration_e2e integer, duration_up integer, duration integer, duration_up_without_pull integer, duration_pull integer);
		CREATE TABLE metrics_job_failed (id serial PRIMARY KEY, pipeline_id integer, name varchar, duration integer);
		CREATE TABLE metrics_build (id serial PRIMARY KEY, pipeline_id integer, name varchar, duration integer);
		INSERT INTO alembic_version VALUES ('5684fb25dcfd');
		INSERT INTO metrics_pipeline (pipeline_id, project, duration, duration_e2e, created_at) VALUES (1, 'test/project', 97, 27, '2023-06-13 07:11:24.029')`); err != nil {
		t.Fatal(err)
	}
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.ExecContext(t.Context(), "LOCK TABLE metrics_build"); err != nil {
		t.Fatal(err)
	}
	p := launch(t, database)
	for deadline := time.Now().Add(8 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		a := p.do(t, http.MethodGet, "/readyz?verbose", "")
		if a.status == 503 && strings.Contains(a.body, "[-] migrations: taking over the original's database") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("/readyz?verbose: %d %s", a.status, a.body)
		}
	}
	if live, post := p.do(t, http.MethodGet, "/livez", ""), p.do(t, http.MethodPost, "/save_metrics", example(t)); live.status != 200 || post.status != 503 {
		t.Errorf("/livez: %d, a post: %d", live.status, post.status)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	p.waitReady(t, http.StatusOK)
	if a := p.do(t, http.MethodPost, "/save_metrics", example(t)); a.status != 208 {
		t.Errorf("the example's pipeline came over, and its report is answered %d", a.status)
	}
}

// A server that still waits for its database stops like any other.
func TestStopWhileTheDatabaseIsAway(t *testing.T) {
	t.Parallel()
	p := launch(t, "postgres://nobody@127.0.0.1:1/none")
	p.waitReady(t, http.StatusServiceUnavailable)
	p.stop()
	if err := p.ended(t); err != nil {
		t.Error(err)
	}
}

// A request under way at the stop is answered, and what it brought is kept;
// readiness is red before the listener closes.
func TestStop(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, database string) {
		t.Helper()
		p := serve(t, database, func(c *server.Config) { c.ShutdownDelay = 500 * time.Millisecond })
		body := example(t)
		h := p.half(t, len(body), 0)
		time.Sleep(50 * time.Millisecond) // let its headers arrive
		p.stop()
		p.waitReady(t, http.StatusServiceUnavailable)
		for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
			if _, err := p.try(t.Context(), http.MethodGet, "/livez", ""); err != nil {
				break
			}
			if time.Now().After(deadline) {
				t.Fatal("the listener stays open")
			}
		}
		if status := h.finish(t, body); status != 200 {
			t.Errorf("the request under way: %d", status)
		}
		if err := p.ended(t); err != nil {
			t.Fatal(err)
		}
		got := storetest.Table(t, storetest.Open(t, database), "SELECT pipeline_id FROM metrics_pipeline")
		if diff := cmp.Diff([][]any{{int64(1)}}, got); diff != "" {
			t.Errorf("stored (-want +got):\n%s", diff)
		}
	})
}

// A stop takes no longer than allowed, whatever clients do.
func TestStopIsBounded(t *testing.T) {
	t.Parallel()
	p := serve(t, storetest.SQLite(t), func(c *server.Config) { c.ShutdownTimeout = 200 * time.Millisecond })
	p.half(t, 1000, 1)
	time.Sleep(50 * time.Millisecond)
	began := time.Now()
	p.stop()
	if err := p.ended(t); err != nil {
		t.Errorf("a request that never came whole is no failure of the stop: %v", err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	p := serve(t, storetest.SQLite(t))
	for range 3 {
		p.do(t, http.MethodPost, "/save_metrics", example(t))
	}
	p.do(t, http.MethodPost, "/save_metrics", "{}")
	p.do(t, http.MethodGet, "/nothing/here", "")
	p.do(t, http.MethodGet, "/livez", "")
	got := p.do(t, http.MethodGet, "/metrics", "").body
	for _, want := range []string{
		`pmc_reports_total{outcome="created"} 1`,
		`pmc_reports_total{outcome="unchanged"} 2`,
		`pmc_reports_total{outcome="invalid"} 1`,
		`pmc_reports_total{outcome="away"} 0`,
		`pmc_report_queue_length 0`,
		`pmc_batch_reports_sum 3`,
		`pmc_batch_commit_seconds_count [1-3]`,
		`pmc_database_errors_total{class="away"} 0`,
		`pmc_database_up 1`,
		`pmc_http_requests_total{route="POST /save_metrics",status="2xx"} 3`,
		`pmc_http_requests_total{route="POST /save_metrics",status="4xx"} 1`,
		`pmc_http_requests_total{route="none",status="4xx"} 1`,
		`pmc_http_request_duration_seconds_count{route="POST /save_metrics"} 4`,
		`pmc_http_requests_under_way 1`,
		`pmc_build_info{go_version="go[^"]+",version="v1.2.3"} 1`,
		`go_goroutines \d+`,
	} {
		if !regexp.MustCompile(`(?m)^` + strings.NewReplacer("{", `\{`, "}", `\}`).Replace(want) + `$`).MatchString(got) {
			t.Errorf("%s is missing", want)
		}
	}
	if strings.Contains(got, "livez") {
		t.Error("health is counted")
	}
}
