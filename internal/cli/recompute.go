package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// recomputing is the flags of recompute.
type recomputing struct {
	database
	project       string
	defaultBranch bool
}

func (e *env) recomputeCommand() *cobra.Command {
	var r recomputing
	cmd := &cobra.Command{
		Use:   "recompute",
		Short: "Derive stored pipelines again, after definitions have changed",
		Long: `Derive again what follows from the words that are stored: phases, wall time and
its parts, where other definitions were used than those in force. A server does
it by itself in the background; this does it now, and says what changed. It can
be stopped at any time, and called again to go on. Reports go on beside it.`,
		Example: `  pipeline-metrics-collector recompute
  pipeline-metrics-collector recompute --project acme/shop --default-branch`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return r.with(cmd.Context(), func(s *store.Store) error { return r.run(cmd.Context(), e, s) })
		},
	}
	r.flags(cmd.Flags())
	cmd.Flags().StringVar(&r.project, "project", "", "the full `path` of the one project to look at (default all)")
	cmd.Flags().BoolVar(&r.defaultBranch, "default-branch", false, "decide anew which pipelines are of the default branch, by what is set now")
	return cmd
}

func (r *recomputing) run(ctx context.Context, e *env, s *store.Store) error {
	what := store.Recompute{DefaultBranch: r.defaultBranch}
	if r.project != "" {
		p, err := s.Project(ctx, r.project)
		if err != nil {
			return fmt.Errorf("the project %s: %w", r.project, err)
		}
		what.Project = p.ID
	}
	const every = 5000
	var told int64
	what.Progress = func(project string, done store.Recomputed) {
		if done.Pipelines-told >= every {
			told = done.Pipelines
			fmt.Fprintf(e.stderr, "%s: %d pipelines so far, %d of them changed\n", project, done.Pipelines, done.Changed)
		}
	}
	done, err := s.Recompute(ctx, what)
	fmt.Fprintf(e.stdout, "Pipelines derived again: %d\nChanged: %d (phases of %d, times of %d, default branch of %d)\n",
		done.Pipelines, done.Changed, done.Phases, done.Times, done.Branch)
	return err
}
