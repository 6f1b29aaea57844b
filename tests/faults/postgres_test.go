//go:build linux

package faults_test

import (
	"math/rand/v2"
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

// A PostgreSQL that crashes, and comes back, is a pause and no more.
func TestSoakPostgresCrash(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.start()
	s, j := newServer(t, c.url), newJournal(1)
	s.start()
	l := startLoad(t, j, s)
	crashes := count(2, 20)
	var slowest time.Duration
	for i := range crashes {
		j.await(t, 50+rand.IntN(300))
		j.awaitMoment(t)
		if i%2 == 0 {
			c.killAll()
		} else {
			c.stop(syscall.SIGQUIT)
		}
		time.Sleep(rand.N(time.Second))
		c.start()
		slowest = max(slowest, j.await(t, 1))
	}
	l.finish()
	// Nobody has noticed this one when the next report comes.
	c.killAll()
	c.start()
	time.Sleep(time.Second)
	n := j.next()
	got, text := l.post(s, "/save_metrics", n.body(t))
	if j.answered(n, got, false); got != http.StatusOK {
		t.Errorf("the first report after a crash that nobody noticed got %d, want 200: %s", got, text)
	}
	s.terminate()
	audit(t, c.url, j).tell(t, slowest, "PostgreSQL crashed, %d times", crashes+1)
}

// A server that is started without its database says so, and begins when the
// database does. One whose database goes away goes on when it is back.
func TestSoakPostgresAway(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	s, j := newServer(t, c.url), newJournal(1)
	s.launch()
	if err := awaitStatus(s.url+"/livez", http.StatusOK, readyLimit); err != nil {
		t.Fatal(err)
	}
	s.up() // it is to be reached, if not ready
	l := startLoad(t, j, s)
	time.Sleep(time.Second)
	if got := status(s.url + "/readyz"); got != http.StatusServiceUnavailable {
		t.Errorf("without a database: GET /readyz: %d, want 503", got)
	}
	if n := j.acknowledgements(); n > 0 {
		t.Errorf("without a database: %d reports acknowledged", n)
	}
	hopeless := newServer(t, c.url) // is told to end before the database comes
	hopeless.launch()
	if err := awaitStatus(hopeless.url+"/livez", http.StatusOK, readyLimit); err != nil {
		t.Error(err)
	}
	if took := hopeless.terminate(); took > endLimit {
		t.Errorf("without a database: the server took %s to end, want at most %s", took, endLimit)
	}
	c.start()
	atStart := j.await(t, 1)
	j.await(t, 200)

	away := count(3*time.Second, time.Minute)
	c.stop(syscall.SIGINT)
	if err := awaitStatus(s.url+"/readyz", http.StatusServiceUnavailable, readyLimit); err != nil {
		t.Error(err)
	}
	j.awaitSilence(t) // the last answers are on their way
	before := j.acknowledgements()
	time.Sleep(away)
	if n := j.acknowledgements() - before; n > 0 {
		t.Errorf("without a database: %d reports acknowledged", n)
	}
	if got := status(s.url + "/livez"); got != http.StatusOK {
		t.Errorf("without a database: GET /livez: %d, want 200", got)
	}
	c.start()
	between := j.await(t, 1)
	if err := awaitStatus(s.url+"/readyz", http.StatusOK, readyLimit); err != nil {
		t.Error(err)
	}
	j.await(t, 200)
	l.finish()
	s.terminate()
	audit(t, c.url, j).tell(t, max(atStart, between), "PostgreSQL away at the start, then for %s", away)
}

// A PostgreSQL that takes connections and says nothing, like a lost host: the
// senders get an answer nevertheless, and a server that is to end does.
func TestSoakPostgresFrozen(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.start()
	s, j, other := newServer(t, c.url), newJournal(1), newServer(t, c.url)
	s.start()
	other.start()
	l := startLoad(t, j, s, other)
	j.await(t, 100)
	c.signalAll(syscall.SIGSTOP)
	frozen := count(6*time.Second, 25*time.Second) // the program gives a commit 10 s, and /readyz 2 s
	thaw := time.AfterFunc(frozen, func() { c.signalAll(syscall.SIGCONT) })
	defer thaw.Stop()
	if err := awaitStatus(s.url+"/readyz", http.StatusServiceUnavailable, frozen); err != nil {
		t.Error(err)
	}
	took := other.terminate() // with reports under way
	if took > endLimit {
		t.Errorf("the server took %s to end, want at most %s", took, endLimit)
	}
	if err := awaitStatus(s.url+"/readyz", http.StatusOK, frozen+readyLimit); err != nil {
		t.Error(err)
	}
	again := j.await(t, 1)
	l.finish()
	s.terminate()
	audit(t, c.url, j).tell(t, again, "PostgreSQL frozen for %s; a server ended meanwhile after %s", frozen, took.Round(time.Millisecond))
}

// When the database's administrator cuts all connections, senders may be told
// to come again, and no more.
func TestSoakConnectionsCut(t *testing.T) {
	t.Parallel()
	database, j := storetest.Postgres(t), newJournal(1)
	s := newServer(t, database)
	s.start()
	l := startLoad(t, j, s)
	cuts := count(5, 100)
	var slowest time.Duration
	db := open(t, database)
	for range cuts {
		j.await(t, 20+rand.IntN(100))
		query(t, db, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()", func([]any) {})
		slowest = max(slowest, j.await(t, 1))
	}
	l.finish()
	s.terminate()
	audit(t, database, j).tell(t, slowest, "all connections cut, %d times", cuts)
}

// A lock that an administrator holds on the table, longer than a commit may
// take, is a pause too.
func TestSoakTableLocked(t *testing.T) {
	t.Parallel()
	database, j := storetest.Postgres(t), newJournal(1)
	s := newServer(t, database)
	s.start()
	l := startLoad(t, j, s)
	j.await(t, 50)
	tx, err := open(t, database).BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.ExecContext(t.Context(), "LOCK TABLE pipelines IN ACCESS EXCLUSIVE MODE"); err != nil {
		t.Fatal(err)
	}
	locked := count(2*time.Second, 15*time.Second) // the program gives a commit 10 s
	time.Sleep(locked)
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	again := j.await(t, 1)
	l.finish()
	s.terminate()
	audit(t, database, j).tell(t, again, "a table locked for %s", locked)
}
