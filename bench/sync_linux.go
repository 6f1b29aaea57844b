package main

import (
	"os"
	"syscall"
)

// syncData waits until the disk has the file's bytes.
func syncData(f *os.File) error { return syscall.Fdatasync(int(f.Fd())) }
