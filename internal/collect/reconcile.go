package collect

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// A Source is a CI system that can be asked what it has.
type Source interface {
	// Provider is the name under which its reports come.
	Provider() string
	// Projects are those that the operator named, by full path.
	Projects(ctx context.Context) ([]string, error)
	// Changed lists the pipelines of a project that were created or have
	// changed since an instant, running ones too.
	Changed(ctx context.Context, project string, since time.Time) iter.Seq2[Listed, error]
	// Read reads all that the CI system has of a listed pipeline, each attempt
	// of its jobs. ErrGone: it is not there any more.
	Read(ctx context.Context, project string, l Listed) ([]ci.Report, error)
	// Deployments lists which jobs deployed to which environment since an
	// instant, where the jobs' own answers do not say it.
	Deployments(ctx context.Context, project string, since time.Time) iter.Seq2[[]ci.Report, error]
	// Count is how many pipelines it has that were created since an instant;
	// nil: it does not say.
	Count(ctx context.Context, project string, since time.Time) (*int64, error)
}

// ErrGone is a pipeline that the CI system listed and does not have any more.
var ErrGone = errors.New("the CI system has it no more")

// gone is ErrGone where an error is about the one pipeline alone.
func gone(err error) error {
	if Missing(err) {
		return fmt.Errorf("%w: %w", ErrGone, err)
	}
	return err
}

// A Listed is a pipeline as a list of a CI system has it.
type Listed struct {
	ID                   int64
	State                ci.State
	CreatedAt, UpdatedAt time.Time
	// Detail is the source's own.
	Detail any
}

// The limits of reconciling.
const (
	DefaultReconcileEvery = 10 * time.Minute   // between two comparisons with a CI system
	DefaultReconcileSince = 7 * 24 * time.Hour // how far back the first one of a project looks
	overlap               = 10 * time.Minute   // of two comparisons: clocks differ, and lists lag behind
	comparedAtOnce        = 100
	maxProjects           = 10_000 // of one CI system
)

// A Reconciler compares what a CI system has with what is here, and brings in
// what webhooks missed: pipelines nobody told of, the end of those that are
// here unfinished, and retried jobs, which GitLab's webhooks leave out.
type Reconciler struct {
	Store  *store.Store
	Source Source
	Every  time.Duration // between two comparisons; 0: DefaultReconcileEvery
	Since  time.Duration // how far back the first one looks; 0: DefaultReconcileSince
	Log    *slog.Logger
	Now    func() time.Time // nil: time.Now
}

// Run compares again and again until ctx is done, on one of all replicas.
func (r *Reconciler) Run(ctx context.Context) {
	r.fill()
	r.Store.Lead(ctx, "reconcile "+r.Source.Provider(), func(ctx context.Context) {
		for ctx.Err() == nil {
			if err := r.Pass(ctx); err != nil && ctx.Err() == nil {
				r.Log.WarnContext(ctx, "reconciling broke off", "provider", r.Source.Provider(), "error", err)
			}
			select {
			case <-time.After(r.Every):
			case <-ctx.Done():
			}
		}
	})
}

func (r *Reconciler) fill() {
	if r.Every <= 0 {
		r.Every = DefaultReconcileEvery
	}
	if r.Since <= 0 {
		r.Since = DefaultReconcileSince
	}
	if r.Now == nil {
		r.Now = time.Now
	}
}

// Pass compares each project once: those that the operator named, or, where
// none was named or they can't be listed, those that are known, by their webhooks
// or an earlier pass. One that fails does not keep the others from their turn.
func (r *Reconciler) Pass(ctx context.Context) error {
	r.fill()
	projects, err := r.projects(ctx)
	failed := []error{err}
	for _, p := range projects {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := r.project(ctx, p); err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", p, err))
		}
	}
	return errors.Join(failed...)
}

// projects lists what to compare, also where it fails in part.
func (r *Reconciler) projects(ctx context.Context) ([]string, error) {
	named, err := r.Source.Projects(ctx)
	if err == nil && len(named) > 0 {
		slices.Sort(named)
		return slices.Compact(named), nil
	}
	if err != nil {
		err = fmt.Errorf("list the projects: %w", err)
	}
	known, unread := r.known(ctx)
	return known, errors.Join(err, unread)
}

// known lists the projects of the CI system of which something is here.
func (r *Reconciler) known(ctx context.Context) (projects []string, err error) {
	for after := ""; len(projects) < maxProjects; {
		page, err := r.Store.Completeness(ctx, r.Source.Provider(), after, store.MaxPage)
		if err != nil {
			return nil, err
		}
		for i := range page {
			projects = append(projects, page[i].Project)
		}
		if len(page) < store.MaxPage {
			break
		}
		after = page[len(page)-1].Project
	}
	return projects, nil
}

// project compares one project and keeps what that found, also where it broke
// off: the next comparison reads none again that this one read.
func (r *Reconciler) project(ctx context.Context, project string) error {
	c, err := r.Store.CompletenessOf(ctx, r.Source.Provider(), project)
	if err != nil {
		return err
	}
	began := r.Now()
	if c.Since.IsZero() {
		c.Since = began.Add(-r.Since)
		c.Until = c.Since
	}
	since := c.Until
	err = r.compare(ctx, &c)
	if err == nil {
		err = r.deployments(ctx, project, since)
	}
	if err == nil {
		c.Until, c.Failure = began.Add(-overlap), ""
		err = r.count(ctx, &c)
	}
	if err != nil {
		c.Failure = err.Error()
	}
	c.Checked = r.Now()
	return errors.Join(err, r.Store.SaveCompleteness(context.WithoutCancel(ctx), &c))
}

