package cli

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/transfer"
)

func (e *env) exportCommand() *cobra.Command {
	var d database
	var csv string
	cmd := &cobra.Command{
		Use:   "export [FILE|-]",
		Short: "Write all that is known to a file",
		Long: `Write all that is known to FILE, or to standard output: projects, pipelines, and
webhooks that were not read yet, one a line in JSON. "import" reads it into another
database, of either engine. A file whose name ends in .gz is compressed. Tokens are
not in it.

It may run beside a server; what comes meanwhile is in it or not.`,
		Example: `  # From SQLite to PostgreSQL, in two commands
  pipeline-metrics-collector export --database pipeline-metrics.db all.ndjson.gz
  pipeline-metrics-collector import --database postgres://pmc@db/metrics all.ndjson.gz

  pipeline-metrics-collector export --csv ci_pipelines pipelines.csv`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			name := "-"
			if len(args) > 0 {
				name = args[0]
			}
			return d.with(cmd.Context(), func(s *store.Store) error {
				if csv != "" {
					return toFile(e, name, func(w io.Writer) error { return e.exportCSV(cmd.Context(), s, csv, w) })
				}
				return toFile(e, name, func(w io.Writer) error { return e.export(cmd.Context(), s, w) })
			})
		},
	}
	cmd.Flags().StringVar(&csv, "csv", "", "write the rows of a `view` as CSV instead, such as ci_pipelines (docs/sql.md)")
	d.flags(cmd.Flags())
	return cmd
}

func (e *env) export(ctx context.Context, s *store.Store, w io.Writer) error {
	m := newMeter(e.stderr, "exported")
	got, err := transfer.Export(ctx, s, w, time.Now(), m.show)
	m.end()
	if err != nil {
		return err
	}
	fmt.Fprintf(e.stderr, "Exported: %d pipelines of %d projects; deliveries that were not read yet: %d.\n", got.Pipelines, got.Projects, got.Deliveries)
	return nil
}

func (e *env) exportCSV(ctx context.Context, s *store.Store, view string, w io.Writer) error {
	err := transfer.CSV(ctx, s, view, w)
	if errors.Is(err, store.ErrUnknown) {
		return &usageError{fmt.Errorf("--csv must be one of the views of docs/sql.md, such as ci_pipelines, not %q", view)}
	}
	return err
}

// toFile has f write to a file that is there whole or not at all, or to
// standard output.
func toFile(e *env, name string, f func(io.Writer) error) (err error) {
	if name == "-" {
		b := bufio.NewWriter(e.stdout)
		return errors.Join(f(b), b.Flush())
	}
	part := name + ".part"
	file, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600) //nolint:gosec // the operator names the file
	if err != nil {
		return fmt.Errorf("the file can't be written: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(part))
		}
	}()
	if strings.HasSuffix(name, ".gz") {
		z := gzip.NewWriter(file)
		err = errors.Join(f(z), z.Close())
	} else {
		err = f(file)
	}
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	if err := os.Rename(part, name); err != nil {
		return fmt.Errorf("the file can't be written: %w", err)
	}
	return nil
}

// A meter shows on a terminal how far something is, once a second.
type meter struct {
	out         io.Writer // nil: nobody looks
	verb        string
	began, last time.Time
	shown       bool
	first       int64 // done when it began
}

func newMeter(w io.Writer, verb string) *meter {
	m := &meter{verb: verb, began: time.Now(), first: -1}
	if isTerminal(w) {
		m.out = w
	}
	return m
}

func (m *meter) show(done, total int64) {
	if m.first < 0 {
		m.first, m.began = done, time.Now()
	}
	if m.out == nil || time.Since(m.last) < time.Second {
		return
	}
	m.last, m.shown = time.Now(), true
	rate := float64(done-m.first) / max(time.Since(m.began).Seconds(), 1)
	fmt.Fprintf(m.out, "\r\x1b[K%s %d of %d pipelines, %.0f a second", m.verb, done, max(done, total), rate)
	if rate > 0 && total > done {
		fmt.Fprintf(m.out, ", about %s left", time.Duration(float64(total-done)/rate*float64(time.Second)).Round(time.Second))
	}
}

func (m *meter) end() {
	if m.shown {
		fmt.Fprint(m.out, "\r\x1b[K")
	}
}
