//go:build linux

package faults_test

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Of every third pipeline the CI system tells too, in native reports: first
// that it runs, then that it has finished. They come in any order, and at the
// same time as the legacy report; each must be kept.
const (
	toldToo  = 3
	messages = 2 // running, finished
)

// words is one of the native reports of a pipeline.
func (n report) words(t testing.TB, message int) []byte {
	created := n.createdAt()
	pipeline := map[string]any{"id": n, "ref": n.ref(), "state": "running", "created_at": created, "updated_at": created.Add(time.Minute)}
	build := map[string]any{
		"id": fmt.Sprintf("%d1", n), "name": "build-e2e", "stage": "build", "state": "finished", "result": "success",
		"created_at": created, "started_at": created.Add(time.Second), "finished_at": created.Add(31 * time.Second),
	}
	e2e := map[string]any{
		"id": fmt.Sprintf("%d2", n), "name": "e2e 0", "stage": "test", "state": "running",
		"created_at": created, "started_at": created.Add(40 * time.Second),
	}
	if message == messages-1 {
		end := created.Add(600 * time.Second)
		pipeline["state"], pipeline["result"], pipeline["finished_at"], pipeline["updated_at"] = "finished", "failure", end, end
		e2e["state"], e2e["result"], e2e["finished_at"] = "finished", "failure", end
	}
	body, err := json.Marshal(map[string]any{"provider": "jenkins", "project": n.project(), "pipeline": pipeline, "jobs": []any{build, e2e}})
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// wordsKept are the rows that the views must show when all has been told.
func (n report) wordsKept() []string {
	return []string{
		fmt.Sprintf("#%d1|build-e2e|finished|success|30", n),
		fmt.Sprintf("#%d2|e2e 0|finished|failure|560", n),
		"pipeline|finished|failure",
	}
}

// deliverAll delivers the legacy report, and the native ones of a pipeline that
// has some, all at once.
func (l *load) deliverAll(n report) {
	var group sync.WaitGroup
	if n%toldToo == 0 {
		for message := range messages {
			group.Go(func() { l.deliverWords(n, message) })
		}
	}
	l.deliver(n)
	group.Wait()
}

// deliverWords posts a native report until it is acknowledged.
func (l *load) deliverWords(n report, message int) {
	body := n.words(l.t, message)
	l.persist(fmt.Sprintf("message %d of pipeline %d", message, n), func(s *server) bool {
		before := l.journal.toldBefore(n, message)
		status, text := l.post(s, "/api/v1/reports", body)
		switch status {
		case http.StatusOK, http.StatusCreated:
			l.journal.told(n, message)
			if before && !strings.Contains(text, `"unchanged"`) {
				l.journal.forgotten("message %d of pipeline %d was acknowledged, and then it was news: %s", message, n, text)
			}
			return true
		case http.StatusServiceUnavailable, noAnswer:
			return false
		}
		l.journal.fault("message %d of pipeline %d got %d: %s", message, n, status, text)
		return true
	})
}

// remind posts again what was acknowledged.
func (l *load) remind() {
	old, found := l.journal.old()
	if !found {
		return
	}
	l.deliver(old)
	if message := rand.IntN(messages); l.journal.toldBefore(old, message) {
		l.deliverWords(old, message)
	}
}

// readWords returns what the views show of the native reports.
func readWords(t testing.TB, db *sql.DB) map[report][]string {
	t.Helper()
	found := map[report][]string{}
	query(t, db, "SELECT pipeline_id, attempt_key, job, state, result, CAST(duration AS REAL) FROM ci_jobs WHERE attempt_key LIKE '#%'", func(c []any) {
		n := report(c[0].(int64))
		found[n] = append(found[n], fmt.Sprintf("%v|%v|%v|%v|%v", c[1:]...))
	})
	query(t, db, "SELECT pipeline_id, state, result FROM ci_pipelines", func(c []any) {
		if n := report(c[0].(int64)); len(found[n]) > 0 {
			found[n] = append(found[n], fmt.Sprintf("pipeline|%v|%v", c[1:]...))
		}
	})
	for _, rows := range found {
		slices.Sort(rows)
	}
	return found
}
