// Package main measures the write path: it starts the real program on real
// databases, posts reports to it, and prints what came of it as ratios to
// baselines measured in the same run. It is no part of the product and must
// not be imported by it.
//
// docs/performance.md says what each row means.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

const usageText = `usage: bench [flags]             measure, and print tables in Markdown
       bench read [flags]         ask every question on a database of a year
       bench load [flags] URL...  post reports to servers that run already
       bench profile [flags]      profile the collector under load

The baselines, started by the bench itself:
       bench serve-nothing --listen ADDRESS
       bench serve-rows    --listen ADDRESS --database URL
       bench insert        --engine ENGINE --database DATABASE --batch N --length D
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := dispatch(ctx, os.Args[1:])
	stop()
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func dispatch(ctx context.Context, args []string) error {
	commands := map[string]func(context.Context, []string) error{
		"load": loadCommand, "profile": profileCommand, "insert": insertCommand, "read": readCommand,
		"serve-nothing": serveCommand, "serve-rows": serveCommand,
	}
	if len(args) > 0 {
		if command, ok := commands[args[0]]; ok {
			return command(ctx, args)
		}
	}
	return measureCommand(ctx, args)
}

// Options say what to measure and how long.
type options struct {
	rounds    int
	length    time.Duration // of one measurement
	warmUp    time.Duration // before each, not counted
	rate      float64       // reports a second of the open loop
	pipelines int64         // in the database that a server is started on
	original  string        // URL of a running original
	only      []string      // patterns of claims
}

func parseOptions(args []string) (options, error) {
	o := options{}
	fs := newFlags("bench")
	quick := fs.Bool("quick", false, "one round of 1 s, 2,000 pipelines: to see that it works, not to quote")
	full := fs.Bool("full", false, "1,000,000 pipelines for the start on an existing database")
	fs.IntVar(&o.rounds, "rounds", 3, "rounds; the table has their medians")
	fs.DurationVar(&o.length, "length", 3*time.Second, "length of one measurement")
	fs.DurationVar(&o.warmUp, "warm-up", 500*time.Millisecond, "load before each measurement that is not counted")
	fs.Float64Var(&o.rate, "rate", 500, "reports a second of the open loop")
	fs.Int64Var(&o.pipelines, "pipelines", 50_000, "pipelines in the database that a server is started on")
	fs.StringVar(&o.original, "original", "", "`URL` of a running original (on a database that may be thrown away) to compare with")
	only := fs.String("only", "", "rows to measure, by name with * and ?, separated by commas; \"list\" lists them. Default: all but sweep-*")
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	if fs.NArg() > 0 {
		return o, fmt.Errorf("what is %q? See bench --help", fs.Arg(0))
	}
	if *quick {
		o.rounds, o.length, o.pipelines = 1, time.Second, 2000
	}
	if *full {
		o.pipelines = 1_000_000
	}
	if *only != "" {
		o.only = strings.Split(*only, ",")
	}
	return o, nil
}

func newFlags(name string) *flag.FlagSet {
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	fs.Usage = func() {
		fmt.Fprint(fs.Output(), usageText+"\nFlags:\n")
		fs.PrintDefaults()
	}
	return fs
}

func measureCommand(ctx context.Context, args []string) (err error) {
	o, err := parseOptions(args)
	if err != nil {
		return err
	}
	all := append(claims(o), sweep()...)
	if len(o.only) == 1 && o.only[0] == "list" {
		return list(all)
	}
	if all, err = pick(all, o.only); err != nil {
		return err
	}
	l, err := newLab(ctx, o, os.Stderr)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	found, err := l.measure(ctx, all)
	if err != nil {
		return err
	}
	return found.write(os.Stdout)
}

func list(all []claim) error {
	for _, c := range all {
		if _, err := fmt.Printf("%-28s %s\n", c.id, c.what); err != nil {
			return err
		}
	}
	return nil
}

func serveCommand(ctx context.Context, args []string) error {
	fs := newFlags(args[0])
	listen := fs.String("listen", "127.0.0.1:5000", "address")
	url := fs.String("database", "", "URL of an empty PostgreSQL database")
	if err := fs.Parse(args[1:]); err != nil {
		return err
	}
	if args[0] == "serve-rows" {
		return serveRows(ctx, *listen, *url)
	}
	return serveNothing(ctx, *listen)
}

func insertCommand(ctx context.Context, args []string) error {
	fs := newFlags(args[0])
	kind := fs.String("engine", string(sqlite), "SQLite or PostgreSQL")
	url := fs.String("database", "", "an empty database: a path or a URL")
	batch := fs.Int("batch", 100, "reports a transaction")
	length := fs.Duration("length", 3*time.Second, "how long")
	if err := fs.Parse(args[1:]); err != nil {
		return err
	}
	done, err := insertRaw(ctx, database{engine: engine(*kind), url: *url}, *batch, *length)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(done)
}

func loadCommand(ctx context.Context, args []string) error {
	p := plan{}
	fs := newFlags(args[0])
	fs.IntVar(&p.Clients, "clients", 64, "connections")
	fs.Float64Var(&p.Rate, "rate", 0, "reports a second (open loop); 0: as fast as they are answered (closed loop)")
	fs.IntVar(&p.Projects, "projects", defaultProjects, "projects that the reports are of")
	fs.Int64Var(&p.First, "first", firstNumber, "number of the first pipeline")
	fs.Float64Var(&p.Repeat, "repeat", 0, "share of posts that repeat one just sent, 0 to 1")
	fs.Int64Var(&p.Only, "only", 0, "repeat the first so many reports for ever; 0: no")
	fs.BoolVar(&p.Webhooks, "webhooks", false, "deliver them as webhooks of GitLab")
	length := fs.Duration("length", 10*time.Second, "how long")
	if err := fs.Parse(args[1:]); err != nil {
		return err
	}
	if p.URLs = fs.Args(); len(p.URLs) == 0 {
		return errors.New("give the URL of a server, such as http://127.0.0.1:5000")
	}
	g := newGenerator(p)
	defer g.close()
	r := g.run(ctx, *length)
	_, err := fmt.Printf("%s reports/s accepted; p50 %s, p95 %s, p99 %s, max %s; answers %v\n", thousands(r.perSecond()),
		milliseconds(r.Accepted.P50), milliseconds(r.Accepted.P95), milliseconds(r.Accepted.P99), milliseconds(r.Accepted.Max), r.Answers)
	return err
}
