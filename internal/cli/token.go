package cli

import (
	"context"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

func (e *env) tokenCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "token",
		Short: "Make, list and revoke tokens",
		Long: `Make, list and revoke the tokens that let clients in. They are kept in the
database, as hashes; a running server takes a change within seconds.

A client sends its token as "Authorization: Bearer TOKEN", or as the password of
HTTP Basic with any user name.`,
		Args: cobra.NoArgs,
	}
	cmd.AddCommand(e.tokenCreateCommand(), e.tokenListCommand(), e.tokenRevokeCommand())
	return cmd
}

func (e *env) tokenCreateCommand() *cobra.Command {
	var d database
	var name, scope string
	cmd := &cobra.Command{
		Use:   "create --name NAME --scope SCOPES",
		Short: "Make a token and print it, this once",
		Long: `Make a token and print it alone on standard output. It can't be shown again.

The scopes are ingest (send reports), read (see them) and admin (everything).`,
		Example: `  pipeline-metrics-collector token create --name gitlab --scope ingest
  pipeline-metrics-collector token create --name grafana --scope read --database postgres://pmc@db/metrics`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			scopes, err := store.ParseScopes(scope)
			if err != nil {
				return &usageError{fmt.Errorf("--scope: %w", err)}
			}
			return d.with(cmd.Context(), func(s *store.Store) error {
				secret, err := s.CreateToken(cmd.Context(), name, scopes)
				if err != nil {
					return err
				}
				_, err = fmt.Fprintln(e.stdout, secret)
				return err
			})
		},
	}
	cmd.Flags().StringVar(&name, "name", "", "a `name` to know it by")
	cmd.Flags().StringVar(&scope, "scope", "", "what it is for: `ingest`, read, admin, or several joined by commas")
	d.flags(cmd.Flags())
	return cmd
}

func (e *env) tokenListCommand() *cobra.Command {
	var d database
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List all tokens, without their secrets",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return d.with(cmd.Context(), func(s *store.Store) error {
				all, err := s.Tokens(cmd.Context())
				if err != nil {
					return err
				}
				return e.printTokens(all)
			})
		},
	}
	d.flags(cmd.Flags())
	return cmd
}

func (e *env) printTokens(all []store.Token) error {
	w := tabwriter.NewWriter(e.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tNAME\tSCOPES\tCREATED\tLAST USED\tREVOKED")
	for _, t := range all {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", t.ID, t.Name, t.Scopes, day(t.Created), day(t.LastUsed), day(t.Revoked))
	}
	return w.Flush()
}

func day(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02 15:04Z")
}

func (e *env) tokenRevokeCommand() *cobra.Command {
	var d database
	cmd := &cobra.Command{
		Use:     "revoke ID|NAME",
		Short:   "End a token",
		Example: "  pipeline-metrics-collector token revoke gitlab",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return d.with(cmd.Context(), func(s *store.Store) error { return s.RevokeToken(cmd.Context(), args[0]) })
		},
	}
	d.flags(cmd.Flags())
	return cmd
}

// with opens the database for a command beside a server that may be running.
func (d *database) with(ctx context.Context, f func(*store.Store) error) error {
	s, err := store.Open(ctx, d.store(nil))
	if err != nil {
		return err
	}
	return errors.Join(f(s), s.Close())
}
