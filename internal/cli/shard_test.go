package cli_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

func TestMigrateShard(t *testing.T) {
	t.Parallel()
	database := "--database=" + storetest.Postgres(t)

	_, said := run(t, 1, "migrate", "shard", "--by=project", database)
	holds(t, said, "migrate up")
	run(t, 0, "migrate", "up", database)
	out, _ := run(t, 0, "migrate", "shard", "--by=pipeline", "--shards=16", database)
	holds(t, out, "BEGIN;", "create_distributed_table('pipelines', 'id', shard_count => 16);", "COMMIT;")
	_, said = run(t, 1, "migrate", "shard", "--by=project", "--apply", database)
	holds(t, said, "the database has no Citus")
	// Nothing is left behind by the refusal.
	again, _ := run(t, 0, "migrate", "shard", "--by=pipeline", "--shards=16", database)
	if again != out || strings.Contains(again, "('jobs', 'project_id'") {
		t.Errorf("another script than before:\n%s", again)
	}
}

func TestMigrateShardCalledWrongly(t *testing.T) {
	t.Parallel()
	database := "--database=" + filepath.Join(t.TempDir(), "x.db")
	_, said := run(t, 2, "migrate", "shard", database)
	holds(t, said, "--by must be project or pipeline")
	_, said = run(t, 2, "migrate", "shard", "--by=day", database)
	holds(t, said, `not "day"`)
	_, said = run(t, 2, "migrate", "shard", "--by=project", "--shards=0", database)
	holds(t, said, "--shards must be from 1 to 1024")
	_, said = run(t, 1, "migrate", "shard", "--by=project", database)
	holds(t, said, "shards are for PostgreSQL")
}
