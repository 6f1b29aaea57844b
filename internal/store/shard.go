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

// ErrNoCitus is the answer of [Store.Shard] on a PostgreSQL without Citus.
var ErrNoCitus = errors.New("the database has no Citus: install it on every node, then CREATE EXTENSION citus and add the workers (docs/scale.md)")

// A ShardPlan is the script that spreads the tables over the machines of a
// Citus cluster.
type ShardPlan struct {
	convert []string // in one transaction
	clean   []string // after it, each on its own
}

// PlanShards makes the script for the schema as it is in the database, where
// people may have added tables of their own. It changes nothing.
func (s *Store) PlanShards(ctx context.Context, by ShardKey, shards int) (*ShardPlan, error) {
	if err := s.engine.refuseShards(); err != nil {
		return nil, err
	}
	facts, err := s.readFacts(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the tables to shard: %w", err)
	}
	return planShards(facts, by, shards)
}

// Shard runs the plan: all tables become distributed or none does. Reports
// wait until it is done, for as long as the copy takes.
func (s *Store) Shard(ctx context.Context, plan *ShardPlan) error {
	if err := s.refuseToShard(ctx); err != nil {
		return err
	}
	tx, err := s.db.writer.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin to shard: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // no-op once committed
	for i, statement := range plan.convert {
		s.config.Progress(statement, int64(i), int64(len(plan.convert)))
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("%s: nothing has changed: %w", statement, err)
		}
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit the shards: %w", err)
	}
	return s.cleanShards(ctx, plan)
}

// cleanShards frees what the coordinator kept of rows that live elsewhere now.
func (s *Store) cleanShards(ctx context.Context, plan *ShardPlan) error {
	conn, err := s.db.writer.Conn(ctx)
	if err != nil {
		return fmt.Errorf("clean up after the shards: %w", err)
	}
	defer func() { _ = conn.Close() }() // it goes back to the pool
	for _, statement := range plan.clean {
		if _, err := conn.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("the tables are distributed, but the coordinator's old copy of the rows is still on its disk; run %s: %w", statement, err)
		}
	}
	return nil
}

func (s *Store) refuseToShard(ctx context.Context) error {
	var citus bool
	const asked = "SELECT EXISTS (SELECT FROM pg_proc WHERE proname = 'create_distributed_table')"
	if err := s.db.writer.QueryRowContext(ctx, asked).Scan(&citus); err != nil {
		return fmt.Errorf("look for Citus: %w", err)
	}
	if !citus {
		return ErrNoCitus
	}
	return nil
}

// Script is the plan for psql, through a connection to the coordinator.
func (p *ShardPlan) Script() string {
	var b strings.Builder
	b.WriteString("-- Spreads the tables over the nodes of a Citus cluster. Run it once, on the coordinator.\n" +
		"-- Reports wait until COMMIT. Afterwards every later migration keeps the tables distributed.\n")
	b.WriteString("BEGIN;\n" + strings.Join(p.convert, ";\n") + ";\nCOMMIT;\n")
	b.WriteString("-- The coordinator's old copy of the rows.\n" + strings.Join(p.clean, ";\n") + ";\n")
	return b.String()
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
func planShards(facts []fact, by ShardKey, shards int) (*ShardPlan, error) {
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
	p := &ShardPlan{convert: []string{
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
func (s *Store) readFacts(ctx context.Context) ([]fact, error) {
	if err := s.refuseSharded(ctx); err != nil {
		return nil, err
	}
	rows, err := s.Query(ctx, selectFacts)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // rows.Err is the error that counts
	var facts []fact
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
	return facts, s.refuseForeignKeys(ctx, names)
}

func (s *Store) refuseForeignKeys(ctx context.Context, tables []string) error {
	var name, table string
	err := s.db.reader.QueryRowContext(ctx, selectForeignKeys, tables).Scan(&name, &table)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	return fmt.Errorf("the foreign key %s of %s stands in the way: drop it, and add it again afterwards if both tables are distributed", name, table)
}

func (s *Store) refuseSharded(ctx context.Context) error {
	var catalogue sql.NullString
	if err := s.db.reader.QueryRowContext(ctx, "SELECT to_regclass('pg_catalog.pg_dist_partition')::text").Scan(&catalogue); err != nil || !catalogue.Valid {
		return err
	}
	var sharded bool
	const asked = "SELECT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = 'pipelines'::regclass AND partmethod = 'h')"
	if err := s.db.reader.QueryRowContext(ctx, asked).Scan(&sharded); err != nil {
		return err
	}
	if sharded {
		return errors.New("the tables are sharded already")
	}
	return nil
}
