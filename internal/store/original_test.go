package store_test

import (
	"encoding/json"
	"fmt"
	"math/big"
	"math/rand/v2"
	"strconv"
	"time"
)

// An independent model of the original: what rows its handler would have
// stored for a sequence of valid posts. It shares no code with ours.
type original struct {
	pipelines map[string]bool
	rows      map[string][][]any // by table
}

// post stores the body unless there is a report of its pipeline already. The
// original looks for the number alone; ours, on purpose, for project and
// number.
func (o *original) post(body map[string]any) {
	id, project := body["pipeline_id"].(int64), body["project"].(string)
	key := fmt.Sprint(id, " ", project)
	if o.pipelines[key] {
		return
	}
	o.pipelines[key] = true
	created, err := time.Parse(time.RFC3339Nano, body["created_at"].(string))
	if err != nil {
		panic(err) // a mistake of the test itself
	}
	master := body["ref"] == "master" || body["ref"] == "main" // the second on purpose
	o.insert("metrics_pipeline", id, project, whole(body["duration"]), whole(body["duration_e2e"]), created.Truncate(time.Millisecond).UTC().Format(sqliteTime), master, body["has_restarts"])
	if builds, ok := body["builds"].([]any); ok {
		for _, b := range builds {
			for name, seconds := range b.(map[string]any) {
				o.insert("metrics_build", id, name, whole(seconds), project)
			}
		}
	} else {
		o.insert("metrics_build", id, "build-e2e", whole(body["build"]), project)
	}
	for _, j := range body["jobs"].([]any) {
		j := j.(map[string]any)
		o.insert("metrics_job", id, j["name"], whole(j["e2e"]), whole(j["up"]), whole(j["up_without_pull"]), whole(j["pull"]), whole(j["duration"]), project)
	}
	for _, j := range body["jobs_failed"].([]any) {
		j := j.(map[string]any)
		o.insert("metrics_job_failed", id, j["name"], whole(j["duration"]), project)
	}
}

const sqliteTime = "2006-01-02T15:04:05.000Z"

func (o *original) insert(table string, row ...any) { o.rows[table] = append(o.rows[table], row) }

// whole is a number as PostgreSQL puts it into an integer column: its decimal
// text rounded half away from zero.
func whole(v any) any {
	if v == nil {
		return nil
	}
	text := strconv.FormatFloat(v.(float64), 'f', -1, 64)
	r, _ := new(big.Rat).SetString(text)
	r.Add(r, big.NewRat(1, 2))
	return new(big.Int).Quo(r.Num(), r.Denom()).Int64() // durations are not negative
}

// A poster makes up valid bodies of POST /save_metrics.
type poster struct{ *rand.Rand }

func (p poster) body(id int64) map[string]any {
	b := map[string]any{
		"pipeline_id": id, "project": p.pick("test/project", "acme/shop", "Grüße/\"quoted\" 🚀", "a"), "ref": p.pick("master", "main", "feature/x", "v1.2.3"),
		"created_at": p.time(), "duration": p.seconds(), "duration_e2e": p.seconds(), "has_restarts": p.IntN(2) == 0,
		"jobs": []any{}, "jobs_failed": []any{},
	}
	name := func() string { return p.pick("e2e", "e2e checkout 1/3", "build-e2e", "тест", "o'hara", "%", `\`) }
	for range p.IntN(5) {
		j := map[string]any{"name": name(), "duration": p.seconds()}
		p.maybe(j, "started_at", p.time())
		p.maybe(j, "finished_at", p.time())
		for _, step := range []string{"up", "e2e", "pull", "up_without_pull"} {
			p.maybe(j, step, p.seconds())
		}
		b["jobs"] = append(b["jobs"].([]any), j)
		if p.IntN(4) == 0 { // equal entries, and failed ones that are the same attempt
			b["jobs"] = append(b["jobs"].([]any), j)
			b["jobs_failed"] = append(b["jobs_failed"].([]any), j)
		}
	}
	for range p.IntN(3) {
		b["jobs_failed"] = append(b["jobs_failed"].([]any), map[string]any{"name": name(), "duration": p.seconds()})
	}
	if p.IntN(4) == 0 {
		b["build"] = p.seconds()
		return b
	}
	builds := []any{}
	for range p.IntN(3) {
		builds = append(builds, map[string]any{name(): p.seconds()})
	}
	b["builds"] = builds
	p.maybe(b, "build", p.seconds())
	p.maybe(b, "something_else", "ignored")
	return b
}

func (p poster) pick(all ...string) string { return all[p.IntN(len(all))] }

// maybe sets the field, or sets it to null, or leaves it out.
func (p poster) maybe(m map[string]any, name string, v any) {
	switch p.IntN(3) {
	case 0:
		m[name] = v
	case 1:
		m[name] = nil
	}
}

func (p poster) seconds() float64 {
	switch p.IntN(5) {
	case 0:
		return float64(p.IntN(2000)) + 0.5
	case 1:
		return p.Float64() * 4000
	case 2:
		return []float64{0, 0.49999999999999994, 0.5, 1e9, 27.499999999999996, 4503599.5}[p.IntN(6)]
	}
	return float64(p.IntN(4000))
}

func (p poster) time() string {
	zones := []*time.Location{time.UTC, time.FixedZone("", 7*3600), time.FixedZone("", -(3*3600 + 30*60))}
	t := time.UnixMilli(1_600_000_000_000 + p.Int64N(200_000_000_000)).In(zones[p.IntN(3)])
	return t.Format([]string{"2006-01-02T15:04:05.000Z07:00", "2006-01-02T15:04:05Z07:00"}[p.IntN(2)])
}

func encoded(body map[string]any) []byte {
	b, err := json.Marshal(body)
	if err != nil {
		panic(err) // a mistake of the test itself
	}
	return b
}
