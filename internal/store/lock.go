package store

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// A fileLock keeps a second server off a SQLite file. The system drops it when
// the process ends, however it ends.
type fileLock struct{ file *os.File }

// lockFile takes the lock beside the database file, or says who has it. The
// file is there; by whatever link it is named, the lock is the same.
func lockFile(database string) (*fileLock, error) {
	path, err := filepath.EvalSymlinks(database)
	if err != nil {
		return nil, fmt.Errorf("the database file can't be found: %w", err)
	}
	path += ".lock"
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("the lock file can't be opened: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		holder, _ := os.ReadFile(path) // without it the message names nobody
		_ = f.Close()
		return nil, fmt.Errorf("the database %s is in use by %s: stop it first, or give this one another file", database, strings.TrimSpace(string(holder)))
	}
	// Who holds it is for the message above. On a full disk it must do without.
	if err := f.Truncate(0); err == nil {
		_, _ = fmt.Fprintf(f, "process %d\n", os.Getpid())
	}
	return &fileLock{f}, nil
}

// release drops the lock. The file stays: removing it would race with another
// process that has just opened it.
func (l *fileLock) release() error { return l.file.Close() }