// count asks how many pipelines there are altogether.
func (r *Reconciler) count(ctx context.Context, c *store.Completeness) (err error) {
	if c.Exist, err = r.Source.Count(ctx, c.Project, c.Since); err != nil || c.Exist == nil {
		return err
	}
	stored, err := r.Store.CountSince(ctx, c.Provider, c.Project, c.Since)
	c.Stored = &stored
	return err
}

// deployments saves which jobs deployed to which environment. Each is saved
// again where comparisons overlap, which changes nothing.
func (r *Reconciler) deployments(ctx context.Context, project string, since time.Time) error {
	for reports, err := range r.Source.Deployments(ctx, project, since) {
		if err != nil {
			return err
		}
		for i := range reports {
			if err := saveSoon(ctx, r.Store, reports[i]); err != nil {
				return fmt.Errorf("save a deployment of pipeline %d: %w", reports[i].Pipeline.ID, err)
			}
		}
	}
	return nil
}

// compare looks at all that has changed since the last comparison.
func (r *Reconciler) compare(ctx context.Context, c *store.Completeness) error {
	gaps := &gapFinder{}
	defer func() { r.keepGaps(context.WithoutCancel(ctx), c, gaps.all) }()
	var batch []Listed
	for l, err := range r.Source.Changed(ctx, c.Project, c.Until) {
		if err != nil {
			return err
		}
		if batch = append(batch, l); len(batch) == comparedAtOnce {
			if err := r.heal(ctx, c, batch, gaps); err != nil {
				return err
			}
			batch = batch[:0]
		}
	}
	return r.heal(ctx, c, batch, gaps)
}

// heal brings in what is not here of the listed pipelines.
func (r *Reconciler) heal(ctx context.Context, c *store.Completeness, listed []Listed, gaps *gapFinder) error {
	ids := make([]int64, len(listed))
	for i := range listed {
		ids[i] = listed[i].ID
	}
	known, err := r.Store.Known(ctx, c.Project, ids)
	if err != nil {
		return err
	}
	for _, l := range listed {
		before, here := known[l.ID]
		c.Compared++
		if here && !before.ReadAt.Before(l.UpdatedAt.Truncate(time.Millisecond)) && !before.ReadAt.IsZero() {
			gaps.here()
			continue
		}
		if err := r.bring(ctx, c, l, before, here, gaps); err != nil {
			return err
		}
	}
	return nil
}

// bring reads one pipeline, saves it, and counts whether something of it had
// not been here.
func (r *Reconciler) bring(ctx context.Context, c *store.Completeness, l Listed, before store.Known, here bool, gaps *gapFinder) error {
	reports, err := r.Source.Read(ctx, c.Project, l)
	if errors.Is(err, ErrGone) {
		r.Log.WarnContext(ctx, "a pipeline can't be read and is left out", "project", c.Project, "pipeline", l.ID, "error", err)
		return nil
	}
	if err != nil {
		return err
	}
	for i := range reports {
		if err := saveSoon(ctx, r.Store, reports[i]); err != nil {
			return fmt.Errorf("save pipeline %d: %w", reports[i].Pipeline.ID, err)
		}
	}
	if !here {
		// What is older than the first comparison is not missing: it is the past.
		if l.CreatedAt.After(c.Since.Add(r.Since)) {
			c.Missing++
			c.Healed++
			gaps.missing(l.CreatedAt)
		}
		return nil
	}
	gaps.here()
	after, err := r.Store.Known(ctx, c.Project, []int64{l.ID})
	if err != nil {
		return err
	}
	if now := after[l.ID]; now.State != before.State || now.Attempts != before.Attempts {
		c.Stale++
		c.Healed++
	}
	return nil
}

// saveSoon saves a report, and waits where the database is away or busy.
func saveSoon(ctx context.Context, s *store.Store, report ci.Report) error {
	for wait := time.Second; ; wait = min(2*wait, time.Minute) {
		_, err := s.Save(ctx, report)
		if !errors.Is(err, store.ErrAway) && !errors.Is(err, store.ErrBusy) {
			return err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (r *Reconciler) keepGaps(ctx context.Context, c *store.Completeness, gaps []store.Gap) {
	for i := range gaps {
		g := &gaps[i]
		g.Provider, g.Project, g.Found = c.Provider, c.Project, r.Now()
		if err := r.Store.AddGap(ctx, g); err != nil {
			r.Log.WarnContext(ctx, "a gap can't be kept now", "project", c.Project, "error", err)
		}
	}
}

// A gapFinder joins missing pipelines that follow each other in a list.
type gapFinder struct {
	all  []store.Gap
	open bool
}

func (f *gapFinder) here() { f.open = false }

func (f *gapFinder) missing(created time.Time) {
	if !f.open {
		f.all, f.open = append(f.all, store.Gap{From: created, Until: created}), true
	}
	g := &f.all[len(f.all)-1]
	if created.Before(g.From) {
		g.From = created
	}
	if created.After(g.Until) {
		g.Until = created
	}
	g.Missing++
	g.Healed++
}
