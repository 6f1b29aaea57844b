package deploy_test

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/cli"
)

var setting = regexp.MustCompile(`\bPMC_[A-Z][A-Z_]*[A-Z]\b`)

// A name that is misspelt here would be passed over in silence.
func TestEverySettingIsOneOfTheProgram(t *testing.T) {
	t.Parallel()
	known := cli.EnvNames()
	found := 0
	for _, file := range append(ours(t), "compose.yaml", "docs/deploy.md", "docs/grafana.md") {
		for _, name := range setting.FindAllString(readFile(t, file), -1) {
			found++
			if !slices.Contains(known, name) {
				t.Errorf("%s sets %s, which is no flag of the program", file, name)
			}
		}
	}
	if found < 5 {
		t.Errorf("only %d settings found", found)
	}
}

// ours are the files of this folder, less the tests.
func ours(t *testing.T) []string {
	t.Helper()
	var files []string
	err := fs.WalkDir(os.DirFS("."), ".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && !strings.HasSuffix(path, "_test.go") {
			files = append(files, filepath.Join("deploy", path))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// The commands in these files are commands of the program, with those flags.
func TestEveryCommandIsOneOfTheProgram(t *testing.T) {
	t.Parallel()
	check := readCompose(t).Services["web"].Healthcheck.Test
	for _, args := range [][]string{check[2:], {"healthcheck"}, {"serve"}, {"version"}, {"grafana", "export", "--dir", "x", "--datasource-uid", "x"}} {
		var stderr strings.Builder
		none := func(string) (string, bool) { return "", false }
		if status := cli.Main(t.Context(), append(args, "--help"), none, io.Discard, &stderr); status != 0 {
			t.Errorf("%q: status %d, %s", args, status, stderr.String())
		}
	}
	if check[1] != "pipeline-metrics-collector" {
		t.Errorf("web is checked by %q: there is nothing else in the image", check[1])
	}
}

func TestSystemdUnitRunsTheProgram(t *testing.T) {
	t.Parallel()
	unit := readFile(t, "deploy/systemd/pipeline-metrics-collector.service")
	for _, line := range []string{
		"ExecStart=/usr/local/bin/pipeline-metrics-collector serve",
		"DynamicUser=yes", // no root
		"StateDirectory=pipeline-metrics-collector",            // the default database is in the working directory,
		"WorkingDirectory=/var/lib/pipeline-metrics-collector", // which must be this one
		"ProtectSystem=strict",
	} {
		if !strings.Contains(unit, "\n"+line+"\n") {
			t.Errorf("the unit has no line %s", line)
		}
	}
}
