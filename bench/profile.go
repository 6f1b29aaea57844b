package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strconv"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/cli"
)

// profileCommand runs the collector in this process and the load in another,
// and writes what the collector spent its time and memory on: the collector
// itself offers no profile, so that nobody can ask a server for one.
func profileCommand(ctx context.Context, args []string) (err error) {
	fs := newFlags(args[0])
	kind := fs.String("engine", string(sqlite), "SQLite or PostgreSQL")
	clients := fs.Int("clients", 64, "connections")
	webhooks := fs.Bool("webhooks", false, "deliver webhooks of GitLab")
	length := fs.Duration("length", 5*time.Second, "how long, after a second of warm-up")
	out := fs.String("out", ".", "`directory` for cpu.pprof and allocs.pprof")
	if err := fs.Parse(args[1:]); err != nil {
		return err
	}
	l, err := newLab(ctx, options{}, os.Stderr)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	if engine(*kind) == postgres && l.cluster == nil {
		return errors.New(l.reachable)
	}
	d, err := l.fresh(ctx, engine(*kind))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.drop()) }()
	url, stop, err := l.serveHere(ctx, d)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()

	load := func(first int64, length time.Duration) error {
		cmd := exec.CommandContext(ctx, l.self, "load", "--clients", strconv.Itoa(*clients),
			"--webhooks="+strconv.FormatBool(*webhooks), "--first", strconv.FormatInt(first, 10), "--length", length.String(), url)
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		return cmd.Run()
	}
	if err := load(firstNumber, time.Second); err != nil {
		return err
	}
	return record(*out, func() error { return load(2*firstNumber, *length) })
}

// serveHere runs the command "serve" in this process.
func (l *lab) serveHere(ctx context.Context, d database) (url string, stop func() error, err error) {
	address, err := freeAddress(ctx)
	if err != nil {
		return "", nil, err
	}
	log, err := os.Create(filepath.Join(l.dir, "server.log"))
	if err != nil {
		return "", nil, err
	}
	running, cancel := context.WithCancel(ctx)
	ended := make(chan int, 1)
	go func() {
		ended <- cli.Main(running, []string{"serve", "--listen", address, "--database", d.url}, os.LookupEnv, log, log)
	}()
	stop = func() error {
		cancel()
		if status := <-ended; status != 0 {
			return errors.Join(fmt.Errorf("the collector ended with status %d", status), (&server{log: log.Name()}).output())
		}
		return log.Close()
	}
	for began := time.Now(); !answers(ctx, "http://"+address+"/readyz"); time.Sleep(5 * time.Millisecond) {
		if time.Since(began) > startTimeout {
			return "", nil, errors.Join(errors.New("the collector was not ready in time"), stop())
		}
	}
	return "http://" + address, stop, nil
}

// record writes cpu.pprof and allocs.pprof of what happens in f, and prints
// what the garbage collector did.
func record(dir string, f func() error) (err error) {
	cpu, err := os.Create(filepath.Join(dir, "cpu.pprof"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cpu.Close()) }()
	allocs, err := os.Create(filepath.Join(dir, "allocs.pprof"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, allocs.Close()) }()
	if err := pprof.StartCPUProfile(cpu); err != nil {
		return err
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	err = f()
	runtime.ReadMemStats(&after)
	pprof.StopCPUProfile()
	_, _ = fmt.Printf("allocated %s MB in %s pieces, %d collections\n", thousands(float64(after.TotalAlloc-before.TotalAlloc)/(1<<20)),
		thousands(float64(after.Mallocs-before.Mallocs)), after.NumGC-before.NumGC)
	return errors.Join(err, pprof.Lookup("allocs").WriteTo(allocs, 0))
}
