package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A move puts other relations in the place of some: with their owners and
// grants, and with the views of others over them made again.
type move struct {
	grants     []string // for the relations that take the place
	dependents []dependent
}

// A dependent is a view of others over a relation that goes.
type dependent struct {
	name   string // as people write it: view reporting.slow
	drop   string
	create []string
}

func (mv *move) names() []string {
	names := make([]string, len(mv.dependents))
	for i, d := range mv.dependents {
		names[i] = d.name
	}
	return names
}

// beginMove reads what must be kept of the relations and drops the views over
// them. Without leave to make those again, it lists them and refuses.
func (m *Migrator) beginMove(ctx context.Context, tx *sql.Tx, relations []string) (*move, error) {
	mv := &move{}
	var err error
	if mv.dependents, err = m.readDependents(ctx, tx, relations); err != nil {
		return nil, err
	}
	for _, r := range relations {
		grants, err := readGrants(ctx, tx, r, "VIEW "+r, r)
		if err != nil {
			return nil, err
		}
		mv.grants = append(mv.grants, grants...)
	}
	for _, d := range slices.Backward(mv.dependents) { // those that others stand on last
		if _, err := tx.ExecContext(ctx, d.drop); err != nil {
			return nil, fmt.Errorf("drop %s: %w", d.name, err)
		}
	}
	return mv, nil
}

// end gives the new relations the owners and grants of the old, and makes the
// views over them again.
func (mv *move) end(ctx context.Context, tx *sql.Tx) error {
	if err := execAll(ctx, tx, mv.grants); err != nil {
		return fmt.Errorf("copy owner and grants: %w", err)
	}
	return mv.redefine(ctx, tx)
}

func (mv *move) redefine(ctx context.Context, tx *sql.Tx) error {
	for _, d := range mv.dependents {
		if err := execAll(ctx, tx, d.create); err != nil {
			return fmt.Errorf("define the %s again: %w", d.name, err)
		}
	}
	return nil
}

// readGrants returns the statements that give owner and grants of a relation
// to another, of which kind is what ALTER calls it. A view is read with the
// rights of its owner, who must see the tables beneath.
func readGrants(ctx context.Context, tx *sql.Tx, relation, kind, to string) (statements []string, err error) {
	var owner string
	var mine bool
	const who = "SELECT quote_ident(rolname), rolname = current_user FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner WHERE c.oid = $1::regclass"
	if err := tx.QueryRowContext(ctx, who, relation).Scan(&owner, &mine); err != nil {
		return nil, fmt.Errorf("read the owner of %s: %w", relation, err)
	}
	// What the server's default privileges give a new relation is not what the
	// old one had.
	statements = append(statements, `DO $do$ DECLARE who text; BEGIN
		FOR who IN SELECT DISTINCT CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END
			FROM pg_class c, aclexplode(c.relacl) WHERE c.oid = `+quoteText(to)+`::regclass AND grantee <> c.relowner LOOP
			EXECUTE 'REVOKE ALL ON `+strings.ReplaceAll(to, "'", "''")+` FROM ' || who;
		END LOOP; END $do$`)
	if !mine {
		statements = append(statements, "ALTER "+kind+" OWNER TO "+owner, "GRANT SELECT ON pipelines, jobs, projects TO "+owner)
	}
	grants, err := stringsOf(ctx, tx, `SELECT format('GRANT %s%s ON %s TO %s%s', g.privilege_type, g.columns, $2::text,
			CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(g.grantee)) END, CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
		FROM (
			SELECT c.relowner, a.grantee, a.privilege_type, a.is_grantable, '' AS columns FROM pg_class c, aclexplode(c.relacl) a WHERE c.oid = $1::regclass
			UNION ALL
			SELECT c.relowner, a.grantee, a.privilege_type, a.is_grantable, format(' (%I)', t.attname)
			FROM pg_class c JOIN pg_attribute t ON t.attrelid = c.oid, aclexplode(t.attacl) a WHERE c.oid = $1::regclass AND t.attnum > 0 AND NOT t.attisdropped
		) g WHERE g.grantee <> g.relowner`, relation, to)
	if err != nil {
		return nil, fmt.Errorf("read the grants of %s: %w", relation, err)
	}
	return append(statements, grants...), nil
}

