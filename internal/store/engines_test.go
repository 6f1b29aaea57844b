package store_test

import (
	"bytes"
	"cmp"
	"fmt"
	"go/ast"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

func TestMigrationsOfBothEnginesHaveTheSameNames(t *testing.T) {
	t.Parallel()
	names := func(engine string) (all []string) {
		for _, m := range migrations(t, engine) {
			all = append(all, m.name)
		}
		return all
	}
	if diff := gocmp.Diff(names("sqlite"), names("postgres")); diff != "" {
		t.Errorf("(-sqlite +postgres):\n%s", diff)
	}
}

// A schema is what both engines must agree on, as lines of text. Indexes that
// only make queries faster are an engine's own affair.
type schema struct {
	Columns map[string][]string // of a table: name, type, null or not, default, in their order
	Keys    map[string][]string // of a table: primary and unique keys
	Views   map[string][]string // columns in their order
}

func TestSchemasOfBothEnginesAgree(t *testing.T) {
	t.Parallel()
	lite := liteSchema(t, storetest.Open(t, storetest.SQLite(t)))
	pg := pgSchema(t, storetest.Open(t, storetest.Postgres(t)))
	if len(pg.Columns["jobs"]) < 30 || len(pg.Keys["jobs"]) != 1 || len(pg.Views["metrics_job"]) != 9 {
		t.Fatalf("the catalogue is not read right: %v", pg)
	}
	if diff := gocmp.Diff(lite, pg); diff != "" {
		t.Errorf("(-sqlite +postgres):\n%s", diff)
	}
}

// columnLine is one column; in SQLite the rowid is what an identity is in
// PostgreSQL, and its key is left out on both sides.
func columnLine(name, kind string, null, identity bool, byDefault string) string {
	kind = cmp.Or(map[string]string{"real": "double precision", "integer": "bigint", "blob": "bytea"}[strings.ToLower(kind)], strings.ToLower(kind))
	line := name + " " + kind
	switch {
	case identity:
		return line + " identity"
	case !null:
		line += " not null"
	}
	if byDefault != "" {
		line += " default " + byDefault
	}
	return line
}

func texts(t *testing.T, s *store.Store, query string) [][]string {
	t.Helper()
	var all [][]string
	for _, row := range storetest.Table(t, s, query) {
		line := make([]string, len(row))
		for i, v := range row {
			if v != nil {
				line[i] = fmt.Sprint(v)
			}
		}
		all = append(all, line)
	}
	return all
}

func pgSchema(t *testing.T, s *store.Store) schema {
	t.Helper()
	sc := schema{map[string][]string{}, map[string][]string{}, map[string][]string{}}
	identity := map[string]string{}
	for _, c := range texts(t, s, `SELECT c.table_name, table_type, column_name, data_type, is_nullable, is_identity, column_default
		FROM information_schema.columns c JOIN information_schema.tables USING (table_schema, table_name)
		WHERE table_schema = current_schema() AND c.table_name <> 'goose_db_version' ORDER BY 1, ordinal_position`) {
		if c[1] == "VIEW" {
			sc.Views[c[0]] = append(sc.Views[c[0]], c[2])
			continue
		}
		if c[5] == "YES" {
			identity[c[0]] = c[2]
		}
		sc.Columns[c[0]] = append(sc.Columns[c[0]], columnLine(c[2], c[3], c[4] == "YES", c[5] == "YES", c[6]))
	}
	for _, k := range texts(t, s, `SELECT conrelid::regclass::text,
		(SELECT string_agg(attname, ' ' ORDER BY n) FROM unnest(conkey) WITH ORDINALITY AS k (num, n) JOIN pg_attribute ON attrelid = conrelid AND attnum = num)
		FROM pg_constraint WHERE connamespace = current_schema()::regnamespace AND contype IN ('p', 'u')`) {
		if k[0] != "goose_db_version" && k[1] != identity[k[0]] {
			sc.Keys[k[0]] = append(sc.Keys[k[0]], "unique "+k[1])
		}
	}
	return sc.sorted()
}

func liteSchema(t *testing.T, s *store.Store) schema {
	t.Helper()
	sc := schema{map[string][]string{}, map[string][]string{}, map[string][]string{}}
	for _, c := range texts(t, s, `SELECT m.name, m.type, c.name, c.type, c."notnull", c.pk, c.dflt_value FROM sqlite_master m, pragma_table_info(m.name) c
		WHERE m.type IN ('table', 'view') AND m.name NOT LIKE 'sqlite%' AND m.name <> 'goose_db_version' ORDER BY m.name, c.cid`) {
		if c[1] == "view" {
			sc.Views[c[0]] = append(sc.Views[c[0]], c[2])
			continue
		}
		sc.Columns[c[0]] = append(sc.Columns[c[0]], columnLine(c[2], c[3], c[4] == "0", c[3] == "INTEGER" && c[5] == "1", c[6]))
	}
	for _, i := range texts(t, s, `SELECT m.name, (SELECT group_concat(name, ' ') FROM (SELECT name FROM pragma_index_info(i.name) ORDER BY seqno))
		FROM sqlite_master m, pragma_index_list(m.name) i
		WHERE m.type = 'table' AND i.origin <> 'c' AND m.name NOT LIKE 'sqlite%' AND m.name <> 'goose_db_version'`) {
		sc.Keys[i[0]] = append(sc.Keys[i[0]], "unique "+i[1])
	}
	return sc.sorted()
}

func (sc schema) sorted() schema {
	for _, lines := range sc.Keys {
		slices.Sort(lines)
	}
	return sc
}

// Each line in which the engines differ is in dialect.go, where it can be seen
// and counted.
func TestEngineIsAskedForByNameInOneFile(t *testing.T) {
	t.Parallel()
	var dirs []string
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && d.Name() != "testdata" {
			dirs = append(dirs, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, dir := range append(dirs, "../../cmd/pipeline-metrics-collector") {
		for _, file := range parseDir(t, dir) {
			seen++
			if filepath.Base(file.path) == "dialect.go" {
				continue
			}
			for _, at := range engineQuestions(file) {
				t.Errorf("%s: %s asks for an engine by name: give dialect.go a method instead, or reopen decision 0001", dir, at)
			}
		}
	}
	if seen < 10 {
		t.Fatalf("only %d files found: the search is broken", seen)
	}
}

func TestEngineQuestionIsFound(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]int{
		`if s.Engine() == "sqlite" { return }`:                                    1,
		`if "postgres" != e { return }`:                                           1,
		`switch e { case "mysql", "postgres": return }`:                           1,
		`if e == sqliteEngine { return }`:                                         1,
		`switch e { case postgresEngine: return }`:                                1,
		`if strings.HasPrefix(database, "postgres://") { return }`:                1,
		`for _, e := range []engine{sqliteEngine, postgresEngine} { migrate(e) }`: 0,
		`fmt.Println("sqlite is a database, postgres another", "postgres", e)`:    0,
	} {
		path := filepath.Join(t.TempDir(), "a.go")
		if err := os.WriteFile(path, []byte("package a\n\nfunc f() {\n"+body+"\n}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := engineQuestions(parseDir(t, filepath.Dir(path))[0]); len(got) != want {
			t.Errorf("%s: found %v, want %d", body, got, want)
		}
	}
}

// engineQuestions returns the places that compare something with an engine's
// name, or with the constants that hold it.
func engineQuestions(file goFile) (found []string) {
	names := []string{`"sqlite"`, `"sqlite3"`, `"postgres"`, `"postgresql"`, `"postgres://"`, `"postgresql://"`, `"sqlite:"`}
	ask := func(e ast.Expr) {
		lit, isText := e.(*ast.BasicLit)
		name, isName := e.(*ast.Ident)
		if isText && slices.Contains(names, lit.Value) || isName && (name.Name == "sqliteEngine" || name.Name == "postgresEngine") {
			found = append(found, file.at(e))
		}
	}
	ast.Inspect(file.tree, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BinaryExpr:
			if n.Op == token.EQL || n.Op == token.NEQ {
				ask(n.X)
				ask(n.Y)
			}
		case *ast.CaseClause:
			for _, e := range n.List {
				ask(e)
			}
		case *ast.CallExpr:
			if f, ok := n.Fun.(*ast.SelectorExpr); ok && slices.Contains([]string{"HasPrefix", "EqualFold", "CutPrefix"}, f.Sel.Name) {
				for _, e := range n.Args {
					ask(e)
				}
			}
		}
		return true
	})
	return found
}

func TestDialectStaysSmall(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("dialect.go")
	if err != nil {
		t.Fatal(err)
	}
	if lines := bytes.Count(text, []byte("\n")); lines >= 400 {
		t.Errorf("dialect.go has %d lines: the engines differ in more than one file should hold; reopen the decision for one store for both (docs/decisions/0001-the-house.md)", lines)
	}
}
