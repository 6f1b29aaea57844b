package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// sharding is the flags of "migrate shard".
type sharding struct {
	database
	by     string
	shards int
	apply  bool
}

func (e *env) migrateShardCommand() *cobra.Command {
	var s sharding
	cmd := &cobra.Command{
		Use:   "shard --by project|pipeline",
		Short: "Spread PostgreSQL's tables over the nodes of a Citus cluster",
		Long: `Print the script that spreads PostgreSQL's tables over the nodes of a Citus
cluster, or with --apply run it. For databases that one machine does not hold:
docs/scale.md says when, and what it costs. There is no way back by this
program: make a backup first.`,
		Example: `  pipeline-metrics-collector migrate shard --by project --database postgres://pmc@coordinator/metrics
  pipeline-metrics-collector migrate shard --by project --shards 16 --apply --database postgres://pmc@coordinator/metrics`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return s.run(cmd.Context(), e) },
	}
	s.where(cmd.Flags())
	cmd.Flags().StringVar(&s.by, "by", "", "what keeps rows together on a node: `project` for dashboards and API, pipeline for SQL that joins by pipeline_id alone")
	cmd.Flags().IntVar(&s.shards, "shards", 8, "the `number` of shards: 2 to 4 a node")
	cmd.Flags().BoolVar(&s.apply, "apply", false, "run the script")
	return cmd
}

func (s *sharding) run(ctx context.Context, e *env) error {
	if s.by != string(store.ShardByProject) && s.by != string(store.ShardByPipeline) {
		return &usageError{fmt.Errorf("--by must be project or pipeline, not %q", s.by)}
	}
	if s.shards < 1 || s.shards > store.MaxShards {
		return &usageError{fmt.Errorf("--shards must be from 1 to %d", store.MaxShards)}
	}
	migrator, err := store.NewMigrator(s.store(nil))
	if err != nil {
		return err
	}
	if s.apply {
		if err := migrator.Shard(ctx, store.ShardKey(s.by), s.shards); err != nil {
			return err
		}
		fmt.Fprintf(e.stdout, "The tables are spread by %s over %d shards.\n", s.by, s.shards)
		return nil
	}
	script, err := migrator.ShardScript(ctx, store.ShardKey(s.by), s.shards)
	if err != nil {
		return err
	}
	fmt.Fprint(e.stdout, script)
	return nil
}
