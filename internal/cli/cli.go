// Package cli is the command line: one file for each command. Only here flags,
// the environment and configuration files are read.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

const program = "pipeline-metrics-collector"

// The exit statuses.
const (
	exitFailure = 1
	exitUsage   = 2
)

// An env is what a command may touch of the outside world.
type env struct {
	lookup         func(name string) (value string, ok bool)
	stdout, stderr io.Writer
}

// commands are all there are. A new command is a new file and a line here.
func (e *env) commands() []*cobra.Command {
	return []*cobra.Command{
		e.checkCommand(),
		e.collectCommand(),
		e.demoCommand(),
		e.exportCommand(),
		e.grafanaCommand(),
		e.hooksCommand(),
		e.importCommand(),
		e.markCommand(),
		e.migrateCommand(),
		e.pushCommand(),
		e.recomputeCommand(),
		e.pruneCommand(),
		e.serveCommand(),
		e.tokenCommand(),
		e.healthcheckCommand(),
		e.versionCommand(),
	}
}

// Main runs the command that args name, until ctx is done, and returns the
// exit status: 0, 1 where it failed, 2 where it was called wrongly, or one of the
// command's own.
func Main(ctx context.Context, args []string, lookup func(string) (string, bool), stdout, stderr io.Writer) int {
	e := &env{lookup: lookup, stdout: stdout, stderr: stderr}
	root := e.root()
	root.SetArgs(spread(args))
	ran := false
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error {
		if err := e.settle(root, cmd); err != nil {
			return err
		}
		ran = true
		return nil
	}
	err := root.ExecuteContext(ctx)
	var ended *statusError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &ended):
		fmt.Fprintf(stderr, "%s: %v\n", program, err)
		return ended.status
	case ran && !errors.As(err, new(*usageError)):
		fmt.Fprintf(stderr, "%s: %v\n", program, err)
		return exitFailure
	}
	fmt.Fprintf(stderr, "%s: %v\nSee %s --help.\n", program, err, program)
	return exitUsage
}

// A usageError is a command that was called wrongly, found while it ran.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }

func (e *env) root() *cobra.Command {
	root := &cobra.Command{
		Use:           program,
		Short:         "Collects how long CI/CD pipelines take",
		Long:          "Collects how long CI/CD pipelines take, and keeps it in SQLite or PostgreSQL.\nStart it with \"serve\"; every flag can also be given as an environment variable.",
		Version:       version(),
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetOut(e.stdout)
	root.SetErr(e.stderr)
	root.SetVersionTemplate("{{.Name}} {{.Version}}\n")
	root.AddCommand(e.commands()...)
	nameEnvironment(root)
	return root
}
