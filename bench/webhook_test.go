package main

import (
	"testing"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/provider/gitlab"
)

func BenchmarkStrip(b *testing.B) {
	body := newReport(firstNumber, defaultProjects).appendWebhook(nil)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := gitlab.Strip(body); err != nil {
			b.Fatal(err)
		}
	}
}

// The webhooks of the bench are such that GitLab could have sent them: the
// collector reads all of them.
func TestWebhooksAreRead(t *testing.T) {
	t.Parallel()
	for id := range int64(2000) {
		r := newReport(firstNumber+id, defaultProjects)
		got, err := gitlab.ParseWebhook("", r.appendWebhook(nil))
		if err != nil || len(got) != 1 {
			t.Fatalf("%d reports, %v", len(got), err)
		}
		if p := got[0]; p.Project != r.Project || p.Pipeline.ID != r.ID || len(p.Jobs) != jobsPerReport || !p.Jobs[1].StartedAt.Equal(r.Jobs[1].StartedAt.Truncate(time.Second)) {
			t.Fatalf("%+v is read as %+v", r, p)
		}
	}
}
