package store

import (
	"fmt"
	"os"
	"strings"
	"syscall"
)

// A fileLock keeps a second server off a SQLite file. The system drops it when
// the process ends, however it ends.
type fileLock struct{ file *os.File }

// lockFile takes the lock beside the database file, or says who has it.
func lockFile(database string) (*fileLock, error) {
	path := database + ".lock"
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) //nolint:gosec // beside the file that the operator names
	if err != nil {
		return nil, fmt.Errorf("the lock file can't be opened: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		holder, _ := os.ReadFile(path) //nolint:gosec // as above; without it the message names nobody
		_ = f.Close()
		return nil, fmt.Errorf("the database %s is in use by %s: stop it first, or give this one another file", database, strings.TrimSpace(string(holder)))
	}
	if err := f.Truncate(0); err == nil {
		_, err = fmt.Fprintf(f, "process %d\n", os.Getpid())
	}
	if err != nil {
		return nil, fmt.Errorf("the lock file can't be written: %w", err)
	}
	return &fileLock{f}, nil
}

// release drops the lock. The file stays: removing it would race with another
// process that has just opened it.
func (l *fileLock) release() error { return l.file.Close() }
