//go:build linux

package faults_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	senders = 16
	// patience is how long a sender waits for an answer. The program has 10 s
	// for a commit, and 3 s to connect.
	patience = 20 * time.Second
	// settled is how long after the end of a fault a report may stay without
	// an acknowledgement.
	settled = 40 * time.Second
)

// A load is many senders that post reports, each until it is acknowledged.
type load struct {
	t       testing.TB
	journal *journal
	servers []*server
	client  *http.Client
	stop    chan struct{}
	wg      sync.WaitGroup
}

// newLoad has no senders yet.
func newLoad(t testing.TB, j *journal, servers ...*server) *load {
	l := &load{
		t: t, journal: j, servers: servers, stop: make(chan struct{}),
		client: &http.Client{Timeout: patience, Transport: &http.Transport{MaxIdleConnsPerHost: 2 * senders}},
	}
	t.Cleanup(l.end)
	return l
}

// startLoad posts the journal's reports to all servers until finish.
func startLoad(t testing.TB, j *journal, servers ...*server) *load {
	l := newLoad(t, j, servers...)
	for range senders {
		l.wg.Go(l.send)
	}
	return l
}

// finish sends no new reports and waits until all that were sent are
// acknowledged.
func (l *load) finish() {
	l.t.Helper()
	l.end()
	l.client.CloseIdleConnections()
}

func (l *load) end() {
	select {
	case <-l.stop:
	default:
		close(l.stop)
	}
	l.wg.Wait()
}

func (l *load) stopped() bool {
	select {
	case <-l.stop:
		return true
	default:
		return false
	}
}

// send is one sender: mostly new reports, now and then an old one, the same one
// twice at once, or a bad one.
func (l *load) send() {
	for !l.stopped() {
		switch die := rand.IntN(100); {
		case die < 5:
			l.remind()
		case die < 8:
			n := l.journal.next()
			var twin sync.WaitGroup
			twin.Go(func() { l.deliver(n) })
			l.deliver(n)
			twin.Wait()
		case die < 10:
			l.sendBad()
		default:
			l.deliverAll(l.journal.next())
		}
		time.Sleep(rand.N(5 * time.Millisecond))
	}
}

// deliver posts a legacy report until it is acknowledged.
func (l *load) deliver(n report) {
	body := n.body(l.t)
	l.persist(fmt.Sprintf("report %d", n), func(s *server) bool {
		wasStored := l.journal.acknowledgedBefore(n)
		status, text := l.post(s, "/save_metrics", body)
		l.journal.answered(n, status, wasStored)
		switch status {
		case http.StatusOK, http.StatusAlreadyReported:
			return true
		case http.StatusServiceUnavailable, noAnswer:
			return false
		}
		l.journal.fault("report %d got %d: %s", n, status, text)
		return true
	})
}

// persist posts to one server after the other until post tells that it is done,
// as real senders do.
func (l *load) persist(what string, post func(s *server) (done bool)) {
	at := rand.IntN(len(l.servers))
	var given time.Time // when a sender may give up
	for !post(l.servers[at%len(l.servers)]) {
		if l.stopped() {
			if given.IsZero() {
				given = time.Now().Add(settled)
			} else if time.Now().After(given) {
				l.journal.fault("%s is not acknowledged %s after the last fault", what, settled)
				return
			}
		}
		// Retry-After is in whole seconds; a shorter wait makes more of the
		// same minute, and a herd that the server must bear.
		time.Sleep(50*time.Millisecond + rand.N(100*time.Millisecond))
		at++ // perhaps another replica is well
	}
}

// sendBad posts what is no report: it must be refused, and nothing of it kept.
func (l *load) sendBad() {
	body := bytes.Replace((firstAlone - 1).body(l.t), []byte(`"has_restarts"`), []byte(`"had_restarts"`), 1)
	status, text := l.post(l.servers[rand.IntN(len(l.servers))], "/save_metrics", body)
	clear := status == http.StatusBadRequest && strings.Contains(text, "has_restarts")
	if !clear && status != http.StatusServiceUnavailable && status != noAnswer {
		l.journal.fault("a report without has_restarts got %d: %s", status, text)
	}
}

// noAnswer stands for the status where the connection broke.
const noAnswer = 0

// post sends a body and judges the answer's form.
func (l *load) post(s *server, path string, body []byte) (status int, text string) {
	began := time.Now()
	status, text, err := l.try(s.url+path, body)
	name := strconv.Itoa(status)
	if err != nil {
		name, status, text = "none", noAnswer, err.Error()
		if !s.wasDown(began, time.Now()) {
			l.journal.fault("the server was up and did not answer: %s", text)
		}
	}
	l.journal.tally(name, time.Since(began))
	return status, text
}

func (l *load) try(url string, body []byte) (status int, text string, err error) {
	resp, err := l.client.Post(url, "application/json", bytes.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, "", err
	}
	text = string(answer)
	switch after, err := strconv.Atoi(resp.Header.Get("Retry-After")); {
	case resp.StatusCode < 300 && text != "" && strings.HasSuffix(url, "/save_metrics"):
		l.journal.fault("an answer %d with a body: %s", resp.StatusCode, text)
	case resp.StatusCode == http.StatusServiceUnavailable && (err != nil || after < 1):
		l.journal.fault("an answer 503 without Retry-After: %v %s", resp.Header, text)
	case resp.StatusCode >= 300 && resp.Header.Get("Content-Type") != "application/problem+json":
		l.journal.fault("an answer %d that is no problem document: %v %s", resp.StatusCode, resp.Header, text)
	}
	return resp.StatusCode, text, nil
}

// status asks a server with GET; noAnswer where it does not answer.
func status(url string) int {
	client := http.Client{Timeout: patience}
	resp, err := client.Get(url)
	if err != nil {
		return noAnswer
	}
	resp.Body.Close()
	return resp.StatusCode
}

var errNotReady = errors.New("not ready")

// awaitStatus asks a server until it answers with the status.
func awaitStatus(url string, want int, limit time.Duration) error {
	began := time.Now()
	for {
		got := status(url)
		if got == want {
			return nil
		}
		if time.Since(began) > limit {
			return fmt.Errorf("%w: %s answers %d after %s, want %d", errNotReady, url, got, limit, want)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// tail is the end of a file, for people to read.
func tail(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	const last = 6000
	if len(text) > last {
		text = text[len(text)-last:]
	}
	return string(text)
}
