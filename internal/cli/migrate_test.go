package cli_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/cli"
)

// run calls the program as from a shell and returns what it printed.
func run(t *testing.T, wantStatus int, args ...string) (stdout, stderr string) {
	t.Helper()
	var out, errs strings.Builder
	nothing := func(string) (string, bool) { return "", false }
	if status := cli.Main(t.Context(), args, nothing, &out, &errs); status != wantStatus {
		t.Fatalf("%v: status %d, want %d; it said %s%s", args, status, wantStatus, out.String(), errs.String())
	}
	return out.String(), errs.String()
}

func holds(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%q is not in:\n%s", part, text)
		}
	}
}

func TestMigrateCommands(t *testing.T) {
	t.Parallel()
	database := "--database=" + filepath.Join(t.TempDir(), "x.db")

	out, _ := run(t, 0, "migrate", "status", database)
	holds(t, out, "version 0", "pending  00001_init.sql", "pending  00003_parent.sql", "pending  00010_inbox.sql")
	out, _ = run(t, 0, "migrate", "up", "--dry-run", "1", database)
	holds(t, out, "from version 0 to 1", "Nothing was changed.")
	out, _ = run(t, 0, "migrate", "up", "1", database)
	holds(t, out, "version 1 now; it was at 0")
	out, _ = run(t, 0, "migrate", "up", database)
	holds(t, out, "it was at 1")
	out, _ = run(t, 0, "migrate", "up", database)
	holds(t, out, "nothing to do")
	out, _ = run(t, 0, "migrate", "status", database)
	holds(t, out, "applied  00001_init.sql")
	out, _ = run(t, 0, "migrate", "down", "1", database)
	holds(t, out, "version 1 now")
	_, said := run(t, 1, "migrate", "down", database)
	holds(t, said, "0 pipelines", "--yes")
	out, _ = run(t, 0, "migrate", "down", "--yes", database)
	holds(t, out, "version 0 now; it was at 1")

	_, said = run(t, 2, "migrate", "up", "next", database)
	holds(t, said, "VERSION must be a whole number")
	_, said = run(t, 1, "migrate", "up", "1000", database)
	holds(t, said, "no schema version 1000")
	_, said = run(t, 1, "migrate", "create", "add_labels", "--dir", t.TempDir())
	holds(t, said, "--dir")
}
