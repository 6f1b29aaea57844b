package cli

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/transfer"
)

func (e *env) importCommand() *cobra.Command {
	var d database
	cmd := &cobra.Command{
		Use:   "import FILE|-",
		Short: "Read what export wrote, or reports",
		Long: `Read FILE, or standard input: what "export" wrote, or native reports, one a line.
What is here already stays, and is merged with what comes. To import twice is the
same as once. An import of a file that was interrupted goes on where it stopped
(FILE.import remembers where that is).

Beside a server on SQLite it waits for its turn to write; on PostgreSQL the two do
not disturb each other.`,
		Example: `  pipeline-metrics-collector import --database postgres://pmc@db/metrics all.ndjson.gz
  pipeline-metrics-collector export | ssh other pipeline-metrics-collector import -`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return d.with(cmd.Context(), func(s *store.Store) error { return e.importFile(cmd.Context(), s, d.name, args[0]) })
		},
	}
	d.flags(cmd.Flags())
	return cmd
}

func (e *env) importFile(ctx context.Context, s *store.Store, database, name string) error {
	if name == "-" {
		_, err := e.importFrom(ctx, s, os.Stdin, nil)
		return err
	}
	file, err := os.Open(name) //nolint:gosec // the operator names the file
	if err != nil {
		return fmt.Errorf("the file can't be read: %w", err)
	}
	defer func() { _ = file.Close() }() // it was only read
	at, err := openBookmark(name, database, file)
	if err != nil {
		return err
	}
	if at.Lines > 0 {
		fmt.Fprintf(e.stderr, "Going on after line %d.\n", at.Lines)
	}
	whole, err := e.importFrom(ctx, s, file, at)
	if err == nil && whole {
		return at.remove()
	}
	return err
}

// importFrom reads an export, compressed or not. Whole tells that all of it was
// there.
func (e *env) importFrom(ctx context.Context, s *store.Store, in io.Reader, at *bookmark) (whole bool, err error) {
	b := bufio.NewReaderSize(in, 64<<10)
	if magic, err := b.Peek(2); err == nil && bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		z, err := gzip.NewReader(b)
		if err != nil {
			return false, fmt.Errorf("the file can't be read: %w", err)
		}
		b = bufio.NewReader(z)
	}
	m := newMeter(e.stderr, "imported")
	im := &transfer.Importer{
		Store: s, Progress: m.show, Done: func(int64) {},
		Tell: func(format string, args ...any) { fmt.Fprintf(e.stderr, format+"\n", args...) },
	}
	if at != nil {
		im.Skip, im.Done = at.Lines, at.set
	}
	got, err := im.Import(ctx, b)
	m.end()
	fmt.Fprintf(e.stderr, "Imported %d pipelines, %d projects and %d deliveries.\n", got.Pipelines, got.Projects, got.Deliveries)
	switch {
	case ctx.Err() != nil && at != nil:
		return false, errors.New("stopped; what is imported is remembered, and the same command goes on from there")
	case err != nil:
		return false, err
	case got.Refused > 0:
		return false, fmt.Errorf("%d lines were refused; the others are imported", got.Refused)
	case !got.Whole:
		fmt.Fprintln(e.stderr, "It does not end as an export does: it is a list of reports, or not whole.")
	}
	return true, nil
}

// A bookmark remembers beside a file how far it was imported into a database.
type bookmark struct {
	Into  string `json:"into"` // a hash of the database's name and the file's size
	Lines int64  `json:"lines"`

	path string
}

func openBookmark(name, database string, file *os.File) (*bookmark, error) {
	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("the file can't be read: %w", err)
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%d\x00%d", database, info.Size(), info.ModTime().UnixNano()))
	at := &bookmark{Into: hex.EncodeToString(sum[:]), path: name + ".import"}
	text, err := os.ReadFile(at.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("where the import stopped can't be read: %w", err)
	}
	var found bookmark
	if json.Unmarshal(text, &found) == nil && found.Into == at.Into {
		at.Lines = found.Lines
	}
	return at, nil
}

// set remembers a place. Where that fails the next import only repeats more.
func (b *bookmark) set(lines int64) {
	b.Lines = lines
	text, err := json.Marshal(b)
	if err == nil {
		_ = os.WriteFile(b.path, text, 0o600)
	}
}

func (b *bookmark) remove() error {
	if err := os.Remove(b.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the import is done, but %s is still there: %w", b.path, err)
	}
	return nil
}
