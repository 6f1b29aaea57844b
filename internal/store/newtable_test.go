package store_test

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
)

// On a sharded PostgreSQL a new table stays on one machine without a word, and
// each join with it fetches rows from the others. So a migration after the
// first distributes the fact table that it makes (docs/scale.md).

var (
	createTable = regexp.MustCompile(`(?is)\bCREATE\s+TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?(\w+)\s*\((.*?)\)\s*;`)
	keyWords    = regexp.MustCompile(`(?i)(CONSTRAINT\s+\w+\s+)?\b(PRIMARY\s+KEY|UNIQUE|CHECK)\b`)
	doBlock     = regexp.MustCompile(`(?is)\bDO\s+\$\$.*?\$\$`)
)

// brokenMigration says what is wrong with the tables that a later migration
// makes.
func brokenMigration(up string) (broken []string) {
	up = sqlComment.ReplaceAllString(up, "")
	complain := func(table, what string) { broken = append(broken, fmt.Sprintf("%s: %s", table, what)) }
	for _, m := range createTable.FindAllStringSubmatchIndex(up, -1) {
		table, body, rest := up[m[2]:m[3]], up[m[4]:m[5]], up[m[1]:]
		if !regexp.MustCompile(`(?i)\bproject_id\b`).MatchString(body) {
			continue
		}
		// A roll-up over many pipelines has no pipeline_id, so it can't live beside
		// pipelines where these are spread by their number.
		column, beside := "'pipeline_id'", "'pipelines'"
		if !regexp.MustCompile(`(?i)\bpipeline_id\b`).MatchString(body) {
			column, beside = "'project_id'", ""
		}
		block := doBlock.FindStringIndex(rest)
		for block != nil && !strings.Contains(rest[block[0]:block[1]], "create_distributed_table('"+table+"'") {
			next := doBlock.FindStringIndex(rest[block[1]:])
			if next == nil {
				block = nil
				break
			}
			block = []int{block[1] + next[0], block[1] + next[1]}
		}
		if block == nil {
			complain(table, "no DO block that distributes it where pipelines is distributed")
			continue
		}
		text := rest[block[0]:block[1]]
		for _, needed := range []string{"to_regclass('pg_catalog.pg_dist_partition') IS NOT NULL", "pipelines", column, "colocate_with => " + beside} {
			if !strings.Contains(text, needed) {
				complain(table, "the DO block lacks "+needed)
			}
		}
	}
	return broken
}

// brokenConstraints finds keys and checks that PostgreSQL would name, and
// foreign keys, of which we have none (docs/decisions/0002-no-foreign-keys.md).
func brokenConstraints(up string) (broken []string) {
	up = sqlComment.ReplaceAllString(up, "")
	if regexp.MustCompile(`(?i)\bREFERENCES\b`).MatchString(up) {
		broken = append(broken, "a foreign key")
	}
	for _, m := range createTable.FindAllStringSubmatch(up, -1) {
		for _, k := range keyWords.FindAllStringSubmatch(m[2], -1) {
			if k[1] == "" {
				broken = append(broken, m[1]+": a nameless "+strings.ToUpper(strings.Join(strings.Fields(k[2]), " ")))
			}
		}
	}
	return broken
}

