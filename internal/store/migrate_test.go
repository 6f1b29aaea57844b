package store_test

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store/storetest"
)

func migrator(t *testing.T, config store.Config) *store.Migrator {
	t.Helper()
	m, err := store.NewMigrator(config)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// versionOf is the schema's version, by a look that changes nothing.
func versionOf(t *testing.T, database string) int64 {
	t.Helper()
	status, err := migrator(t, store.Config{Database: database}).Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return status.Version
}

func TestMigrateUpAndDown(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, database string) {
		m := migrator(t, store.Config{Database: database})
		plan, err := m.Plan(t.Context(), 0)
		if err != nil || plan.From != 0 || len(plan.Pending) == 0 || plan.Pending[0].Version != 1 || plan.Pending[len(plan.Pending)-1].Version != plan.To {
			t.Fatalf("Plan = %+v, %v, want all versions pending", plan, err)
		}
		if got := versionOf(t, database); got != 0 {
			t.Fatalf("version %d after a plan", got)
		}
		for _, from := range []int64{0, plan.To} { // the second changes nothing
			done, err := m.Up(t.Context(), 0)
			if err != nil || done.From != from || done.To != plan.To {
				t.Fatalf("Up = %+v, %v, want from %d to %d", done, err, from, plan.To)
			}
		}
		s := storetest.Open(t, database)
		save(t, s, posted(1))
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}

		_, err = m.Down(t.Context(), 0, store.DownOptions{})
		var loss *store.LossError
		if !errors.As(err, &loss) || loss.Pipelines != 1 || !strings.Contains(err.Error(), "1 pipelines") {
			t.Fatalf("Down = %v, want the loss of one pipeline", err)
		}
		if got := versionOf(t, database); got != plan.To {
			t.Fatalf("version %d after a refused Down", got)
		}
		if done, err := m.Down(t.Context(), 0, store.DownOptions{Lose: true}); err != nil || done.To != 0 {
			t.Fatalf("Down = %+v, %v", done, err)
		}
		if done, err := m.Down(t.Context(), store.Previous, store.DownOptions{}); err != nil || done.From != 0 || done.To != 0 {
			t.Fatalf("Down of nothing = %+v, %v", done, err)
		}
		if done, err := m.Up(t.Context(), 0); err != nil || done.From != 0 {
			t.Fatalf("Up again = %+v, %v", done, err)
		}
	})
}

func TestMigrateThreeAtOnce(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, database string) {
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				s, err := store.Open(t.Context(), store.Config{Database: database})
				if err == nil {
					err = s.Close()
				}
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	})
}

func TestUnfitSchemaIsRefused(t *testing.T) {
	t.Parallel()
	storetest.Databases(t, func(t *testing.T, database string) {
		open := func(migrate string) error {
			s, err := store.Open(context.Background(), store.Config{Database: database, Migrate: migrate})
			if err == nil {
				err = s.Close()
			}
			return err
		}
		var schema *store.SchemaError
		if err := open("check"); !errors.As(err, &schema) || !strings.Contains(err.Error(), "migrate up") {
			t.Errorf("check of an empty database = %v, want what to do", err)
		}
		if err := open("auto"); err != nil {
			t.Fatal(err)
		}
		if err := open("check"); err != nil {
			t.Errorf("check of the latest schema = %v", err)
		}
		m := migrator(t, store.Config{Database: database})
		for _, version := range []int64{-1, 1000} {
			if _, err := m.Up(t.Context(), version); !errors.As(err, &schema) {
				t.Errorf("Up(%d) = %v, want a schema error", version, err)
			}
		}
		if _, err := m.Down(t.Context(), 1000, store.DownOptions{}); !errors.As(err, &schema) {
			t.Errorf("Down(1000) = %v, want a schema error", err)
		}
		fromTheFuture(t, database)
		for _, migrate := range []string{"auto", "check"} {
			if err := open(migrate); !errors.As(err, &schema) || !strings.Contains(err.Error(), "newer program") {
				t.Errorf("%s with a newer schema = %v, want what to do", migrate, err)
			}
		}
	})
}

// A schema file must not come to be because somebody looked.
func TestLookingMakesNoFile(t *testing.T) {
	t.Parallel()
	database := storetest.SQLite(t)
	if got := versionOf(t, database); got != 0 {
		t.Errorf("version %d of nothing", got)
	}
	if _, err := os.Stat(database); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Stat = %v, want no file", err)
	}
}

// fromTheFuture writes a version that no program knows.
func fromTheFuture(t *testing.T, database string) {
	t.Helper()
	driver := "pgx"
	if !strings.Contains(database, "://") {
		driver = "sqlite"
	}
	db, err := sql.Open(driver, database)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), "INSERT INTO goose_db_version (version_id, is_applied) VALUES (1000, true)"); err != nil {
		t.Fatal(err)
	}
}

func TestCreateMigration(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{"sqlite/00001_init.sql": "", "postgres/00001_init.sql": "", "postgres/00007_more.sql": ""} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := store.CreateMigration(dir, "add_labels")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{filepath.Join(dir, "sqlite", "00008_add_labels.sql"), filepath.Join(dir, "postgres", "00008_add_labels.sql")}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	for _, path := range got {
		text, err := os.ReadFile(path)
		if err != nil || !strings.Contains(string(text), "-- +goose Up\n") || !strings.Contains(string(text), "-- +goose Down\n") {
			t.Errorf("%s = %q, %v", path, text, err)
		}
	}
	for _, name := range []string{"", "Upper", "two words", "../up", "semi;colon"} {
		if _, err := store.CreateMigration(dir, name); err == nil {
			t.Errorf("the name %q is accepted", name)
		}
	}
	if _, err := store.CreateMigration(filepath.Join(dir, "nowhere"), "x"); err == nil || !strings.Contains(err.Error(), "--dir") {
		t.Errorf("without a directory: %v, want what to do", err)
	}
}
