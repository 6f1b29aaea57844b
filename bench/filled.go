package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// A database of a year: one busy project with 60,000 pipelines, and usual ones
// with 2,400 each. A few hundred pipelines are saved as any report is, and then
// copied in SQL to other times and other projects, all their rows with them.

const (
	busyProject  = "bench/busy"
	usualProject = "bench/usual-0001"
	busyInYear   = 60_000
	usualInYear  = 2400
	busySaved    = 600 // of each project, before they are copied
	usualSaved   = 240
	year         = 365 * 24 * time.Hour
	copyStep     = 1_000_000 // between the numbers of a pipeline and its copy
)

// fillYear fills an empty database with about so many pipelines, ten jobs each.
func fillYear(ctx context.Context, d database, pipelines int64, tell func(string)) error {
	if err := saveTemplates(ctx, d); err != nil {
		return err
	}
	db, err := d.open()
	if err != nil {
		return err
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	if d.engine == sqlite {
		if _, err := db.ExecContext(ctx, "PRAGMA synchronous = off; PRAGMA cache_size = -200000; PRAGMA temp_store = 2"); err != nil {
			return err
		}
	}
	usual := max(0, (pipelines-busyInYear)/usualInYear)
	if err := multiply(ctx, db, d.engine, busyProject, busyInYear/busySaved, year/(busyInYear/busySaved), 0, 0); err != nil {
		return err
	}
	const at = 20 // projects in a transaction
	for from := int64(0); from < usual; from += at {
		tell(fmt.Sprintf("%s: %d of %d projects", d.engine, from, usual))
		if err := multiply(ctx, db, d.engine, usualProject, usualInYear/usualSaved, year/(usualInYear/usualSaved), from, min(at, usual-from)); err != nil {
			return err
		}
	}
	for _, text := range []string{
		"INSERT INTO days (project_id, day) SELECT DISTINCT project_id, created_ms / 86400000 FROM pipelines WHERE true ON CONFLICT DO NOTHING",
		"UPDATE days SET body = NULL, steps = NULL, packing = NULL",
	} {
		if _, err := db.ExecContext(ctx, text); err != nil {
			return fmt.Errorf("mark the days: %w", err)
		}
	}
	settle := "ANALYZE; PRAGMA wal_checkpoint(truncate)"
	if d.engine == postgres {
		settle = "VACUUM ANALYZE"
	}
	if _, err = db.ExecContext(ctx, settle); err != nil {
		return err
	}
	tell(fmt.Sprintf("%s: packing the days", d.engine))
	return packDays(ctx, d)
}

// packDays does at once what a server does in the background.
func packDays(ctx context.Context, d database) error {
	s, err := store.Open(ctx, store.Config{Database: d.url})
	if err != nil {
		return err
	}
	if _, err = s.PackDays(ctx, 0); err == nil {
		err = s.PackVolumes(ctx, 0)
	}
	return errors.Join(err, s.Close())
}

// saveTemplates saves the pipelines that are copied, in the newest part of the
// year.
func saveTemplates(ctx context.Context, d database) error {
	s, err := store.Open(ctx, store.Config{Database: d.url})
	if err != nil {
		return err
	}
	random := rand.New(rand.NewPCG(1, 2)) // the same for each run
	var reports []ci.Report
	for project, n := range map[string]int{busyProject: busySaved, usualProject: usualSaved} {
		span, first := year/(busyInYear/busySaved), int64(0)
		if project == usualProject {
			span, first = year/(usualInYear/usualSaved), copyStep/2
		}
		for i := range n {
			at := time.Now().Add(-span * time.Duration(i+1) / time.Duration(n+1))
			reports = append(reports, madeUp(random, project, first+int64(i+1), at.Truncate(time.Millisecond)))
		}
	}
	var wg sync.WaitGroup
	errs := make(chan error, len(reports))
	for _, r := range reports {
		wg.Go(func() {
			_, err := s.Save(ctx, r)
			errs <- err
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			return err
		}
	}
	return s.Close()
}

// madeUp is a pipeline of ten attempts: a check, two builds, six e2e jobs of
// which one may be retried, and a deployment.
func madeUp(random *rand.Rand, project string, id int64, created time.Time) ci.Report {
	r := ci.Report{Provider: "gitlab", Project: project, Source: ci.API, Pipeline: ci.Pipeline{
		ID: id, Workflow: "ci", Ref: "main", RefKind: "branch", DefaultBranch: "main", Commit: strconv.FormatUint(random.Uint64(), 16), Trigger: "push",
		State: ci.Finished, Result: ci.Success, RawStatus: "success", CreatedAt: created,
	}}
	p := &r.Pipeline
	if random.IntN(2) == 0 {
		p.Ref = "topic-" + strconv.Itoa(random.IntN(40))
	}
	seconds := func(usual float64) time.Duration {
		return time.Duration(usual * (0.7 + 0.3*random.ExpFloat64()) * float64(time.Second)).Truncate(time.Millisecond)
	}
	end := created
	add := func(stage, name string, at time.Time, usual float64, result ci.Result) time.Time {
		queue, run := seconds(8), seconds(usual)
		a := ci.Attempt{
			ID: strconv.FormatInt(id*100+int64(len(r.Jobs)), 10), Name: name, Stage: stage, State: ci.Finished, Result: result, RawStatus: string(result),
			CreatedAt: created, QueuedS: new(queue.Seconds()), StartedAt: at.Add(queue), FinishedAt: at.Add(queue + run),
			DurationS: new(run.Seconds()), Runner: &ci.Runner{ID: strconv.Itoa(1 + random.IntN(12)), Name: "runner", Tags: []string{"docker"}},
		}
		if stage == "test" {
			a.Steps = []ci.Step{{Name: "up", DurationS: run.Seconds() / 4}, {Name: "e2e", DurationS: run.Seconds() / 2}}
		}
		r.Jobs = append(r.Jobs, a)
		if a.FinishedAt.After(end) {
			end = a.FinishedAt
		}
		return a.FinishedAt
	}
	add("build", "lint", created, 40, ci.Success)
	add("build", "build-e2e", created, 150, ci.Success)
	add("build", "build-docs", created, 60, ci.Success)
	tests := end.Add(2 * time.Second)
	failed := random.IntN(10)
	for i := range 6 {
		name := "e2e:" + []string{"cart", "checkout", "login", "search", "admin", "mail"}[i]
		if i == failed { // in 6 of 10 pipelines
			failedAt := add("test", name, tests, 200, ci.Failure)
			if random.IntN(4) > 0 {
				r.Jobs[len(r.Jobs)-1].CreatedAt = created
				add("test", name, failedAt, 200, ci.Success)
				r.Jobs[len(r.Jobs)-1].CreatedAt = failedAt
				continue
			}
			p.Result, p.RawStatus = ci.Failure, "failed"
			continue
		}
		add("test", name, tests, 180, ci.Success)
	}
	if p.Result == ci.Success {
		add("deploy", "deploy", end.Add(time.Second), 30, ci.Success)
	}
	p.StartedAt, p.FinishedAt, p.UpdatedAt = created.Add(time.Second), end, end
	return r
}

// multiply copies the pipelines of a project, each step earlier than the one
// before: within it where projects is 0, else into as many new projects.
func multiply(ctx context.Context, db *sql.DB, e engine, project string, copies int, step time.Duration, firstProject, projects int64) error {
	var id int64
	if err := db.QueryRowContext(ctx, "SELECT id FROM projects WHERE name = $1", project).Scan(&id); err != nil {
		return err
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // no-op once committed
	from := 1
	targets := "SELECT " + strconv.FormatInt(id, 10) + " AS id"
	if projects > 0 {
		from, targets = 0, "SELECT id FROM projects WHERE name >= '"+copyName(firstProject)+"' AND name < '"+copyName(firstProject+projects)+"'"
		for i := range projects {
			if _, err := tx.ExecContext(ctx, "INSERT INTO projects (name, default_branch) VALUES ($1, 'main')", copyName(firstProject+i)); err != nil {
				return err
			}
		}
	}
	series := fmt.Sprintf("WITH RECURSIVE copy (n) AS (SELECT CAST(%d AS BIGINT) UNION ALL SELECT n + 1 FROM copy WHERE n < %d), target AS (%s)", from, copies-1, targets)
	for _, table := range []string{"pipelines", "jobs", "steps", "phases"} {
		columns, err := columnsToCopy(ctx, tx, e, table)
		if err != nil {
			return err
		}
		text := fmt.Sprintf("INSERT INTO %s (%s) %s SELECT %s FROM target CROSS JOIN copy CROSS JOIN %s t WHERE t.project_id = %d AND t.%s < %d ORDER BY 1, 2",
			table, strings.Join(columns, ", "), series, strings.Join(copied(table, columns, step), ", "), table, id, numberColumn(table), copyStep)
		if _, err := tx.ExecContext(ctx, text); err != nil {
			return fmt.Errorf("copy %s: %w", table, err)
		}
	}
	return tx.Commit()
}

func copyName(n int64) string { return fmt.Sprintf("bench/usual-%04d", n+2) }

func numberColumn(table string) string {
	if table == "pipelines" {
		return "id"
	}
	return "pipeline_id"
}

// copied is what each column of a copy holds.
func copied(table string, columns []string, step time.Duration) []string {
	instants := []string{"created_ms", "started_ms", "finished_ms", "updated_ms", "metrics_created_ms", "pipeline_created_ms", "first_start_ms", "last_finish_ms"}
	all := make([]string, len(columns))
	for i, c := range columns {
		switch {
		case c == "project_id":
			all[i] = "target.id"
		case c == numberColumn(table):
			// No number is of two projects, as within one instance of GitLab: the
			// original's queries join by it alone.
			all[i] = fmt.Sprintf("t.%s + copy.n * %d + CASE WHEN target.id = t.project_id THEN 0 ELSE target.id * %d END", c, copyStep, 1000*copyStep)
		case c == "row_id":
			all[i] = "t.row_id + (target.id * 1000 + copy.n) * 100000"
		case slices.Contains(instants, c):
			all[i] = fmt.Sprintf("t.%s - copy.n * %d", c, step.Milliseconds())
		default:
			all[i] = "t." + c
		}
	}
	return all
}

// columnsToCopy are the columns of a table, the project first and then the number.
func columnsToCopy(ctx context.Context, tx *sql.Tx, e engine, table string) (columns []string, err error) {
	query := "SELECT column_name FROM information_schema.columns WHERE table_schema = current_schema() AND table_name = '" + table + "' AND is_generated = 'NEVER' ORDER BY ordinal_position"
	if e == sqlite {
		query = "SELECT name FROM pragma_table_info('" + table + "') ORDER BY cid"
	}
	rows, err := tx.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		columns = append(columns, name)
	}
	return columns, rows.Err()
}
