package cli

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// migrating is the flags of the commands that change a schema.
type migrating struct {
	database
	dryRun, yes, recreate bool
}

func (e *env) migrateCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "migrate",
		Short: "Bring the database's schema up or down, or look at it",
		Long: `Bring the database's schema up or down, or look at it. "serve" brings it up by
itself, unless it is called with --migrate check.`,
		Args: cobra.NoArgs,
	}
	cmd.AddCommand(e.migrateUpCommand(), e.migrateDownCommand(), e.migrateStatusCommand(), e.migrateCreateCommand(), e.migrateShardCommand())
	return cmd
}

func (e *env) migrateUpCommand() *cobra.Command {
	var m migrating
	cmd := &cobra.Command{
		Use:   "up [VERSION]",
		Short: "Bring the schema up, to the latest version or to VERSION",
		Long: `Bring the schema up, to the latest version or to VERSION. Several may be started
at once: one works, the others wait.

A database of the original, the Flask service, is taken over in place: its rows
are moved, its four tables are kept with legacy_ before their names, and views
take their places. Stop the original first. "migrate down 0" is the way back.`,
		Example: `  pipeline-metrics-collector migrate up --dry-run
  pipeline-metrics-collector migrate up --database postgres://pmc@db/metrics

  # A database of the original that wrote its times in the zone of Berlin
  pipeline-metrics-collector migrate up --legacy-timezone Europe/Berlin --dry-run`,
		Args: versionArgument,
		RunE: func(cmd *cobra.Command, args []string) error { return m.up(cmd.Context(), e, versionOf(args, 0)) },
	}
	m.where(cmd.Flags())
	m.timezoneFlag(cmd.Flags())
	m.recreateFlag(cmd.Flags())
	cmd.Flags().BoolVar(&m.dryRun, "dry-run", false, "say what would be done, and do nothing")
	return cmd
}

func (e *env) migrateDownCommand() *cobra.Command {
	var m migrating
	cmd := &cobra.Command{
		Use:   "down [VERSION]",
		Short: "Bring the schema down, by one version or to VERSION",
		Long: `Bring the schema down, by one version or to VERSION. Stop all servers of the
database first. Version 0 removes everything, but for a database that was taken
over from the original: that gets its old tables back, with the pipelines that
came after, as far as they fit.`,
		Args: versionArgument,
		RunE: func(cmd *cobra.Command, args []string) error {
			return m.down(cmd.Context(), e, versionOf(args, store.Previous))
		},
	}
	m.where(cmd.Flags())
	m.recreateFlag(cmd.Flags())
	cmd.Flags().BoolVar(&m.yes, "yes", false, "agree that what the database holds is lost, or what the original's tables can't hold")
	return cmd
}

func (e *env) migrateStatusCommand() *cobra.Command {
	var m migrating
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show the version of the schema",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return m.status(cmd.Context(), e) },
	}
	m.where(cmd.Flags())
	return cmd
}

func (e *env) migrateCreateCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "create NAME",
		Short: "Write the files of a new migration into the source",
		Long: `Write the files of a new migration, one for each engine, into the source. NAME is
lower case letters, digits and underscores.`,
		Example: `  pipeline-metrics-collector migrate create add_runner_labels`,
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			files, err := store.CreateMigration(dir, args[0])
			for _, f := range files {
				fmt.Fprintln(e.stdout, f)
			}
			if err != nil {
				return err
			}
			fmt.Fprintln(e.stdout, "Write the SQL into both, then rebuild to apply.")
			return nil
		},
	}
	cmd.Flags().StringVar(&dir, "dir", filepath.Join("internal", "store", "migrations"), "the `directory` of the migrations in the source")
	return cmd
}

func (m *migrating) recreateFlag(fs *pflag.FlagSet) {
	fs.BoolVar(&m.recreate, "recreate-dependents", false, "drop the views of others over the original's tables, and define them again over what takes the place")
}

