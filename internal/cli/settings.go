package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/provider"
)

// Settings come from, in this order: the flag, PMC_<FLAG>, DATABASE_URL for
// the database, the configuration file, the default.

// envName is the environment variable of a flag: PMC_MAX_BODY for max-body.
func envName(flag string) string {
	return "PMC_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// settle gives a value to each flag that was not on the command line.
func (e *env) settle(root, cmd *cobra.Command) error {
	if err := e.fromEnvironment(cmd.Flags()); err != nil {
		return err
	}
	config := cmd.Flags().Lookup("config")
	if config == nil || config.Value.String() == "" {
		return nil
	}
	serve, _, err := root.Find([]string{"serve"})
	if err != nil {
		return fmt.Errorf("find the known settings: %w", err)
	}
	return fromFile(config.Value.String(), cmd.Flags(), serve.Flags())
}

func (e *env) fromEnvironment(flags *pflag.FlagSet) error {
	var err error
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Changed || err != nil || isBuiltIn(f) {
			return
		}
		names := []string{envName(f.Name)}
		if f.Name == "database" {
			names = append(names, "DATABASE_URL")
		}
		for _, name := range names {
			value, _ := e.lookup(name)
			if value == "" { // compose files pass on what is not set as empty
				continue
			}
			if serr := flags.Set(f.Name, value); serr != nil {
				err = fmt.Errorf("the environment variable %s: %w", name, flagReason(serr))
			}
			return
		}
	})
	return err
}

// flagReason takes out of pflag's error the words about a flag, where the
// value came by another way.
func flagReason(err error) error {
	if invalid, ok := err.(*pflag.InvalidValueError); ok { //nolint:errorlint // pflag does not wrap it
		return fmt.Errorf("%q is not valid: %w", invalid.GetValue(), invalid.Unwrap())
	}
	return err
}

func isBuiltIn(f *pflag.Flag) bool { return f.Name == "help" || f.Name == "version" }

// nameEnvironment says in the help of every flag by which variable it can be
// given, too.
func nameEnvironment(cmd *cobra.Command) {
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !isBuiltIn(f) {
			f.Usage += " [" + envName(f.Name) + "]"
		}
	})
	for _, c := range cmd.Commands() {
		nameEnvironment(c)
	}
}

// EnvNames lists every environment variable that the program reads, sorted.
func EnvNames() []string {
	names := []string{"DATABASE_URL", "PMC_TOKEN", "PMC_TOKEN_FILE", oidcSecretVariable, oidcSecretVariable + "_FILE"}
	for _, t := range tokenVariables {
		names = append(names, t.name, t.name+"_FILE")
	}
	for _, p := range provider.WebhookNames() {
		names = append(names, webhookVariable(p), webhookVariable(p)+"_FILE")
	}
	names = append(names, githubToken, githubToken+"_FILE", gitlabToken, gitlabToken+"_FILE", privateToken+"_FILE")
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if !isBuiltIn(f) {
				names = append(names, envName(f.Name))
			}
		})
		for _, c := range cmd.Commands() {
			walk(c)
		}
	}
	walk((&env{}).root())
	slices.Sort(names)
	return slices.Compact(names)
}
