package main

import (
	"context"
	"fmt"
	"strconv"
	"time"
)

// webhookPath is where GitLab posts its webhooks.
const webhookPath = "/api/v1/webhooks/gitlab"

// hookTime is how GitLab writes a time in a webhook.
const hookTime = "2006-01-02 15:04:05 MST"

// appendWebhook appends the report as GitLab's pipeline event tells it when the
// pipeline has ended: about 3 kB.
func (r report) appendWebhook(b []byte) []byte {
	number := func(before string, n int64) { b = strconv.AppendInt(append(b, before...), n, 10) }
	at := func(before string, t time.Time) { b = append(t.AppendFormat(append(b, before...), hookTime), '"') }
	ended := r.CreatedAt.Add(time.Duration(r.Duration) * time.Second)
	number(`{"object_kind":"pipeline","object_attributes":{"id":`, r.ID)
	number(`,"iid":`, r.ID%100_000)
	b = append(b, `,"name":null,"ref":"main","tag":false,"sha":"b48e3d4c1f0a2b3c4d5e6f708192a3b4c5d6e7f8","before_sha":"0000000000000000000000000000000000000000",`+
		`"source":"push","status":"success","detailed_status":"passed","stages":["e2e"],`...)
	at(`"created_at":"`, r.CreatedAt)
	at(`,"finished_at":"`, ended)
	number(`,"duration":`, int64(r.Duration))
	b = append(b, `,"queued_duration":3,"variables":[]},"merge_request":null,"user":{"id":4,"name":"Ann","username":"ann"},"project":{"id":9,"name":"`...)
	b = append(append(append(b, r.Project...), `","path_with_namespace":"`...), r.Project...)
	b = append(b, `","default_branch":"main"},"builds":[`...)
	for i, j := range r.Jobs {
		if i > 0 {
			b = append(b, ',')
		}
		number(`{"id":`, r.ID*jobsPerReport+int64(i))
		b = append(append(b, `,"stage":"e2e","name":"`...), j.Name...)
		at(`","status":"success","created_at":"`, r.CreatedAt)
		at(`,"started_at":"`, j.StartedAt)
		at(`,"finished_at":"`, j.FinishedAt)
		number(`,"duration":`, int64(j.Duration))
		b = append(b, `,"queued_duration":3.5,"failure_reason":null,"when":"on_success","manual":false,"allow_failure":false,`+
			`"user":{"id":4,"name":"Ann","username":"ann"},"runner":{"id":7,"description":"r-7","active":true,"runner_type":"instance_type","is_shared":true,"tags":["linux","docker"]},`+
			`"artifacts_file":{"filename":null,"size":null},"environment":null}`...)
	}
	return append(b, `]}`...)
}

// A hooked is what the server that stores nothing decodes of a webhook.
type hooked struct {
	Pipeline struct {
		ID         int64   `json:"id"`
		Ref        string  `json:"ref"`
		SHA        string  `json:"sha"`
		Status     string  `json:"status"`
		CreatedAt  string  `json:"created_at"`
		FinishedAt string  `json:"finished_at"`
		Duration   float64 `json:"duration"`
	} `json:"object_attributes"`
	Project struct {
		Path string `json:"path_with_namespace"`
	} `json:"project"`
	Builds []struct {
		ID         int64   `json:"id"`
		Name       string  `json:"name"`
		Stage      string  `json:"stage"`
		Status     string  `json:"status"`
		StartedAt  string  `json:"started_at"`
		FinishedAt string  `json:"finished_at"`
		Duration   float64 `json:"duration"`
	} `json:"builds"`
}

// hooks is the scenario of clients that deliver new webhooks.
func (s subject) hooks(clients int) scenario {
	s.webhooks = true
	return s.under(fmt.Sprintf("c=%d, webhooks", clients), plan{Clients: clients, Webhooks: true}, 0)
}

// checkDeliveries compares the deliveries that are kept with those that were
// promised.
func (e *environment) checkDeliveries(ctx context.Context, t tally) (string, error) {
	db, err := e.database.open()
	if err != nil {
		return "", err
	}
	defer db.Close()
	var kept, failed int64
	if err := db.QueryRowContext(ctx, "SELECT count(*), COALESCE(SUM(CASE WHEN state = 'failed' THEN 1 ELSE 0 END), 0) FROM deliveries").Scan(&kept, &failed); err != nil {
		return "", fmt.Errorf("counting the deliveries: %w", err)
	}
	if promised := t.accepted(); kept < promised || failed > 0 {
		return fmt.Sprintf("%d answers 202, %d deliveries kept, %d of them failed", promised, kept, failed), nil
	}
	return "", nil
}
