package browser_test

import (
	"os/exec"
	"path/filepath"
	"testing"
)

// The script of the pages is checked by TypeScript: the file that is checked is
// the file that is served.
func TestScriptsHaveTypes(t *testing.T) {
	t.Parallel()
	devtools := filepath.Join("..", "..", "web", "devtools")
	compiler, err := filepath.Abs(filepath.Join(devtools, "node_modules", ".bin", "tsc"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := exec.LookPath(compiler); err != nil {
		t.Skip("TypeScript is not there: scripts/test-needs packages installs it")
	}
	if out, err := exec.CommandContext(t.Context(), compiler, "-p", filepath.Join(devtools, "tsconfig.json")).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
