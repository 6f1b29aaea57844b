package push

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// The limits of what waits on disk.
const (
	maxFiles    = 1000
	maxSpool    = 256 << 20          // bytes
	refusedKept = 7 * 24 * time.Hour // a file that the server refused
)

// A spool is a directory of bodies that wait, each in a file of its own. Its
// name is the body's Idempotency-Key; names sort by age.
type spool struct{ dir string }

const (
	bodySuffix    = ".json"
	refusedSuffix = ".refused"
)

// put keeps a body, for good or not at all.
func (s spool) put(body []byte) error {
	dir := s.bodies()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the spool: %w", err)
	}
	if err := s.hasRoom(int64(len(body))); err != nil {
		return err
	}
	name := time.Now().UTC().Format("20060102T150405.000000000") + "-" + rand.Text()[:8]
	f, err := os.CreateTemp(dir, "."+name) // 0600
	if err != nil {
		return fmt.Errorf("write to the spool: %w", err)
	}
	_, err = f.Write(body)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), filepath.Join(dir, name+bodySuffix))
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write to the spool: %w", err), os.Remove(f.Name()))
	}
	return nil
}

func (s spool) bodies() string { return filepath.Join(s.dir, "spool") }

// hasRoom refuses a body where the spool is full: what waits already is older
// and goes first.
func (s spool) hasRoom(size int64) error {
	names, err := s.list()
	if err != nil {
		return err
	}
	for _, name := range names {
		if info, err := os.Stat(filepath.Join(s.bodies(), name)); err == nil {
			size += info.Size()
		}
	}
	if len(names) >= maxFiles || size > maxSpool {
		return fmt.Errorf("the spool %s is full: %d files wait in it for a server", s.bodies(), len(names))
	}
	return nil
}

// list returns the names of what waits, the oldest first, and removes what the
// server refused long ago.
func (s spool) list() ([]string, error) {
	entries, err := os.ReadDir(s.bodies())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the spool: %w", err)
	}
	var names []string
	for _, e := range entries {
		switch name := e.Name(); {
		case strings.HasPrefix(name, "."), strings.HasSuffix(name, refusedSuffix):
			if info, err := e.Info(); err == nil && time.Since(info.ModTime()) > refusedKept {
				_ = os.Remove(filepath.Join(s.bodies(), name)) // the next time, then
			}
		case strings.HasSuffix(name, bodySuffix):
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// read returns a body, or nil where another push has sent it.
func (s spool) read(name string) ([]byte, error) {
	body, err := os.ReadFile(filepath.Join(s.bodies(), name)) //nolint:gosec // a name that list gave
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the spool: %w", err)
	}
	return body, nil
}

// done removes a body that was sent.
func (s spool) done(name string) error {
	if err := os.Remove(filepath.Join(s.bodies(), name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("clear the spool: %w", err)
	}
	return nil
}

// refuse puts a body aside that the server will never take.
func (s spool) refuse(name string) error {
	from := filepath.Join(s.bodies(), name)
	if err := os.Rename(from, from+refusedSuffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("clear the spool: %w", err)
	}
	return nil
}
