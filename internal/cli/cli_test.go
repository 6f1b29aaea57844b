package cli_test

import (
	"bytes"
	"context"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/cli"
)

func none(string) (string, bool) { return "", false }

func TestExitStatus(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]int{
		"":                                 0,
		"--help":                           0,
		"help serve":                       0,
		"version":                          0,
		"serve --listen nowhere.invalid:1": 1,
		"serve --database mysql://a --listen 127.0.0.1:0": 1,
		"healthcheck --listen 127.0.0.1:1":                1,
		"healthcheck --listen nonsense":                   2,
		"nonsense":                                        2,
		"serve nonsense":                                  2,
		"serve --nonsense":                                2,
		"serve --max-concurrent none":                     2,
		"serve --log-level none":                          2,
		"serve --config missing.yaml":                     2,
		"token create --name a --scope none":              2,
	} {
		var stderr bytes.Buffer
		got := cli.Main(t.Context(), strings.Fields(args), none, io.Discard, &stderr)
		if got != want {
			t.Errorf("%q ends with %d, want %d:\n%s", args, got, want, stderr.String())
		}
		if (stderr.Len() > 0) != (want > 0) {
			t.Errorf("%q says %q", args, stderr.String())
		}
	}
}

// docs/configuration.md has every variable; its table has every flag of serve,
// with its default.
func TestEverySettingIsDocumented(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	var help bytes.Buffer
	cli.Main(t.Context(), []string{"serve", "--help"}, none, &help, io.Discard)
	rows := 0
	_, list, _ := strings.Cut(help.String(), "\nFlags:\n")
	for line := range strings.Lines(list) {
		flag, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		if !strings.HasPrefix(flag, "--") {
			continue
		}
		rows++
		row := "| `" + flag + "` | `PMC_" + strings.ToUpper(strings.ReplaceAll(flag[2:], "-", "_")) + "`"
		at := strings.Index(string(text), "\n"+row)
		if at < 0 {
			t.Errorf("there is no row %s", row)
			continue
		}
		documented, _, _ := strings.Cut(string(text)[at+1:], "\n")
		if _, value, ok := strings.Cut(rest, "] (default "); ok {
			value = strings.Trim(value, `")[]`) // a list stands in brackets
			if !strings.Contains(documented, "| `"+value+"` |") {
				t.Errorf("the default %s is not in %s", value, documented)
			}
		}
	}
	if rows < 16 {
		t.Errorf("only %d flags were found in:\n%s", rows, help.String())
	}
	for _, name := range cli.EnvNames() {
		if strings.HasSuffix(name, "_TOKEN") && !strings.Contains(string(text), name+"_FILE`") {
			t.Errorf("%s_FILE is not documented", name)
		}
	}
}

func TestEnvNames(t *testing.T) {
	t.Parallel()
	names := cli.EnvNames()
	for _, want := range []string{"DATABASE_URL", "PMC_ALLOW_ANONYMOUS", "PMC_DATABASE", "PMC_INGEST_TOKEN", "PMC_ADMIN_TOKEN_FILE", "PMC_LISTEN", "PMC_TLS_KEY"} {
		if !slices.Contains(names, want) {
			t.Errorf("%s is missing", want)
		}
	}
	for _, not := range []string{"PMC_HELP", "PMC_VERSION"} {
		if slices.Contains(names, not) {
			t.Errorf("%s is there", not)
		}
	}
	if !slices.IsSorted(names) {
		t.Errorf("not sorted: %q", names)
	}
}

// Any flag can come by environment.
func TestEnvironment(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var stderr bytes.Buffer
	lookup := func(name string) (string, bool) {
		v, ok := map[string]string{
			"PMC_LISTEN": "127.0.0.1:0", "DATABASE_URL": "postgres://pmc:secret@127.0.0.1:1/x?password=secret", "PMC_LOG_FORMAT": "text", "PMC_LOG_LEVEL": "debug",
		}[name]
		return v, ok
	}
	if status := cli.Main(ctx, []string{"serve"}, lookup, io.Discard, &stderr); status != 0 {
		t.Errorf("ended with %d", status)
	}
	if got := stderr.String(); !strings.Contains(got, "keeps in    postgres://pmc@127.0.0.1:1/x\n") || strings.Contains(got, "secret") {
		t.Errorf("got %s", got)
	}
}
