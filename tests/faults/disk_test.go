//go:build linux

package faults_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// When a file can't grow any more the senders are told to come again, and when
// it can, they are served: without a restart, and with nothing lost.
func TestSoakFullDisk(t *testing.T) {
	t.Parallel()
	t.Run("sqlite on a small file system", func(t *testing.T) {
		t.Parallel()
		d := newSmallDisk(t)
		if d == nil {
			// Then the limit below is what this machine can show of it.
			t.Log("this machine lets nobody mount a file system: not tried")
			return
		}
		s, j := newServer(t, d.dir+"/faults.db", d.enter...), newJournal(1)
		s.start()
		times, slowest := fill(t, s, j, func() { d.fill(t) }, func() {
			if err := os.Remove(d.inside("ballast")); err != nil {
				t.Error(err)
			}
		})
		copied := t.TempDir()
		for _, name := range []string{"faults.db", "faults.db-wal"} {
			copyFile(t, d.inside(name), filepath.Join(copied, name))
		}
		audit(t, filepath.Join(copied, "faults.db"), j).tell(t, slowest, "full disk, %d times, SQLite", times)
	})
	t.Run("sqlite with a limit on files", func(t *testing.T) {
		t.Parallel()
		database := filepath.Join(t.TempDir(), "faults.db")
		s, j := newServer(t, database), newJournal(1)
		s.start()
		times, slowest := fill(t, s, j,
			func() { limitFiles(t, nil, "4096", s.cmd.Process.Pid) },
			func() { limitFiles(t, nil, "unlimited", s.cmd.Process.Pid) })
		audit(t, database, j).tell(t, slowest, "no file may grow, %d times, SQLite", times)
	})
	t.Run("postgres with a limit on files", func(t *testing.T) {
		t.Parallel()
		c := newCluster(t)
		c.start()
		s, j := newServer(t, c.url), newJournal(1)
		s.start()
		size := 1 << 20 // of PostgreSQL's own files at the start, and of those of its log
		times, slowest := fill(t, s, j,
			func() { limitFiles(t, c.as, strconv.Itoa(size), c.pids()...) },
			func() { limitFiles(t, c.as, "unlimited", c.pids()...) })
		audit(t, c.url, j).tell(t, slowest, "no file may grow, %d times, PostgreSQL", times)
	})
}

// fill loads the server, lets the space run out until nothing is saved for a
// while, and makes room again, several times; then it waits until all is
// acknowledged. It returns how often, and the longest time from there being
// room to a report saved.
func fill(t *testing.T, s *server, j *journal, fillUp, makeRoom func()) (times int, slowest time.Duration) {
	t.Helper()
	l := startLoad(t, j, s)
	times = count(2, 20)
	for range times {
		j.await(t, 50)
		fillUp()
		j.awaitSilence(t)
		if !s.alive() {
			t.Fatal("the server has ended")
		}
		if got := status(s.url + "/livez"); got != 200 {
			t.Errorf("GET /livez: %d, want 200", got)
		}
		makeRoom()
		slowest = max(slowest, j.await(t, 1))
	}
	l.finish()
	s.terminate()
	return times, slowest
}

// limitFiles sets how many bytes a file of these processes may have. It is done
// as their own user, for even root may lack the right to do it to others.
func limitFiles(t testing.TB, as *syscall.Credential, bytes string, pids ...int) {
	t.Helper()
	for _, pid := range pids {
		cmd := exec.Command("prlimit", "--pid", strconv.Itoa(pid), "--fsize="+bytes+":unlimited")
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as}
		out, err := cmd.CombinedOutput()
		if err != nil && syscall.Kill(pid, 0) == nil {
			t.Fatalf("prlimit: %v\n%s", err, out)
		}
	}
}

// A smallDisk is a file system of few bytes, seen only by those who enter its
// namespace. It goes away with the process that holds it, and that with us.
type smallDisk struct {
	dir   string // its path, for those inside
	pid   int    // of the holder
	enter []string
}

// newSmallDisk returns nil where nobody may mount.
func newSmallDisk(t *testing.T) *smallDisk {
	t.Helper()
	dir := t.TempDir()
	unshare, enter := []string{"--mount"}, []string{"--mount"}
	if os.Geteuid() != 0 {
		unshare = append(unshare, "--user", "--map-root-user")
		enter = append(enter, "--user", "--preserve-credentials")
	}
	const script = `mount -t tmpfs -o size=32m,mode=777 tmpfs "$1" && echo mounted && exec cat`
	holder := exec.Command("unshare", append(unshare, "sh", "-c", script, "sh", dir)...)
	holder.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	stdin, err1 := holder.StdinPipe()
	stdout, err2 := holder.StdoutPipe()
	if err := errors.Join(err1, err2, holder.Start()); err != nil {
		t.Logf("unshare: %v", err)
		return nil
	}
	t.Cleanup(func() {
		stdin.Close() // cat ends
		_ = holder.Wait()
	})
	line, _ := bufio.NewReader(stdout).ReadString('\n')
	if strings.TrimSpace(line) != "mounted" {
		return nil
	}
	pid := holder.Process.Pid
	return &smallDisk{dir: dir, pid: pid, enter: append([]string{"nsenter", "--target", strconv.Itoa(pid)}, enter...)}
}

// fill leaves no byte of the disk.
func (d *smallDisk) fill(t testing.TB) {
	t.Helper()
	ballast, err := os.OpenFile(d.inside("ballast"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer ballast.Close()
	for err == nil {
		_, err = ballast.Write(make([]byte, pageSize))
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
}

// inside is the path by which we see a file of the disk.
func (d *smallDisk) inside(name string) string {
	return fmt.Sprintf("/proc/%d/root%s/%s", d.pid, d.dir, name)
}

// copyFile copies a file, if it is there.
func copyFile(t testing.TB, from, to string) {
	t.Helper()
	in, err := os.Open(from)
	if errors.Is(err, os.ErrNotExist) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.Copy(out, in)
	if err := errors.Join(err, out.Close()); err != nil {
		t.Fatal(err)
	}
}
