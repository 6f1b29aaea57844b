//go:build linux

package faults_test

import (
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

// Three replicas that are started at once on an empty database all come up, and
// share it.
func TestSoakReplicasStart(t *testing.T) {
	t.Parallel()
	var (
		all     verdict
		slowest time.Duration
	)
	rounds := count(1, 10)
	for range rounds {
		database, j := storetest.Postgres(t), newJournal(1)
		replicas := []*server{newServer(t, database), newServer(t, database), newServer(t, database)}
		began := time.Now()
		for _, s := range replicas {
			s.launch()
		}
		for _, s := range replicas {
			s.awaitReady()
		}
		slowest = max(slowest, time.Since(began))
		l := startLoad(t, j, replicas...)
		j.await(t, 300)
		l.finish()
		for _, s := range replicas {
			s.terminate()
		}
		all.add(audit(t, database, j))
	}
	all.tell(t, slowest, "three replicas started at once, %d times", rounds)
}

// Two replicas share a database under load, and one of them is killed.
func TestSoakReplicas(t *testing.T) {
	t.Parallel()
	database, j := storetest.Postgres(t), newJournal(1)
	replicas := []*server{newServer(t, database), newServer(t, database)}
	for _, s := range replicas {
		s.start()
	}
	l := startLoad(t, j, replicas...)
	kills := count(2, 30)
	for i := range kills {
		j.await(t, 100+rand.IntN(300))
		j.awaitMoment(t)
		replicas[i%2].kill()
		j.await(t, 50) // the other goes on
		replicas[i%2].start()
	}
	l.finish()
	for _, s := range replicas {
		s.terminate()
	}
	audit(t, database, j).tell(t, 0, "two replicas, %d times one of them killed", kills)
}

// Of equal reports that come at once, one is stored and all others are told so.
func TestSoakEqualPosts(t *testing.T) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		equalPosts(t, filepath.Join(t.TempDir(), "faults.db"), 1)
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		equalPosts(t, storetest.Postgres(t), 2)
	})
}

func equalPosts(t *testing.T, database string, replicas int) {
	t.Helper()
	servers := make([]*server, replicas)
	for i := range servers {
		servers[i] = newServer(t, database)
		servers[i].start()
	}
	// Every second round the project is new too.
	rounds := count(4, 100)
	j := newJournal(firstAlone - report(rounds/2))
	l := newLoad(t, j)
	for range rounds {
		n := j.next()
		got := postAtOnce(l, n, servers)
		if got[200] != 1 || got[208] != 199 {
			t.Errorf("200 equal posts of report %d: answers %v, want one 200 and 199 times 208", n, got)
		}
	}
	l.finish()
	for _, s := range servers {
		s.terminate()
	}
	audit(t, database, j).tell(t, 0, "200 equal posts at once, %d times, %d replicas, %s", rounds, replicas, path.Base(t.Name()))
}

// postAtOnce posts a report 200 times at once and returns how often each status
// was the answer.
func postAtOnce(l *load, n report, servers []*server) map[int]int {
	var (
		mu    sync.Mutex
		group sync.WaitGroup
	)
	got, gate, body := map[int]int{}, make(chan struct{}), n.body(l.t)
	for i := range 200 {
		group.Go(func() {
			<-gate
			status, _ := l.post(servers[i%len(servers)], "/save_metrics", body)
			l.journal.answered(n, status, false)
			mu.Lock()
			defer mu.Unlock()
			got[status]++
		})
	}
	close(gate)
	group.Wait()
	return got
}

// A second server on the same SQLite file, by whatever name, is refused, and
// told which the first is.
func TestSecondServer(t *testing.T) {
	t.Parallel()
	database, link := filepath.Join(t.TempDir(), "faults.db"), filepath.Join(t.TempDir(), "link.db")
	if err := os.Symlink(database, link); err != nil {
		t.Fatal(err)
	}
	first, second := newServer(t, database), newServer(t, link)
	first.start()
	second.launch()
	if code := second.exit(); code == 0 {
		t.Error("the second server ended with 0")
	}
	if log := tail(second.log); !strings.Contains(log, "process "+strconv.Itoa(first.cmd.Process.Pid)) {
		t.Errorf("the second server does not name the first, process %d:\n%s", first.cmd.Process.Pid, log)
	}
	if got := status(first.url + "/readyz"); got != 200 {
		t.Errorf("the first server: GET /readyz: %d, want 200", got)
	}
	first.kill()
	second.start()
	second.terminate()
}
