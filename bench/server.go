package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"syscall"
	"time"
)

const (
	startTimeout = 2 * time.Minute
	stopTimeout  = 30 * time.Second
	// settle is how long a server is left alone after its start before its
	// idle memory is read.
	settle = 300 * time.Millisecond
)

// A server is a program under test in a process of its own.
type server struct {
	cmd   *exec.Cmd
	url   string
	log   string        // path of what it wrote
	ready time.Duration // from its start to the first 200 of /readyz
	ended chan error
}

// startServer runs program with "--listen ADDRESS" appended and waits until
// it is ready. Its output goes to a file, as it would to a journal.
func startServer(ctx context.Context, dir, program string, args ...string) (*server, error) {
	address, err := freeAddress(ctx)
	if err != nil {
		return nil, err
	}
	log, err := os.CreateTemp(dir, "server-*.log")
	if err != nil {
		return nil, err
	}
	defer log.Close() // the child has its own
	s := &server{url: "http://" + address, log: log.Name(), ended: make(chan error, 1)}
	s.cmd = exec.CommandContext(ctx, program, append(args, "--listen", address)...)
	s.cmd.Stdout, s.cmd.Stderr = log, log
	s.cmd.Dir = dir
	s.cmd.Cancel = func() error { return s.cmd.Process.Signal(syscall.SIGTERM) }
	s.cmd.WaitDelay = stopTimeout
	began := time.Now()
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { s.ended <- s.cmd.Wait() }()
	if err := s.awaitReady(ctx, began); err != nil {
		return nil, errors.Join(err, s.stop(), s.output())
	}
	return s, nil
}

func freeAddress(ctx context.Context) (string, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

func (s *server) awaitReady(ctx context.Context, began time.Time) error {
	for {
		if answers(ctx, s.url+"/readyz") {
			s.ready = time.Since(began)
			return nil
		}
		select {
		case err := <-s.ended:
			s.ended <- err
			return fmt.Errorf("%s ended before it was ready: %w", s.cmd.Path, err)
		case <-time.After(2 * time.Millisecond):
		}
		if time.Since(began) > startTimeout {
			return fmt.Errorf("%s was not ready after %s", s.cmd.Path, startTimeout)
		}
	}
}

func answers(ctx context.Context, url string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return false
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

func (s *server) pid() int { return s.cmd.Process.Pid }

// stop asks the server to end and waits for it.
func (s *server) stop() error {
	_ = s.cmd.Process.Signal(syscall.SIGTERM) // an error: it has ended
	var exit *exec.ExitError
	select {
	case err := <-s.ended:
		s.ended <- err
		if errors.As(err, &exit) && !exit.Exited() {
			return nil // a baseline that dies of the signal
		}
		return err
	case <-time.After(stopTimeout):
		return errors.Join(fmt.Errorf("the server did not end within %s of SIGTERM", stopTimeout), s.cmd.Process.Kill())
	}
}

// output is the end of the server's log as an error, for people to read.
func (s *server) output() error {
	f, err := os.Open(s.log)
	if err != nil {
		return err
	}
	defer f.Close()
	const last = 2000
	if end, err := f.Seek(0, io.SeekEnd); err == nil {
		_, _ = f.Seek(max(0, end-last), io.SeekStart)
	}
	text, err := io.ReadAll(f)
	return errors.Join(fmt.Errorf("its output ends:\n%s", text), err)
}
