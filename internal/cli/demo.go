package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/demo"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/server"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// The limits of the demo: in fewer days the slow-down can't be told from
// chance, and more are no better picture.
const (
	minDemoDays = 14
	maxDemoDays = 366
)

// demonstration is the flags of demo, and serve's defaults for the rest.
type demonstration struct {
	serving

	seed uint64
	days int
}

func (e *env) demoCommand() *cobra.Command {
	d := &demonstration{serving: serving{maxBody: 8 << 20}}
	d.flags(pflag.NewFlagSet("", pflag.ContinueOnError))
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Serve made-up pipelines, to look around",
		Long: `Serve a temporary database with the made-up pipelines of three projects, until
SIGTERM or SIGINT; then the database is removed. The same seed makes up the same
projects. One job got slower and one is flaky; it says which.`,
		Example: `  # 60 days, on http://127.0.0.1:5000
  pipeline-metrics-collector demo

  # another history, beside a server that runs already
  pipeline-metrics-collector demo --seed 2 --days 90 --listen 127.0.0.1:5001`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return d.run(cmd.Context(), e) },
	}
	fs := cmd.Flags()
	fs.StringVar(&d.listen, "listen", defaultListen, "the `address` to listen on")
	fs.StringVar(&d.anonymous, "allow-anonymous", "", "as for serve: `read`, where others may look at it without a token")
	d.logging.flags(fs)
	fs.Uint64Var(&d.seed, "seed", 1, "a `number` that decides what is made up")
	fs.IntVar(&d.days, "days", 60, "how many `days` until now to make up, from 14 to 366")
	return cmd
}

// run serves the demo from a database of its own, which it removes.
func (d *demonstration) run(ctx context.Context, e *env) (err error) {
	if d.days < minDemoDays || d.days > maxDemoDays {
		return &usageError{fmt.Errorf("--days must be from %d to %d, not %d", minDemoDays, maxDemoDays, d.days)}
	}
	c, err := d.config(e)
	if err != nil {
		return err
	}
	if c.Log, _, err = d.logger(e.stderr); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "pipeline-metrics-demo-")
	if err != nil {
		return fmt.Errorf("make a directory for the demo: %w", err)
	}
	defer func() {
		if rerr := os.RemoveAll(dir); rerr != nil {
			err = errors.Join(err, fmt.Errorf("the demo's directory is still there: %w", rerr))
			return
		}
		fmt.Fprintf(e.stdout, "Removed %s.\n", dir)
	}()
	d.name = filepath.Join(dir, "demo.db")
	c.Store, c.Demo = d.store(c.Log), true
	srv, err := server.New(ctx, c) // first, as the address may be taken
	if err != nil {
		return err
	}
	began := time.Now()
	h := demo.Generate(d.seed, began, d.days)
	if err := fill(ctx, c.Store, &h); ctx.Err() != nil {
		return srv.Close() // stopped before it was there
	} else if err != nil {
		return errors.Join(err, srv.Close())
	}
	d.greet(e, srv, h, time.Since(began))
	if err = srv.Run(ctx); errors.Is(err, server.ErrNoToken) {
		return fmt.Errorf("%w: add --allow-anonymous read, or PMC_READ_TOKEN by environment", err)
	}
	return err
}

// fill saves the history in a new database.
func fill(ctx context.Context, c store.Config, h *demo.History) (err error) {
	st, err := store.Open(ctx, c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	return h.Save(ctx, func(ctx context.Context, r ci.Report) error {
		_, err := st.Save(ctx, r)
		return err
	})
}

// greet says what is there, and what there is to find.
func (d *demonstration) greet(e *env, srv *server.Server, h demo.History, took time.Duration) {
	p := h.Planted
	fmt.Fprintf(e.stdout, `
  Made-up pipelines: %d of three projects, saved in %.1f s
  listens on  %s
  keeps in    %s, removed when this ends

  There is something to find:
  %s: %s got slower on %s, with commit %.8s, in its step %s
  %s: %s is flaky

  sqlite3 -box -readonly %s \
    "SELECT project, count(*) AS pipelines, avg(duration) AS seconds FROM metrics_pipeline GROUP BY project"

`, len(h.Reports), took.Seconds(), srv.URL(), d.name,
		p.Project, p.Job, p.Since.Local().Format("2 January"), p.Commit, p.Step, p.FlakyProject, p.FlakyJob, d.name)
}
