package cli

import (
	"log/slog"
	"net/url"
	"strings"

	"github.com/spf13/pflag"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

const defaultDatabase = "pipeline-metrics.db"

// database is the flags of every command that opens one.
type database struct {
	name, direct, migrate, timezone, config string
}

func (d *database) flags(fs *pflag.FlagSet) {
	d.where(fs)
	fs.StringVar(&d.migrate, "migrate", "auto", "`auto` brings the schema up to date, check refuses a database that is not")
	d.timezoneFlag(fs)
}

// where is the flags that say which database alone.
func (d *database) where(fs *pflag.FlagSet) {
	fs.StringVar(&d.name, "database", defaultDatabase, "the `database`: a SQLite file, or a postgres:// URL; DATABASE_URL names it as well")
	fs.StringVar(&d.direct, "database-direct", "", "a `URL` of the same PostgreSQL that passes by its connection pooler, for migrations")
	fs.StringVar(&d.config, "config", "", "a YAML `file` of settings: the names of flags, and their values")
}

func (d *database) timezoneFlag(fs *pflag.FlagSet) {
	fs.StringVar(&d.timezone, "legacy-timezone", "", "the time `zone` of created_at in a database of the original that is taken over (default the database server's)")
}

func (d *database) store(log *slog.Logger) store.Config {
	return store.Config{Database: d.name, Direct: d.direct, Migrate: d.migrate, LegacyTimezone: d.timezone, Log: log}
}

// withoutSecrets is the database as it may be shown: of a URL, only scheme,
// user, host and path.
func withoutSecrets(database string) string {
	if !strings.Contains(database, "://") {
		return database
	}
	u, err := url.Parse(database)
	if err != nil {
		scheme, _, _ := strings.Cut(database, "://")
		return scheme + "://..."
	}
	shown := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}
	if user := u.User.Username(); user != "" {
		shown.User = url.User(user)
	}
	return shown.String()
}