// versionArgument takes at most one argument, a number.
func versionArgument(cmd *cobra.Command, args []string) error {
	if err := cobra.MaximumNArgs(1)(cmd, args); err != nil {
		return err
	}
	if len(args) == 1 {
		if n, err := strconv.ParseInt(args[0], 10, 64); err != nil || n < 0 {
			return fmt.Errorf("VERSION must be a whole number, not %q", args[0])
		}
	}
	return nil
}

// versionOf is the version that versionArgument has seen.
func versionOf(args []string, otherwise int64) int64 {
	if len(args) == 0 {
		return otherwise
	}
	n, err := strconv.ParseInt(args[0], 10, 64)
	if err != nil {
		return otherwise
	}
	return n
}

func (m *migrating) migrator(e *env, exclusive bool) (*store.Migrator, error) {
	c := m.store(nil)
	c.Exclusive, c.RecreateDependents, c.Progress = exclusive, m.recreate, e.progress()
	return store.NewMigrator(c)
}

func (m *migrating) up(ctx context.Context, e *env, version int64) error {
	migrator, err := m.migrator(e, !m.dryRun)
	if err != nil {
		return err
	}
	if m.dryRun {
		return m.plan(ctx, e, migrator, version)
	}
	done, err := migrator.Up(ctx, version)
	if err != nil {
		return err
	}
	e.printMigrated(done)
	return nil
}

func (m *migrating) plan(ctx context.Context, e *env, migrator *store.Migrator, version int64) error {
	plan, err := migrator.Plan(ctx, version)
	if err != nil {
		return err
	}
	if plan.Adoption != nil {
		e.printAdoption("Would take over", plan.Adoption)
	}
	if len(plan.Pending) == 0 {
		fmt.Fprintf(e.stdout, "The schema is at version %d: nothing to do.\n", plan.From)
		return nil
	}
	fmt.Fprintf(e.stdout, "Would bring the schema from version %d to %d:\n", plan.From, plan.To)
	for _, f := range plan.Pending {
		fmt.Fprintf(e.stdout, "  %s\n", f.Name)
	}
	fmt.Fprintln(e.stdout, "Nothing was changed.")
	return nil
}

func (m *migrating) down(ctx context.Context, e *env, version int64) error {
	migrator, err := m.migrator(e, true)
	if err != nil {
		return err
	}
	done, err := migrator.Down(ctx, version, store.DownOptions{Lose: m.yes})
	if err != nil {
		return err
	}
	e.printMigrated(done)
	return nil
}

func (e *env) printMigrated(done *store.Migrated) {
	if done.Adopted != nil {
		e.printAdoption("Took over", done.Adopted)
	}
	if done.Returned != nil {
		fmt.Fprintf(e.stdout, "The original has its tables back. Of the pipelines that came after, %d were written into them and %d were lost.\n", done.Returned.Written, done.Returned.Lost)
	}
	if done.From == done.To {
		fmt.Fprintf(e.stdout, "The schema is at version %d: nothing to do.\n", done.To)
		return
	}
	fmt.Fprintf(e.stdout, "The schema is at version %d now; it was at %d.\n", done.To, done.From)
}

func (m *migrating) status(ctx context.Context, e *env) error {
	migrator, err := m.migrator(e, false)
	if err != nil {
		return err
	}
	status, err := migrator.Status(ctx)
	if err != nil {
		return err
	}
	if status.Original {
		fmt.Fprintf(e.stdout, "%s is a database of the original, not taken over yet: `migrate up --dry-run` says what that would do.\n", withoutSecrets(m.name))
	}
	fmt.Fprintf(e.stdout, "%s has schema version %d; this program knows up to %d.\n", withoutSecrets(m.name), status.Version, status.Versions[len(status.Versions)-1].Version)
	for _, v := range status.Versions {
		state := "pending"
		if v.Version <= status.Version {
			state = "applied"
		}
		fmt.Fprintf(e.stdout, "  %s  %s\n", state, v.Name)
	}
	return nil
}
