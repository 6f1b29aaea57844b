//go:build linux

package faults_test

import (
	cryptorand "crypto/rand"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A database file that can't be written, or is none, stops the start with a
// sentence that names the file, and is left as it is.
func TestUnusableFile(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil func(t *testing.T, path string)
		mend  func(t *testing.T, path string) // nil: nothing can
		says  string
	}{
		"read-only file": {
			func(t *testing.T, path string) { chmod(t, path, 0o444) },
			func(t *testing.T, path string) { chmod(t, path, 0o666) },
			"permission denied",
		},
		"read-only directory": {
			func(t *testing.T, path string) { chmod(t, filepath.Dir(path), 0o555) },
			func(t *testing.T, path string) { chmod(t, filepath.Dir(path), 0o777) },
			"can't be written",
		},
		"header destroyed": {
			func(t *testing.T, path string) { overwrite(t, path, 0, 100) },
			nil,
			"not a database",
		},
		"truncated": {
			func(t *testing.T, path string) {
				if err := os.Truncate(path, size(t, path)/2/pageSize*pageSize); err != nil {
					t.Fatal(err)
				}
			},
			nil,
			"malformed",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			database := filepath.Join(openDir(t), "faults.db")
			s, j := newServer(t, database), newJournal(1)
			s.as = nobody()
			s.start()
			l := startLoad(t, j, s)
			j.await(t, 100)
			l.finish()
			s.terminate()

			c.spoil(t, database)
			before := digest(t, database)
			s.launch()
			if code := s.exit(); code != 1 {
				t.Errorf("the start ended with %s, want 1", s.cmd.ProcessState)
			}
			saysOf(t, s, database, c.says)
			if digest(t, database) != before {
				t.Error("the file has changed")
			}
			if c.mend == nil {
				return
			}
			c.mend(t, database)
			s.start()
			s.terminate()
			audit(t, database, j)
		})
	}
}

// A file that is damaged inside costs what was in the damaged pages. What is
// acknowledged afterwards can be read, and what can't be saved is refused
// clearly.
func TestSoakDamagedFile(t *testing.T) {
	t.Parallel()
	whole := filepath.Join(t.TempDir(), "faults.db")
	s, j := newServer(t, whole), newJournal(1)
	s.start()
	l := startLoad(t, j, s)
	j.await(t, 400)
	l.finish()
	s.terminate()
	var all verdict
	rounds := count(3, 40)
	for range rounds {
		damaged := filepath.Join(t.TempDir(), "faults.db")
		copyFile(t, whole, damaged)
		for range 1 + rand.IntN(3) {
			page := 1 + rand.Int64N(size(t, whole)/pageSize-1) // but the first, which is the header's
			overwrite(t, damaged, page*pageSize, pageSize)
		}
		all.add(useDamaged(t, damaged, j))
	}
	all.tell(t, 0, "pages of the file overwritten, %d files, SQLite", rounds)
}

const pageSize = 4096 // of a SQLite file

// useDamaged starts a server on a damaged file, in which the reports of before
// were stored.
func useDamaged(t *testing.T, database string, before *journal) verdict {
	t.Helper()
	s, j := newServer(t, database), newJournal(1_000_000)
	s.launch()
	for began := time.Now(); s.alive() && status(s.url+"/readyz") != http.StatusOK; time.Sleep(5 * time.Millisecond) {
		if time.Since(began) > readyLimit {
			t.Fatal("the server neither serves nor ends")
		}
	}
	if !s.alive() {
		if code := s.exit(); code != 1 {
			t.Errorf("the start ended with %s, want 1", s.cmd.ProcessState)
		}
		saysOf(t, s, database, "malformed")
		return verdict{}
	}
	s.up()
	l := newLoad(t, j, s)
	refused := 0
	for range 30 {
		n := j.next()
		got, text := l.post(s, "/save_metrics", n.body(t))
		if got != 200 && got != 503 {
			t.Errorf("a new report: answer %d, want 200 or 503: %s", got, text)
		}
		j.answered(n, got, false)
		if got == 503 {
			refused++
			time.Sleep(100 * time.Millisecond)
		}
		if old, found := before.old(); found {
			got, text := l.post(s, "/save_metrics", old.body(t))
			if got != 208 && got != 503 {
				t.Errorf("an old report: answer %d, want 208 or 503: %s", got, text)
			}
		}
	}
	s.down()
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	s.exit()
	if refused > 0 {
		saysOf(t, s, "", "malformed")
	}
	return readable(t, database, j)
}

// saysOf wants a line in the log that says what is wrong, and with which file.
func saysOf(t *testing.T, s *server, database, says string) {
	t.Helper()
	log := tail(s.log)
	for line := range strings.Lines(log) {
		if strings.Contains(line, says) && strings.Contains(line, database) {
			return
		}
	}
	t.Errorf("no line of the log says %q and names %q:\n%s", says, database, log)
}

// readable wants each acknowledged report to be found, or its page to be
// reported as damaged: never an answer that it is not there.
func readable(t *testing.T, database string, j *journal) verdict {
	t.Helper()
	v, db := j.judge(t), open(t, database)
	for i, e := range j.entries {
		if !e.acknowledged() {
			continue
		}
		n, found := j.first+report(i), 0
		err := db.QueryRowContext(t.Context(), "SELECT count(*) FROM metrics_pipeline WHERE project = $1 AND pipeline_id = $2", n.project(), n).Scan(&found)
		if err == nil && found != 1 {
			v.lost++
			t.Errorf("report %d was acknowledged and is there %d times", n, found)
		}
	}
	return v
}

// openDir is a directory in which everybody may write.
func openDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "pmc-faults-") //nolint:usetesting // only the owner may enter those of t.TempDir
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	chmod(t, dir, 0o777)
	return dir
}

// nobody is a user without rights, where the tests are root: root may write
// whatever the mode of a file says.
func nobody() *syscall.Credential {
	if os.Geteuid() != 0 {
		return nil
	}
	return &syscall.Credential{Uid: 65534, Gid: 65534}
}

func chmod(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

func size(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// digest is the file as a value that can be compared.
func digest(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// overwrite puts random bytes into a file.
func overwrite(t *testing.T, path string, at, length int64) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	noise := make([]byte, length)
	_, _ = cryptorand.Read(noise) // never fails
	if _, err := f.WriteAt(noise, at); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}
