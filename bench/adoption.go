package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"time"

	"github.com/jackc/pgx/v5"
)

// firstRevision makes the tables of the baselines a database of the original.
const firstRevision = `
ALTER TABLE metrics_job ADD duration_up_without_pull integer, ADD duration_pull integer;
CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY);
INSERT INTO alembic_version VALUES ('5684fb25dcfd');`

// adoption is the scenario of taking over a database of the original in place.
// Its rate is of pipelines with their rows, from the start of the command to its
// end; its memory is the command's.
func adoption(pipelines int64) scenario {
	name := fmt.Sprintf("%s, taking over %s pipelines of the original", postgres, thousands(float64(pipelines)))
	return scenario{name: name, measure: func(ctx context.Context, l *lab) (r run, err error) {
		if err := l.build(ctx); err != nil {
			return r, err
		}
		d, err := l.fresh(ctx, postgres)
		if err != nil {
			return r, err
		}
		defer func() { err = errors.Join(err, d.drop()) }()
		if err := fillOriginal(ctx, d, pipelines); err != nil {
			return r, fmt.Errorf("filling the original's tables: %w", err)
		}
		m := startMeter(d.process)
		began := time.Now()
		cmd := exec.CommandContext(ctx, l.collector, "migrate", "up", "--database", d.url)
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		most, err := peakOf(cmd)
		if err != nil {
			return r, fmt.Errorf("%s: %w\n%s", name, err, &out)
		}
		r.Elapsed = time.Since(began)
		time.Sleep(settle) // its connections end
		r.used = m.stop()
		r.used.Server = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
		r.used.Peak = most
		r.Answers = tally{"200": pipelines}
		r.Checked = true
		r.Wrong, err = (&environment{database: d}).check(ctx, r.Answers)
		return r, err
	}}
}

// peakOf runs a command and returns the greatest resident memory of it, in bytes.
// It looks while the command runs: what the system keeps of one that has ended
// counts the memory of this process, too, which was its own until it began.
func peakOf(cmd *exec.Cmd) (most int64, err error) {
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for {
		select {
		case err := <-ended:
			return most, err
		case <-time.After(5 * time.Millisecond):
			most = max(most, memory(cmd.Process.Pid, "status", "VmHWM"))
		}
	}
}

func fillOriginal(ctx context.Context, d database, pipelines int64) (err error) {
	insert, closing, err := openPostgres(ctx, d)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closing()) }()
	const batch = 1000
	for done := int64(0); done < pipelines; done += batch {
		reports := make([]report, min(batch, pipelines-done))
		for i := range reports {
			reports[i] = newReport(firstNumber+done+int64(i), defaultProjects)
		}
		if err := insert(ctx, reports); err != nil {
			return err
		}
	}
	conn, err := pgx.Connect(ctx, d.url)
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, firstRevision)
	return errors.Join(err, conn.Close(ctx))
}
