package cli

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// pruning is the flags of prune.
type pruning struct {
	database
	project string
	dryRun  bool
}

func (e *env) pruneCommand() *cobra.Command {
	var p pruning
	cmd := &cobra.Command{
		Use:   "prune",
		Short: "Delete the pipelines that projects no longer keep",
		Long: `Delete the pipelines that are older than the settings of their project say
(keep_days); of projects that say nothing, none ever. A server does it by itself
once an hour. They are deleted for good, some in each transaction, the oldest
first; it can be stopped at any time, and called again. Reports go on beside it.`,
		Example: `  pipeline-metrics-collector prune --dry-run
  pipeline-metrics-collector prune --project acme/shop`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.with(cmd.Context(), func(s *store.Store) error { return p.run(cmd.Context(), e, s) })
		},
	}
	p.flags(cmd.Flags())
	cmd.Flags().StringVar(&p.project, "project", "", "the full `path` of the one project to look at (default all)")
	cmd.Flags().BoolVar(&p.dryRun, "dry-run", false, "say what would be deleted, and delete nothing")
	return cmd
}

func (p *pruning) run(ctx context.Context, e *env, s *store.Store) error {
	expired, err := s.Expired(ctx)
	if err != nil {
		return err
	}
	if p.project != "" {
		if _, err := s.Project(ctx, p.project); err != nil {
			return fmt.Errorf("the project %s: %w", p.project, err)
		}
		expired = slices.DeleteFunc(expired, func(x store.Expiry) bool { return x.Project.Name != p.project })
	}
	if len(expired) == 0 {
		fmt.Fprintln(e.stdout, "Every pipeline is kept: no project says for how many days.")
	}
	for _, x := range expired {
		n, what := x.Pipelines, "would be deleted"
		if !p.dryRun {
			what = "deleted"
			if n, err = s.DeleteExpired(ctx, x); err != nil {
				err = fmt.Errorf("delete pipelines of %s: %w", x.Project.Name, err)
			}
		}
		fmt.Fprintf(e.stdout, "%s keeps %d days: %d pipelines from before %s %s\n", x.Project.Name, x.KeepDays, n, x.Before.UTC().Format(time.DateOnly), what)
		if err != nil {
			return err
		}
	}
	return nil
}
