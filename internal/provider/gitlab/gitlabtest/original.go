package gitlabtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"
)

// An OriginalClient is a stand-in of the client that the original had, made
// from the description of what it does: it asks GitLab and posts to
// /save_metrics. It shares no code with ours.
type OriginalClient struct {
	GitLab, Endpoint           string
	ProjectID                  int64
	ProjectName                string
	StageBuild, StageE2e       string
	JobsBuild, Blacklist, Step []string
	Optimistic                 bool
}

// Post makes the report of a pipeline and posts it. Status is 0 where there is
// nothing to send.
func (c *OriginalClient) Post(pipeline int64) (status int, err error) {
	body, err := c.Report(pipeline)
	if err != nil || body == nil {
		return 0, err
	}
	resp, err := http.Post(c.Endpoint, "application/json", bytes.NewReader(body)) //nolint:noctx // as the original
	if err != nil {
		return 0, err
	}
	return resp.StatusCode, resp.Body.Close()
}

// SuccessfulPage are the pipelines on a page of the successful ones.
func (c *OriginalClient) SuccessfulPage(page, perPage int) (ids []int64, err error) {
	var list []object
	err = c.ask(fmt.Sprintf("/pipelines?status=success&per_page=%d&page=%d", perPage, page), &list)
	for _, p := range list {
		ids = append(ids, int64(p["id"].(float64)))
	}
	return ids, err
}

// Report is the body that it posts; nil: nothing is sent.
func (c *OriginalClient) Report(pipeline int64) ([]byte, error) {
	var about object
	if err := c.ask(fmt.Sprintf("/pipelines/%d", pipeline), &about); err != nil {
		return nil, err
	}
	var all []object
	for page := 1; ; page++ {
		var some []object
		if err := c.ask(fmt.Sprintf("/pipelines/%d/jobs?page=%d", pipeline, page), &some); err != nil {
			return nil, err
		}
		if all = append(all, some...); len(some) < 20 {
			break
		}
	}
	jobs, err := c.statistics(c.e2e(all), true)
	if err != nil || len(jobs) == 0 {
		return nil, err
	}
	var failed []object
	if err := c.ask(fmt.Sprintf("/pipelines/%d/jobs?scope[]=failed&include_retried=true", pipeline), &failed); err != nil {
		return nil, err
	}
	jobsFailed, err := c.statistics(c.e2e(failed), false)
	if err != nil {
		return nil, err
	}
	builds, build := []object{}, 0
	for _, j := range all {
		if j["stage"] == c.StageBuild && slices.Contains(c.JobsBuild, j["name"].(string)) {
			seconds := int(j["duration"].(float64))
			builds = append(builds, object{j["name"].(string): seconds})
			build += seconds
		}
	}
	created := microseconds(about["created_at"])
	first, last := int64(0), int64(0)
	for i, j := range jobs {
		started, finished := microseconds(j["started_at"]), microseconds(j["finished_at"])
		if i == 0 || started < first {
			first = started
		}
		if i == 0 || finished > last {
			last = finished
		}
	}
	return json.Marshal(object{
		"jobs": jobs, "builds": builds, "build": build, "created_at": about["created_at"], "ref": about["ref"], "duration": (last - created) / 1e6, "duration_e2e": (last - first) / 1e6,
		"jobs_failed": jobsFailed, "has_restarts": len(jobsFailed) > 0, "project_id": c.ProjectID, "project": c.ProjectName, "pipeline_id": pipeline,
	})
}

func microseconds(v any) int64 {
	t, err := time.Parse("2006-01-02T15:04:05.000Z07:00", v.(string))
	if err != nil {
		panic(err)
	}
	return t.UnixMicro()
}

func (c *OriginalClient) e2e(jobs []object) (all []object) {
	for _, j := range jobs {
		if j["stage"] == c.StageE2e && !slices.Contains(c.Blacklist, j["name"].(string)) {
			all = append(all, j)
		}
	}
	return all
}

func (c *OriginalClient) statistics(jobs []object, passed bool) ([]object, error) {
	all := []object{}
	for _, j := range jobs {
		duration, ran := j["duration"].(float64)
		if !ran {
			continue
		}
		stat := object{"name": j["name"], "started_at": j["started_at"], "finished_at": j["finished_at"], "duration": int(duration)}
		if passed {
			steps, err := c.steps(int64(j["id"].(float64)))
			if err != nil && !c.Optimistic {
				return nil, err
			}
			for name, seconds := range steps {
				stat[name] = seconds
			}
		}
		all = append(all, stat)
	}
	return all, nil
}

var realLine = regexp.MustCompile(`real\t([0-9]+)m([0-9]+.[0-9]+)s\n`)

func (c *OriginalClient) steps(job int64) (map[string]int, error) {
	log, err := c.fetch(fmt.Sprintf("/jobs/%d/trace", job))
	if err != nil {
		return nil, err
	}
	if !utf8.Valid(log) {
		return nil, errors.New("the trace is no text")
	}
	matches := realLine.FindAllSubmatch(log, -1)
	if len(matches) != len(c.Step) {
		return nil, errors.New("count of steps in job and timings don't match")
	}
	steps := map[string]int{}
	for i, m := range matches {
		minutes, _ := strconv.Atoi(string(m[1])) // digits
		seconds, err := strconv.ParseFloat(string(m[2]), 64)
		if err != nil {
			return nil, err
		}
		steps[c.Step[i]] = int(float64(60*minutes) + seconds)
	}
	if slices.Contains(c.Step, "pull") {
		steps["up_without_pull"] = steps["up"]
		steps["up"] += steps["pull"]
	}
	return steps, nil
}

func (c *OriginalClient) ask(path string, into any) error {
	b, err := c.fetch(path)
	if err != nil {
		return err
	}
	return json.Unmarshal(b, into)
}

func (c *OriginalClient) fetch(path string) ([]byte, error) {
	r, err := http.NewRequest(http.MethodGet, c.GitLab+"/api/v4/projects/"+strconv.FormatInt(c.ProjectID, 10)+path, http.NoBody) //nolint:noctx // as the original
	if err != nil {
		return nil, err
	}
	r.Header.Set("PRIVATE-TOKEN", Token)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }() // it was only read
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", path, resp.Status)
	}
	return io.ReadAll(resp.Body)
}
