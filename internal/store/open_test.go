package store_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// Whoever names a file that is no database is told which file it was, at once
// even if asked to wait, and finds it as it was.
func TestOpenNamesTheFile(t *testing.T) {
	t.Parallel()
	path, text := filepath.Join(t.TempDir(), "notes.txt"), strings.Repeat("no database\n", 1000)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(context.Background(), store.Config{Database: path, Wait: true})
	if err == nil {
		s.Close()
		t.Fatal("a text file was opened as a database")
	}
	for _, want := range []string{path, "not a database"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q, want it to say %q", err, want)
		}
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != text {
		t.Errorf("the file has changed (%v)", err)
	}
}
