package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A ShardKey is what decides on which machine a row lives.
type ShardKey string

// The two keys: every key of a fact table holds both.
const (
	ShardByProject  ShardKey = "project"  // a project's pipelines stay together
	ShardByPipeline ShardKey = "pipeline" // a pipeline's rows stay together
)

// MaxShards is the greatest number of shards that a plan may ask for.
const MaxShards = 1024

// ErrNoCitus is the answer of [Migrator.Shard] on a PostgreSQL without Citus.
var ErrNoCitus = errors.New("the database has no Citus: install it on every node, then CREATE EXTENSION citus and add the workers (docs/scale.md)")

// ShardScript returns the SQL that spreads the tables over the nodes of a
// Citus cluster, for the schema as it is in the database. It changes nothing.
func (m *Migrator) ShardScript(ctx context.Context, by ShardKey, shards int) (script string, err error) {
	if err := m.engine.refuseShards(); err != nil {
		return "", err
	}
	return script, m.with(ctx, func(db *sql.DB) error {
		plan, err := m.planShards(ctx, db, by, shards)
		if err == nil {
			script = plan.script()
		}
		return err
	})
}

// Shard runs what ShardScript returns: all tables become distributed or none
// does. Reports wait until it is done, for as long as the copy takes.
func (m *Migrator) Shard(ctx context.Context, by ShardKey, shards int) error {
	if err := m.engine.refuseShards(); err != nil {
		return err
	}
	return m.with(ctx, func(db *sql.DB) error {
		return m.locked(ctx, db, func() error {
			plan, err := m.planShards(ctx, db, by, shards)
			if err == nil {
				err = refuseWithoutCitus(ctx, db)
			}
			if err == nil {
				err = m.runShards(ctx, db, plan)
			}
			return err
		})
	})
}

func (m *Migrator) planShards(ctx context.Context, db *sql.DB, by ShardKey, shards int) (*shardPlan, error) {
	found, err := m.look(ctx, db)
	if err != nil {
		return nil, err
	}
	if found.version == 0 {
		return nil, &SchemaError{"the database has no tables of ours yet: run `pipeline-metrics-collector migrate up` first"}
	}
	if err := refuseSharded(ctx, db); err != nil {
		return nil, err
	}
	facts, err := readFacts(ctx, db)
	if err != nil {
		return nil, fmt.Errorf("read the tables to shard: %w", err)
	}
	return planShards(facts, by, shards)
}

func (m *Migrator) runShards(ctx context.Context, db *sql.DB, plan *shardPlan) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin to shard: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // no-op once committed
	for i, statement := range plan.convert {
		m.config.Progress(statement, int64(i), int64(len(plan.convert)))
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("nothing has changed: %s: %w", statement, err)
		}
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit the shards: %w", err)
	}
	for i, statement := range plan.clean {
		m.config.Progress(statement, int64(i), int64(len(plan.clean)))
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("the tables are sharded, but the coordinator's old copy of the rows is still on its disk: %s: %w", statement, err)
		}
	}
	return nil
}

func refuseWithoutCitus(ctx context.Context, db *sql.DB) error {
	var citus bool
	if err := db.QueryRowContext(ctx, "SELECT EXISTS (SELECT FROM pg_proc WHERE proname = 'create_distributed_table')").Scan(&citus); err != nil {
		return fmt.Errorf("look for Citus: %w", err)
	}
	if !citus {
		return ErrNoCitus
	}
	return nil
}

// refuseSharded tells that there is nothing left to do.
func refuseSharded(ctx context.Context, db *sql.DB) error {
	var catalogue sql.NullString
	if err := db.QueryRowContext(ctx, "SELECT to_regclass('pg_catalog.pg_dist_partition')::text").Scan(&catalogue); err != nil {
		return fmt.Errorf("look for Citus: %w", err)
	}
	if !catalogue.Valid {
		return nil
	}
	var sharded bool
	const asked = "SELECT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = 'pipelines'::regclass AND partmethod = 'h')"
	if err := db.QueryRowContext(ctx, asked).Scan(&sharded); err != nil {
		return fmt.Errorf("look for shards: %w", err)
	}
	if sharded {
		return errors.New("the tables are sharded already")
	}
	return nil
}

// A shardPlan is the script in its two parts.
type shardPlan struct {
	convert []string // in one transaction
	clean   []string // after it, each on its own
}

// script is the plan for psql, through a connection to the coordinator.
func (p *shardPlan) script() string {
	return "-- Spreads the tables over the nodes of a Citus cluster. Run it once, on the coordinator.\n" +
		"-- Reports wait until COMMIT. Later migrations distribute what they add by themselves.\n" +
		"BEGIN;\n" + strings.Join(p.convert, ";\n") + ";\nCOMMIT;\n" +
		"-- The coordinator's old copy of the rows.\n" + strings.Join(p.clean, ";\n") + ";\n"
}

