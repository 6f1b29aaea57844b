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

// A fact is a table that refers, itself or through others, to projects. Names
// are quoted where SQL needs it.
type fact struct {
	table                 string
	hasProject, hasNumber bool // the columns project_id and pipeline_id
	foreignKeys           []foreignKey
}

type foreignKey struct {
	name, definition, to string
	inside               bool // to another fact or to projects
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

// planShards orders the statements as Citus wants them: without foreign keys
// between the tables, the table that all refer to first, and with the keys
// again, all in one sequential transaction.
func planShards(facts []fact, by ShardKey, shards int) (*ShardPlan, error) {
	if by != ShardByProject && by != ShardByPipeline {
		return nil, fmt.Errorf("the tables can be sharded by %q or by %q, not by %q", ShardByProject, ShardByPipeline, by)
	}
	if shards < 1 || shards > MaxShards {
		return nil, fmt.Errorf("the number of shards must be from 1 to %d", MaxShards)
	}
	if err := refuseFacts(facts); err != nil {
		return nil, err
	}
	facts = slices.Clone(facts)
	slices.SortFunc(facts, func(a, b fact) int {
		return cmp.Or(-cmp.Compare(first(a), first(b)), cmp.Compare(a.table, b.table))
	})
	p := &ShardPlan{convert: []string{
		"SET LOCAL citus.multi_shard_modify_mode TO 'sequential'",
		"SET LOCAL statement_timeout TO 0",
	}}
	var distribute, add []string
	for _, f := range facts {
		for _, k := range f.foreignKeys {
			p.convert = append(p.convert, "ALTER TABLE "+f.table+" DROP CONSTRAINT "+k.name)
			add = append(add, "ALTER TABLE "+f.table+" ADD CONSTRAINT "+k.name+" "+k.definition)
		}
		distribute = append(distribute, f.distribute(by, shards))
		p.clean = append(p.clean, "SELECT truncate_local_data_after_distributing_table("+quote(f.table)+")")
	}
	slices.Reverse(p.clean)
	p.clean = append(p.clean, "SELECT truncate_local_data_after_distributing_table('projects')")
	p.convert = append(p.convert, "SELECT create_reference_table('projects')")
	p.convert = append(append(p.convert, distribute...), add...)
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

// refuseFacts tells people which of their own tables stand in the way.
func refuseFacts(facts []fact) error {
	if !slices.ContainsFunc(facts, func(f fact) bool { return f.table == pipelinesName }) {
		return errors.New("the database has no table pipelines that refers to projects: run `migrate up` first")
	}
	for _, f := range facts {
		if !f.hasProject {
			return fmt.Errorf("the table %s refers to ours and has no column project_id: drop its foreign key, or give it the column", f.table)
		}
		for _, k := range f.foreignKeys {
			if !k.inside {
				return fmt.Errorf("the foreign key %s of %s refers to %s, which stays on one machine: drop it first", k.name, f.table, k.to)
			}
		}
	}
	return nil
}

func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// selectFacts has a row for each foreign key of each fact.
const selectFacts = `WITH RECURSIVE facts (id) AS (
		SELECT conrelid FROM pg_constraint WHERE contype = 'f' AND confrelid = 'projects'::regclass
		UNION SELECT c.conrelid FROM pg_constraint c JOIN facts f ON c.confrelid = f.id WHERE c.contype = 'f')
	SELECT f.id::regclass::text,
		EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = f.id AND a.attname = 'project_id' AND NOT a.attisdropped),
		EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = f.id AND a.attname = 'pipeline_id' AND NOT a.attisdropped),
		quote_ident(c.conname), pg_get_constraintdef(c.oid), c.confrelid::regclass::text,
		c.confrelid = 'projects'::regclass OR c.confrelid IN (SELECT id FROM facts)
	FROM facts f JOIN pg_constraint c ON c.conrelid = f.id AND c.contype = 'f'
	ORDER BY f.id::regclass::text COLLATE "C", c.conname COLLATE "C"`

// readFacts asks the catalogue, and refuses tables that are distributed.
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
	for rows.Next() {
		var f fact
		var k foreignKey
		if err := rows.Scan(&f.table, &f.hasProject, &f.hasNumber, &k.name, &k.definition, &k.to, &k.inside); err != nil {
			return nil, err
		}
		if n := len(facts); n == 0 || facts[n-1].table != f.table {
			facts = append(facts, f)
		}
		last := &facts[len(facts)-1]
		last.foreignKeys = append(last.foreignKeys, k)
	}
	return facts, rows.Err()
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