// pageTable is the new table that docs/scale.md shows, and the block that
// distributes it.
func pageTable(t *testing.T) (table, block string) {
	t.Helper()
	page, err := os.ReadFile("../../docs/scale.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(page), "CREATE TABLE notes")
	text, _, _ := strings.Cut(rest, "```")
	table, block, whole := strings.Cut(text, "-- +goose StatementBegin")
	if !found || !whole {
		t.Fatalf("docs/scale.md shows no new table and its block:\n%s", text)
	}
	return "CREATE TABLE notes" + table, "-- +goose StatementBegin" + block
}

func TestNewTableBlockIsDemanded(t *testing.T) {
	t.Parallel()
	newTable, newBlock := pageTable(t)
	other := strings.ReplaceAll(newBlock, "'notes'", "'others'")
	for name, c := range map[string]struct{ up, want string }{
		"as it should be": {newTable + newBlock, ""},
		"among others":    {newTable + other + "CREATE TABLE leases (name TEXT, CONSTRAINT leases_pkey PRIMARY KEY (name));" + newBlock, ""},
		"only beside":     {"CREATE TABLE leases (name TEXT, CONSTRAINT leases_pkey PRIMARY KEY (name));", ""},
		"no new table":    {"ALTER TABLE jobs ADD note TEXT;", ""},
		"a roll-up": {strings.ReplaceAll(newTable, "pipeline_id", "day") +
			strings.ReplaceAll(newBlock, "CASE key WHEN 'id' THEN 'pipeline_id' ELSE key END, colocate_with => 'pipelines'", "'project_id', colocate_with => CASE key WHEN 'id' THEN 'none' ELSE 'pipelines' END"), ""},
		"no block":            {newTable, "no DO block"},
		"another's block":     {newTable + other, "no DO block"},
		"block before":        {newBlock + newTable, "no DO block"},
		"unguarded":           {newTable + strings.ReplaceAll(newBlock, "to_regclass('pg_catalog.pg_dist_partition') IS NOT NULL", "true"), "lacks to_regclass"},
		"not colocated":       {newTable + strings.ReplaceAll(newBlock, ", colocate_with => 'pipelines'", ""), "lacks colocate_with"},
		"for one of the keys": {newTable + strings.ReplaceAll(newBlock, "CASE key WHEN 'id' THEN 'pipeline_id' ELSE key END", "'project_id'"), "lacks 'pipeline_id'"},
	} {
		got := strings.Join(brokenMigration(c.up), "; ")
		if (c.want == "") != (got == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: complaints %q, want %q", name, got, c.want)
		}
	}
}

func TestBrokenConstraintIsFound(t *testing.T) {
	t.Parallel()
	newTable, _ := pageTable(t)
	for up, want := range map[string]string{
		newTable:                                 "",
		"CREATE TABLE a (b INT PRIMARY KEY);":    "a: a nameless PRIMARY KEY",
		"CREATE TABLE a (b INT, UNIQUE (b));":    "a: a nameless UNIQUE",
		"CREATE TABLE a (b INT, CHECK (b > 0));": "a: a nameless CHECK",
		"CREATE TABLE a (b INT CONSTRAINT a_pkey PRIMARY KEY, c INT CONSTRAINT a_c_key UNIQUE);": "",
		"CREATE TABLE a (b INT REFERENCES c (d));":                                               "a foreign key",
		"ALTER TABLE a ADD CONSTRAINT a_c_fkey FOREIGN KEY (b) REFERENCES c (d);":                "a foreign key",
	} {
		if got := strings.Join(brokenConstraints(up), "; "); got != want {
			t.Errorf("%s: complaints %q, want %q", up, got, want)
		}
	}
}

func TestMigrationsMakeTablesThatCanBeSharded(t *testing.T) {
	t.Parallel()
	for i, m := range migrations(t, "postgres") {
		broken := brokenConstraints(m.up)
		if i > 0 { // the first one's tables are distributed by the operator's script
			broken = append(broken, brokenMigration(m.up)...)
		}
		for _, b := range broken {
			t.Errorf("%s: %s", m.name, b)
		}
	}
}

// The block works on a plain PostgreSQL.
func TestNewTableBlockRuns(t *testing.T) {
	t.Parallel()
	tx, err := migrated(t).Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	newTable, newBlock := pageTable(t)
	if _, err := tx.Exec(newTable + newBlock); err != nil {
		t.Fatal(err)
	}
	if broken := brokenRules(t, tx); len(broken) > 0 {
		t.Errorf("the new table breaks the rules: %q", broken)
	}
}
