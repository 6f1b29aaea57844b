package cli

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/collect"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/provider/rest"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

func (e *env) collectCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "collect",
		Short: "Read the past out of a CI system",
		Args:  cobra.NoArgs,
	}
	cmd.AddCommand(e.collectGitLabCommand(), e.collectGitHubCommand())
	return cmd
}

// collecting is the flags of all commands that read the past.
type collecting struct {
	database
	logging

	since, until, post, state string
}

func (c *collecting) flags(fs *pflag.FlagSet, since string) {
	fs.StringVar(&c.since, "since", "", since)
	fs.StringVar(&c.until, "until", "", "only pipelines that were created before `then`")
	fs.StringVar(&c.post, "post", "", "a server's `URL` to send to, in place of a database")
	fs.StringVar(&c.state, "state", "pipeline-metrics-collect.json", "with --post: the `file` that keeps how far it is")
	c.database.flags(fs)
	c.logging.flags(fs)
}

// A target is where reports go.
type target struct {
	save  func(context.Context, []ci.Report) error
	marks collect.Marks
	// phases are those of a project there, as far as we are told.
	phases func(ctx context.Context, project string) (ci.Phases, error)
}

// to opens the target.
func (c *collecting) to(ctx context.Context, e *env, log *slog.Logger, f func(target) error) error {
	if c.post == "" {
		st, err := store.Open(ctx, c.store(log))
		if err != nil {
			return err
		}
		phases := func(ctx context.Context, project string) (ci.Phases, error) {
			by, err := st.DefinitionsOf(ctx, project)
			return by.Phases, err
		}
		return errors.Join(f(target{collect.SaveIn(st), st, phases}), st.Close())
	}
	token, err := e.secret("PMC_TOKEN")
	if err != nil {
		return err
	}
	r := rest.Config{Base: c.post, Rate: 1000, Concurrency: saversAtServer, Log: log, SecretHeader: "Authorization"}
	if token != "" {
		r.Secret = "Bearer " + token
	}
	server, err := rest.New(r)
	if err != nil {
		return &usageError{errors.New("--post must be like https://metrics.example.com, and the token in PMC_TOKEN")}
	}
	defer server.CloseIdle()
	byDefault := func(context.Context, string) (ci.Phases, error) { return ci.DefaultPhases(), nil }
	return f(target{collect.SaveAt(server), collect.MarksFile{Path: c.state}, byDefault})
}

// A collection is what one command reads.
type collection struct {
	name                  string // under which it is remembered how far it is
	whole                 bool   // lists are read, and it is remembered
	projects, concurrency int
	requests              func() int64
	// items are what to read, and how many pipelines that is; -1: not known.
	items func(*collect.Memory) (iter.Seq2[collect.Item, error], int64, error)
}

func (c *collecting) collectAll(ctx context.Context, e *env, log *slog.Logger, what collection, to target) error {
	began := time.Now()
	since, err := parseSince(c.since, began)
	if err != nil {
		return err
	}
	memory := &collect.Memory{Marks: to.marks, Name: what.name, Since: since, Now: time.Now}
	items, total, err := what.items(memory)
	if err != nil {
		return err
	}
	show := e.collectProgress(log, total)
	b := &collect.Backfill{
		Items: items, Save: to.save, Mark: memory.Mark, Missing: collect.Missing, Concurrency: what.concurrency, Now: time.Now,
		Progress: func(it collect.Item, err error) { show.add(ctx, it.ID, err) },
	}
	tally, err := b.Run(ctx)
	if err == nil && what.whole {
		err = memory.End(ctx)
	}
	show.end()
	fmt.Fprintf(e.stdout, "Saved: %s of %s, with %s in %s.\n", counted(tally.Pipelines, "pipeline"), counted(what.projects, "project"),
		counted(int(what.requests()), "request"), time.Since(began).Round(time.Second))
	switch {
	case errors.Is(err, context.Canceled) && what.whole:
		return errors.New("stopped; what is saved is remembered, and the same command goes on from there")
	case err != nil:
		return err
	case tally.Missed > 0:
		return fmt.Errorf("%d could not be read; the first: %w", tally.Missed, tally.First)
	}
	return nil
}

// counted is a number of things, in words.
func counted(n int, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return strconv.Itoa(n) + " " + thing
}

// parseSince reads an instant, or how long ago it is: 180d, 36h, 2026-01-31, or
// RFC 3339. Empty: none.
func parseSince(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if digits, isDays := strings.CutSuffix(text, "d"); isDays {
		if n, err := strconv.Atoi(digits); err == nil && n >= 0 && n <= 36_500 {
			return now.AddDate(0, 0, -n), nil
		}
	}
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, &usageError{fmt.Errorf("%q is no time: write 180d, 36h, 2026-01-31 or 2026-01-31T10:00:00Z", text)}
}