// A fact is a table whose primary key begins with project_id. Names are quoted
// where SQL needs it.
type fact struct {
	table     string
	hasNumber bool // the primary key holds pipeline_id
}

const pipelinesName = "pipelines"

// key is the column by which the table is distributed; alone tells that its
// rows can't live beside those of pipelines.
func (f *fact) key(by ShardKey) (column string, alone bool) {
	switch {
	case by == ShardByProject:
		return "project_id", false
	case f.table == pipelinesName:
		return "id", false
	case f.hasNumber:
		return "pipeline_id", false
	}
	return "project_id", true
}

// planShards orders the statements as Citus wants them: what all nodes hold
// first, then the table that the others live beside, in one sequential
// transaction.
func planShards(facts []fact, by ShardKey, shards int) (*shardPlan, error) {
	if by != ShardByProject && by != ShardByPipeline {
		return nil, fmt.Errorf("the tables can be sharded by %q or by %q, not by %q", ShardByProject, ShardByPipeline, by)
	}
	if shards < 1 || shards > MaxShards {
		return nil, fmt.Errorf("the number of shards must be from 1 to %d", MaxShards)
	}
	facts = slices.Clone(facts)
	slices.SortFunc(facts, func(a, b fact) int {
		return cmp.Or(-cmp.Compare(first(a), first(b)), cmp.Compare(a.table, b.table))
	})
	p := &shardPlan{convert: []string{
		"SET LOCAL citus.multi_shard_modify_mode TO 'sequential'",
		"SET LOCAL statement_timeout TO 0",
		"SELECT create_reference_table('projects')",
	}}
	for _, f := range facts {
		p.convert = append(p.convert, f.distribute(by, shards))
		p.clean = append(p.clean, "SELECT truncate_local_data_after_distributing_table("+quote(f.table)+")")
	}
	p.clean = append(p.clean, "SELECT truncate_local_data_after_distributing_table('projects')")
	return p, nil
}

func first(f fact) int {
	if f.table == pipelinesName {
		return 1
	}
	return 0
}

func (f *fact) distribute(by ShardKey, shards int) string {
	column, alone := f.key(by)
	beside := fmt.Sprintf("colocate_with => '%s'", pipelinesName)
	switch {
	case f.table == pipelinesName:
		beside = fmt.Sprintf("shard_count => %d", shards)
	case alone:
		beside = fmt.Sprintf("shard_count => %d, colocate_with => 'none'", shards)
	}
	return fmt.Sprintf("SELECT create_distributed_table(%s, '%s', %s)", quote(f.table), column, beside)
}

func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

const selectFacts = `SELECT conrelid::regclass::text, COALESCE((SELECT a.attnum = ANY (c.conkey) FROM pg_attribute a
		WHERE a.attrelid = conrelid AND a.attname = 'pipeline_id' AND NOT a.attisdropped), false)
	FROM pg_constraint c JOIN pg_attribute p ON p.attrelid = conrelid AND p.attnum = conkey[1]
	WHERE c.contype = 'p' AND connamespace = current_schema()::regnamespace AND p.attname = 'project_id'`

// selectForeignKeys finds what people have added: we have none of our own.
const selectForeignKeys = `SELECT quote_ident(conname), conrelid::regclass::text FROM pg_constraint
	WHERE contype = 'f' AND (conrelid = ANY ($1::text[]::regclass[]) OR confrelid = ANY ($1::text[]::regclass[])) ORDER BY conname LIMIT 1`

// readFacts asks the catalogue, and refuses what Citus would refuse less
// clearly.
func readFacts(ctx context.Context, db *sql.DB) (facts []fact, err error) {
	rows, err := db.QueryContext(ctx, selectFacts)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // rows.Err is the error that counts
	names := []string{"projects"}
	for rows.Next() {
		var f fact
		if err := rows.Scan(&f.table, &f.hasNumber); err != nil {
			return nil, err
		}
		facts, names = append(facts, f), append(names, f.table)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	return facts, refuseForeignKeys(ctx, db, names)
}

func refuseForeignKeys(ctx context.Context, db *sql.DB, tables []string) error {
	var name, table string
	err := db.QueryRowContext(ctx, selectForeignKeys, tables).Scan(&name, &table)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil
	case err != nil:
		return err
	}
	return fmt.Errorf("the foreign key %s of %s stands in the way: drop it, and add it again afterwards if both tables are distributed", name, table)
}