// readDependents returns the views over the relations, those that others stand
// on first. Whatever else depends on them can't be made again by us.
func (m *Migrator) readDependents(ctx context.Context, tx *sql.Tx, relations []string) ([]dependent, error) {
	const above = `WITH RECURSIVE above (oid, depth) AS (
			SELECT unnest($1::text[])::regclass::oid, 0
			UNION SELECT r.ev_class, a.depth + 1 FROM above a
			JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = a.oid AND d.classid = 'pg_rewrite'::regclass
			JOIN pg_rewrite r ON r.oid = d.objid JOIN pg_class c ON c.oid = r.ev_class AND c.relkind IN ('v', 'm') WHERE r.ev_class <> a.oid
		), top AS (SELECT oid, max(depth) AS depth FROM above GROUP BY oid) `
	others, err := stringsOf(ctx, tx, above+`SELECT DISTINCT pg_describe_object(d.classid, d.objid, d.objsubid) FROM pg_depend d
		WHERE (d.refclassid = 'pg_class'::regclass AND d.refobjid IN (SELECT oid FROM top)
				OR d.refclassid = 'pg_type'::regclass AND d.refobjid IN (SELECT unnest(ARRAY[t.oid, t.typarray]) FROM pg_type t JOIN top ON t.typrelid = top.oid))
			AND (d.deptype = 'n' AND d.classid <> 'pg_rewrite'::regclass OR d.classid IN ('pg_trigger'::regclass, 'pg_policy'::regclass, 'pg_publication_rel'::regclass)
				OR d.classid = 'pg_rewrite'::regclass AND EXISTS (SELECT FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class
					WHERE r.oid = d.objid AND (c.relkind NOT IN ('v', 'm') OR r.rulename <> '_RETURN')))
			AND NOT EXISTS (SELECT FROM pg_trigger WHERE d.classid = 'pg_trigger'::regclass AND oid = d.objid AND tgisinternal)
			AND NOT EXISTS (SELECT FROM pg_constraint WHERE d.classid = 'pg_constraint'::regclass AND oid = d.objid AND conrelid IN (SELECT oid FROM top WHERE depth = 0))
		ORDER BY 1`, relations)
	if err != nil {
		return nil, fmt.Errorf("look for what depends on the tables: %w", err)
	}
	views, err := stringsOf(ctx, tx, above+`SELECT oid::text FROM top WHERE depth > 0 ORDER BY depth, oid`, relations)
	if err != nil {
		return nil, fmt.Errorf("look for views over the tables: %w", err)
	}
	all := make([]dependent, len(views))
	for i, oid := range views {
		if all[i], err = readDependent(ctx, tx, oid); err != nil {
			return nil, err
		}
	}
	return all, m.refuseDependents(all, others, strings.Join(relations, ", "))
}

func (m *Migrator) refuseDependents(views []dependent, others []string, relations string) error {
	if len(others) == 0 && (len(views) == 0 || m.config.RecreateDependents) {
		return nil
	}
	var b strings.Builder
	fmt.Fprintf(&b, "other things in the database depend on %s, which are to be replaced. Nothing has changed", relations)
	for _, v := range views {
		fmt.Fprintf(&b, "\n  %s", v.name)
	}
	for _, o := range others {
		fmt.Fprintf(&b, "\n  %s (can't be made again: drop it first)", o)
	}
	if len(views) > 0 && !m.config.RecreateDependents {
		b.WriteString("\n`pipeline-metrics-collector migrate` with --recreate-dependents defines the views again over what takes the place")
	}
	return &SchemaError{b.String()}
}

// readDependent reads all that makes a view what it is.
func readDependent(ctx context.Context, tx *sql.Tx, oid string) (d dependent, err error) {
	var (
		name, kind, options, definition string
		populated                       bool
		comment                         sql.NullString
	)
	// With nothing on the search path, all names are written with their schema.
	var path string
	if err := tx.QueryRowContext(ctx, "SELECT current_setting('search_path')").Scan(&path); err != nil {
		return d, fmt.Errorf("read the search path: %w", err)
	}
	if _, err := tx.ExecContext(ctx, "SET LOCAL search_path TO ''"); err != nil {
		return d, fmt.Errorf("empty the search path: %w", err)
	}
	const read = `SELECT c.oid::regclass::text, CASE c.relkind WHEN 'm' THEN 'materialized view' ELSE 'view' END, c.relispopulated,
		COALESCE(' WITH (' || array_to_string(c.reloptions, ', ') || ')', ''), rtrim(pg_get_viewdef(c.oid), ';'), obj_description(c.oid, 'pg_class')
		FROM pg_class c WHERE c.oid = $1::text::oid`
	err = tx.QueryRowContext(ctx, read, oid).Scan(&name, &kind, &populated, &options, &definition, &comment)
	var indexes, grants []string
	if err == nil {
		indexes, err = stringsOf(ctx, tx, "SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = $1::text::oid", oid)
	}
	if err == nil {
		grants, err = readGrants(ctx, tx, name, kind+" "+name, name)
	}
	if _, back := tx.ExecContext(ctx, "SELECT set_config('search_path', $1, true)", path); err != nil || back != nil {
		return d, fmt.Errorf("read a view: %w", errors.Join(err, back))
	}
	d = dependent{name: kind + " " + name, drop: "DROP " + kind + " " + name}
	create := "CREATE " + kind + " " + name + options + " AS " + definition
	if kind != "view" && !populated {
		create += " WITH NO DATA"
	}
	d.create = append(append([]string{create}, indexes...), grants...)
	if comment.Valid {
		d.create = append(d.create, "COMMENT ON "+kind+" "+name+" IS "+quoteText(comment.String))
	}
	return d, nil
}
