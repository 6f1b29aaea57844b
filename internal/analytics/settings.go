package analytics

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// allSettings are what was decided on projects, by the projects' ids.
func allSettings(ctx context.Context, read *store.Reading) (map[int64]ci.Settings, error) {
	all := map[int64]ci.Settings{}
	err := read.Rows(ctx, "SELECT id, settings FROM project_settings WHERE id <> 0 AND settings <> '{}'", nil, func(scan store.Scan) error {
		var id int64
		var text string
		if err := scan(&id, &text); err != nil {
			return err
		}
		var s ci.Settings
		err := json.Unmarshal([]byte(text), &s)
		all[id] = s
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the settings of projects: %w", err)
	}
	return all, nil
}

// CheckSettings returns an *ci.InvalidError that lists everything wrong with
// the settings of a project on a server with these definitions, or nil. It
// knows what ci does not: which metrics there are.
func CheckSettings(s ci.Settings, server ci.Definitions) error {
	err := s.Validate(server)
	invalid, _ := errors.AsType[*ci.InvalidError](err)
	if err != nil && invalid == nil {
		return err
	}
	all := &ci.InvalidError{}
	if invalid != nil {
		all.Fields = invalid.Fields
	}
	for i, o := range s.Objectives {
		if o.Metric != "" && !isMetric(o.Metric, s, server) {
			all.Fields = append(all.Fields, ci.FieldError{
				Pointer: "/objectives/" + strconv.Itoa(i) + "/metric",
				Reason:  "is no metric of the project: " + strings.Join(Metrics(s, server), ", ") + ", job_run:JOB, job_queue:JOB or step:JOB/STEP",
			})
		}
	}
	if len(all.Fields) == 0 {
		return nil
	}
	return all
}

// Metrics are those of pipelines that a project with such settings has.
func Metrics(s ci.Settings, server ci.Definitions) []string {
	all := partMetrics()
	for _, p := range s.Definitions(server).Phases {
		all = append(all, metricTimeTo+p.Name, p.Name, p.Name+"_work", ci.MetricEndOf+p.Name)
	}
	return all
}

func isMetric(name string, s ci.Settings, server ci.Definitions) bool {
	if slices.Contains(Metrics(s, server), name) {
		return true
	}
	kind, _, found := strings.Cut(name, ":")
	_, err := parseMetric(name)
	return found && err == nil && kind+":" != ci.MetricEndOf
}
