package analytics

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// deployments reads those that ended in the window, in order of their ends: of
// jobs that say an environment, and of those that one of the rules calls
// deployments by their names.
func (s *scope) deployments(ctx context.Context, read *store.Reading, rules ...map[int64]ci.DeploymentRule) ([]Deployment, error) {
	names, err := s.names(ctx, read)
	if err != nil {
		return nil, err
	}
	all, seen, err := s.named(ctx, read, names)
	if err != nil {
		return nil, err
	}
	more, err := s.unnamed(ctx, read, names, seen, rules)
	if err != nil || len(more) == 0 {
		return all, err
	}
	return firstOf(append(all, more...)), nil
}

// firstOf are those that ended first, as many as are counted, in order.
func firstOf(all []Deployment) []Deployment {
	slices.SortStableFunc(all, func(x, y Deployment) int {
		return cmp.Or(cmp.Compare(x.finishedMS, y.finishedMS), cmp.Compare(x.projectID, y.projectID), cmp.Compare(x.PipelineID, y.PipelineID))
	})
	return all[:min(len(all), maxDeployments)]
}

// An attempted is an attempt, as every source of it tells which one it is.
type attempted struct {
	projectJob

	pipeline, number int64
}

// named reads the deployments of jobs that say an environment.
func (s *scope) named(ctx context.Context, read *store.Reading, names map[int64]string) ([]Deployment, map[attempted]bool, error) {
	var args arguments
	w := Window{s.Window.From.Add(-maxWaited), s.Window.To}
	least, greatest, err := s.numbers(ctx, read, w)
	if err != nil {
		return nil, nil, err
	}
	of := s.seen(&args, w)
	s.inProjects(&of, &args, "j.project_id")
	of.add("j.pipeline_id >= ", args.add(least), " AND j.pipeline_id <= ", args.add(greatest))
	s.withAttempt(&of, &args)
	// The few jobs that deployed come first, by an index of their own: a CROSS JOIN
	// keeps SQLite from looking for them pipeline by pipeline.
	query := `SELECT j.project_id, j.pipeline_id, COALESCE(j.name, ''), j.attempt, j.environment, p.commit_sha, j.url, j.finished_ms, p.created_ms, p.created_known,
	CASE WHEN ` + failedAttempt + ` THEN 1 ELSE 0 END, CASE WHEN j.raw_status = '` + ci.RolledBack + `' THEN 1 ELSE 0 END
FROM jobs j CROSS JOIN pipelines p WHERE p.project_id = j.project_id AND p.id = j.pipeline_id
AND ` + of.String() + " AND NOT j.is_superseded AND j.environment <> '' AND j.finished_ms >= " + args.add(s.Window.From.UnixMilli()) + " AND j.finished_ms < " + args.add(s.Window.To.UnixMilli()) +
		" AND j.state = '" + string(ci.Finished) + "' AND (j.result IS NULL OR j.result = '" + string(ci.Success) + "' OR " + failedAttempt + ")" + s.attempts(&args, "j") + `
ORDER BY j.finished_ms, j.project_id, j.pipeline_id, j.attempt_key LIMIT ` + args.add(maxDeployments)
	var all []Deployment
	seen := map[attempted]bool{}
	err = read.Rows(ctx, query, args, func(scan store.Scan) error {
		var d Deployment
		var bad, rollback int
		var number int64
		err := scan(&d.projectID, &d.PipelineID, &d.Job, &number, &d.Environment, &d.Commit, &d.URL, &d.finishedMS, &d.createdMS, &d.createdKnown, &bad, &rollback)
		d.Project, d.Failed, d.rollback, d.FinishedAt = names[d.projectID], bad == 1, rollback == 1, Time(instant(d.finishedMS))
		all = append(all, d)
		seen[attempted{projectJob{d.projectID, d.Job}, d.PipelineID, number}] = true
		return err
	})
	if err != nil {
		return nil, nil, fmt.Errorf("read deployments: %w", err)
	}
	return all, seen, nil
}

// unnamed reads the deployments of jobs that say no environment: those that were
// not seen. Nobody tells the addresses of such jobs.
func (s *scope) unnamed(ctx context.Context, read *store.Reading, names map[int64]string, seen map[attempted]bool, rules []map[int64]ci.DeploymentRule) (all []Deployment, err error) {
	var of []project
	for id, name := range names {
		if slices.ContainsFunc(rules, func(by map[int64]ci.DeploymentRule) bool { return by[id].NamesJobs() }) {
			of = append(of, project{id, name})
		}
	}
	if len(of) == 0 {
		return nil, nil
	}
	w := Window{s.Window.From.Add(-maxWaited), s.Window.To}
	err = s.over(of...).days(ctx, read, func(v *sieve) error {
		a := &v.Attempts
		deploys := judged(&a.Name, func(job string) bool {
			return job != "" && slices.ContainsFunc(rules, func(by map[int64]ci.DeploymentRule) bool {
				return by[v.Project].NamesJobs() && by[v.Project].Counts("", job)
			})
		})
		if len(all) > 2*maxDeployments { // days come in no order
			all = firstOf(all)
		}
		for i, created := range v.Pipelines.Created {
			from, to := v.attemptsOf(i)
			for k := from; v.of[i] && v.in(w, i) && k < to; k++ {
				result, end := a.Result.Codes[k], a.Finished[k]
				if !deploys[a.Name.Codes[k]] || !v.attempts[k] || end == none || !s.Window.has(end) || !v.finished[a.State.Codes[k]] || result != 0 && !v.passed[result] && !v.failed[result] {
					continue
				}
				job, id := a.Name.At(k), v.Pipelines.ID[i]
				if seen[attempted{projectJob{v.Project, job}, id, a.Number[k]}] {
					continue
				}
				all = append(all, Deployment{
					Project: names[v.Project], projectID: v.Project, PipelineID: id, Job: job, Environment: job, unnamed: true, Commit: name(v.Pipelines.Commit.At(i)),
					FinishedAt: Time(instant(end)), finishedMS: end, createdMS: created, createdKnown: true, Failed: v.failed[result],
				})
			}
		}
		return nil
	}, w)
	if err != nil {
		return nil, fmt.Errorf("read deployments that say no environment: %w", err)
	}
	return all, nil
}

// firstPipelines gives deployments that no job made the creation of their
// commit's first pipeline, where one is in the time that is looked at.
func (s *scope) firstPipelines(ctx context.Context, read *store.Reading, all []Deployment) error {
	type built struct {
		project int64
		commit  string
	}
	alone := map[built]int64{}
	for i := range all {
		if d := &all[i]; !d.createdKnown && d.Commit != nil {
			alone[built{d.projectID, *d.Commit}] = 0
		}
	}
	if len(alone) == 0 {
		return nil
	}
	var args arguments
	of := s.created(&args, Window{s.Window.From.Add(-maxWaited), s.Window.To})
	query := "SELECT p.project_id, p.commit_sha, MIN(p.created_ms) FROM pipelines p WHERE " + of.String() + " AND p.commit_sha IS NOT NULL GROUP BY p.project_id, p.commit_sha"
	err := read.Rows(ctx, query, args, func(scan store.Scan) error {
		var b built
		var at int64
		err := scan(&b.project, &b.commit, &at)
		if _, asked := alone[b]; asked {
			alone[b] = at
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("read the first pipelines of commits: %w", err)
	}
	for i := range all {
		d := &all[i]
		if d.createdKnown || d.Commit == nil {
			continue
		}
		if at := alone[built{d.projectID, *d.Commit}]; at > 0 {
			d.createdMS, d.createdKnown = at, true
		}
	}
	return nil
}
