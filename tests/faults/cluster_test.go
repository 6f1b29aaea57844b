//go:build linux

package faults_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const clusterLimit = time.Minute // to start, or to stop, on a busy machine

// A cluster is a PostgreSQL of one test's own, to be crashed.
type cluster struct {
	t     testing.TB
	bin   string
	dir   string
	url   string
	port  int
	as    *syscall.Credential // PostgreSQL does not run as root
	cmd   *exec.Cmd
	ended chan struct{}
}

// newCluster makes a cluster; it is not running yet.
func newCluster(t testing.TB) *cluster {
	t.Helper()
	bin := os.Getenv("PMC_TEST_POSTGRES_BIN")
	if bin == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("PMC_TEST_POSTGRES_BIN is not set: CI must test PostgreSQL too")
		}
		t.Skip("PMC_TEST_POSTGRES_BIN is not set: run `make test`")
	}
	dir, err := os.MkdirTemp("/tmp", "pmc-faults-") //nolint:usetesting // short: a socket's path may have 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	password := rand.Text()
	c := &cluster{t: t, bin: bin, dir: dir, port: freePort(t), as: postgresUser(t)}
	c.url = fmt.Sprintf("postgres://postgres:%s@127.0.0.1:%d/postgres?sslmode=disable", password, c.port)
	if err := os.WriteFile(dir+"/password", []byte(password), 0o600); err != nil {
		t.Fatal(err)
	}
	if c.as != nil {
		for _, path := range []string{dir, dir + "/password"} {
			if err := os.Chown(path, int(c.as.Uid), int(c.as.Gid)); err != nil {
				t.Fatal(err)
			}
		}
	}
	// Small files of the log, so that one test can limit the size of all files.
	init := c.command("initdb", "-D", dir+"/data", "-U", "postgres", "--pwfile="+dir+"/password", "--auth=scram-sha-256",
		"--encoding=UTF8", "--locale=C", "--wal-segsize=1", "--no-sync")
	if out, err := init.CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	t.Cleanup(c.end)
	return c
}

// postgresUser is the user to run as where the tests are root.
func postgresUser(t testing.TB) *syscall.Credential {
	t.Helper()
	if os.Geteuid() != 0 {
		return nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		t.Fatalf("PostgreSQL does not run as root: %v", err)
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

func (c *cluster) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(c.bin, name), args...)
	cmd.Dir = c.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: c.as, Pdeathsig: syscall.SIGKILL}
	return cmd
}

// start starts the cluster, or starts it again, and waits until it answers.
func (c *cluster) start() {
	c.t.Helper()
	began := time.Now()
	for !c.try() {
		if time.Since(began) > clusterLimit {
			c.t.Fatalf("PostgreSQL does not start:\n%s", tail(c.dir+"/log"))
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// try starts the cluster once: a crash may have left processes that still hold
// its shared memory.
func (c *cluster) try() bool {
	c.t.Helper()
	log, err := os.OpenFile(c.dir+"/log", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		c.t.Fatal(err)
	}
	defer log.Close() // the child has its own
	c.cmd = c.command("postgres", "-D", c.dir+"/data", "-p", strconv.Itoa(c.port), "-k", c.dir,
		"-c", "listen_addresses=127.0.0.1", "-c", "timezone=UTC", "-c", "max_wal_size=64MB")
	c.cmd.Stdout, c.cmd.Stderr = log, log
	if err := c.cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	cmd, ended := c.cmd, make(chan struct{})
	c.ended = ended
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
	for began := time.Now(); time.Since(began) < clusterLimit; time.Sleep(20 * time.Millisecond) {
		if c.answers() {
			return true
		}
		select {
		case <-ended:
			return false
		default:
		}
	}
	return false
}

func (c *cluster) answers() bool {
	db, err := sql.Open("pgx", c.url)
	if err != nil {
		c.t.Fatal(err)
	}
	defer db.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	return db.PingContext(ctx) == nil
}

// stop sends the postmaster a signal and waits for its end: SIGINT is a fast
// shutdown, SIGQUIT an immediate one, which is a crash.
func (c *cluster) stop(how syscall.Signal) {
	c.t.Helper()
	_ = c.cmd.Process.Signal(how)
	select {
	case <-c.ended:
	case <-time.After(clusterLimit):
		c.t.Fatalf("PostgreSQL has not ended %s after %s", clusterLimit, how)
	}
}

// killAll ends the postmaster and all its children at once.
func (c *cluster) killAll() {
	c.t.Helper()
	c.signalAll(syscall.SIGKILL)
	<-c.ended
}

// signalAll signals the postmaster and all its children.
func (c *cluster) signalAll(what syscall.Signal) {
	for _, pid := range c.pids() {
		_ = syscall.Kill(pid, what) // an error: it has ended
	}
}

// pids are the postmaster and its children.
func (c *cluster) pids() []int {
	pids := []int{c.cmd.Process.Pid}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		text, _ := os.ReadFile(path) // an error: it has ended
		// The second field is the name in parentheses and may hold anything.
		fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
		if len(fields) > 1 && fields[1] == strconv.Itoa(pids[0]) {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			pids = append(pids, pid)
		}
	}
	return pids
}

// end is the cleanup.
func (c *cluster) end() {
	if c.cmd != nil && c.cmd.Process != nil {
		c.killAll()
	}
	if c.t.Failed() {
		c.t.Logf("PostgreSQL's log ends:\n%s", tail(c.dir+"/log"))
	}
}
