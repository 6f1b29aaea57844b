package deploy_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestImageIsBuiltFromEnough copies what the Dockerfile copies, less what the
// builder never sees, and lets Go find every package and embedded file in it.
func TestImageIsBuiltFromEnough(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ignored := readIgnore(t)
	for _, c := range all(readDockerfile(t)[0], "COPY") {
		from := strings.Fields(c)
		for _, name := range from[:len(from)-1] {
			copyTree(t, name, dir, ignored)
		}
	}
	cmd := exec.Command("go", "list", "-deps", "./cmd/pipeline-metrics-collector")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-mod=mod", "GOWORK=off")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, out)
	}
	if !slices.Contains(strings.Split(string(out), "\n"), "time/tzdata") {
		t.Error("the program does not hold the time zones, and the image has none")
	}
}

// readIgnore returns what .dockerignore holds back of a path that it lets in.
func readIgnore(t *testing.T) func(path string) bool {
	t.Helper()
	in := map[string]bool{}
	var out []string
	first := ""
	for line := range strings.Lines(readFile(t, ".dockerignore")) {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || line[0] == '#':
		case first == "":
			first = line
		case line[0] == '!':
			in[line[1:]] = true
		default:
			out = append(out, strings.TrimPrefix(line, "**/"))
		}
	}
	if first != "*" {
		t.Fatalf(".dockerignore begins with %q, want *: what is not listed stays out", first)
	}
	return func(path string) bool {
		top, _, _ := strings.Cut(path, "/")
		if !in[top] {
			return true
		}
		for _, pattern := range out {
			if match, err := filepath.Match(pattern, filepath.Base(path)); err != nil || match {
				return true
			}
		}
		return false
	}
}

func copyTree(t *testing.T, name, to string, ignored func(string) bool) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join(root, name), func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		if ignored(filepath.ToSlash(rel)) {
			if d.IsDir() {
				return filepath.SkipDir
			}
			return nil
		}
		target := filepath.Join(to, rel)
		if d.IsDir() {
			return os.MkdirAll(target, 0o755)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			return err
		}
		return os.WriteFile(target, b, 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
}
