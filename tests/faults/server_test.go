//go:build linux

package faults_test

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	readyLimit = 30 * time.Second // from a start to 200 of /readyz, on a busy machine
	exitLimit  = 60 * time.Second // until a process that must end is given up
	endLimit   = 25 * time.Second // from SIGTERM to the end: --shutdown-timeout is 20 s
)

// A server is the program, in a process of its own, on one address through all
// its lives.
type server struct {
	t     testing.TB
	args  []string // the whole command
	url   string
	log   string              // path of what it wrote, in all its lives
	as    *syscall.Credential // nil: the user of the tests
	cmd   *exec.Cmd
	ended chan struct{} // closed when the process has ended

	mu    sync.Mutex
	downs []interval // when it was not to be reached
}

// An interval without an end has not ended.
type interval struct{ from, to time.Time }

// newServer prepares a server on the database; wrap is a command in front of
// the program's own.
func newServer(t testing.TB, database string, wrap ...string) *server {
	t.Helper()
	address := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	s := &server{
		t: t, url: "http://" + address, log: filepath.Join(t.TempDir(), "server.log"),
		args:  append(wrap, program, "serve", "--listen", address, "--database", database, "--log-level", "error"),
		downs: []interval{{}},
	}
	t.Cleanup(s.end)
	return s
}

// freePort is below those that the system gives to clients: else a client that
// knocks while the server is dead may get that very port, and keep it.
func freePort(t testing.TB) int {
	t.Helper()
	for range 100 {
		port := 10_000 + rand.IntN(10_000)
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			l.Close()
			return port
		}
	}
	t.Fatal("no free port between 10000 and 20000")
	return 0
}

// launch starts the process and does not wait for it.
func (s *server) launch() {
	s.t.Helper()
	log, err := os.OpenFile(s.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		s.t.Fatal(err)
	}
	defer log.Close() // the child has its own
	s.cmd = exec.Command(s.args[0], s.args[1:]...)
	s.cmd.Stdout, s.cmd.Stderr = log, log
	s.cmd.Dir = "/"
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Credential: s.as}
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	cmd, ended := s.cmd, make(chan struct{})
	s.ended = ended
	go func() {
		_ = cmd.Wait() // its ProcessState says how it ended
		close(ended)
	}()
}

// start starts the process and returns how long it took to be ready.
func (s *server) start() time.Duration {
	s.t.Helper()
	began := time.Now()
	s.launch()
	s.awaitReady()
	return time.Since(began)
}

func (s *server) awaitReady() {
	s.t.Helper()
	if err := awaitStatus(s.url+"/readyz", 200, readyLimit); err != nil {
		s.t.Fatal(err)
	}
	s.up()
}

// kill ends the process as a lost machine does.
func (s *server) kill() {
	s.down()
	_ = s.cmd.Process.Kill()
	<-s.ended
}

// terminate asks the process to end and returns how long that took. It must
// end well.
func (s *server) terminate() time.Duration {
	s.t.Helper()
	began := time.Now()
	s.down()
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	if code := s.exit(); code != 0 {
		s.t.Errorf("SIGTERM: the server ended with %s, want 0", s.cmd.ProcessState)
	}
	return time.Since(began)
}

// exit waits for the end of the process and returns its code.
func (s *server) exit() int {
	s.t.Helper()
	select {
	case <-s.ended:
		return s.cmd.ProcessState.ExitCode()
	case <-time.After(exitLimit):
		s.t.Fatalf("the server has not ended after %s", exitLimit)
		return -1
	}
}

func (s *server) alive() bool {
	select {
	case <-s.ended:
		return false
	default:
		return true
	}
}

// end is the cleanup.
func (s *server) end() {
	if s.cmd != nil && s.cmd.Process != nil {
		s.kill()
	}
	if s.t.Failed() {
		s.t.Logf("the log of %s ends:\n%s", s.url, tail(s.log))
	}
}

func (s *server) down() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.downs = append(s.downs, interval{from: time.Now()})
}

func (s *server) up() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.downs[len(s.downs)-1].to = time.Now()
}

// wasDown tells whether the server could not be reached at some time between.
func (s *server) wasDown(from, to time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.downs {
		if !d.from.After(to) && (d.to.IsZero() || !d.to.Before(from)) {
			return true
		}
	}
	return false
}
