package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
)

// Completeness is what a CI system has of a project and what is here. Times are
// zero where nothing is known.
type Completeness struct {
	Provider, Project string // as reports name them
	// Since and Until bound what has been compared with the CI system: all that
	// changed between them.
	Since, Until time.Time
	Checked      time.Time // when the last comparison ended
	// Exist is how many pipelines the CI system has that were created since
	// Since, and Stored how many of those were here then; nil: it does not say.
	Exist, Stored *int64
	// Of all pipelines Compared so far, Missing were not here, and Stale were
	// here in part; Healed counts those of both that are whole now.
	Compared, Missing, Stale, Healed int64
	LastEvent                        time.Time // when its last webhook came, right to about a minute
	Failure                          string    // why the last comparison broke off
}

// A Gap is a window in which pipelines were created that nobody had told of.
type Gap struct {
	Provider, Project string
	From, Until       time.Time // the creation of the first and of the last
	Missing, Healed   int64
	Found             time.Time
}

const completenessColumns = `provider, project, since_ms, until_ms, checked_ms, exist, stored, compared, missing, stale, healed, last_event_ms, failure`

// Completeness lists what is known of every project, in order of provider and
// project, from the one after the named on. A provider of "" is all of them.
func (s *Store) Completeness(ctx context.Context, provider, after string, limit int) (all []Completeness, err error) {
	const query = `SELECT ` + completenessColumns + ` FROM completeness
		WHERE (CAST($1 AS TEXT) = '' OR provider = $1) AND project > $2 ORDER BY project, provider LIMIT $3`
	err = s.read(ctx, query, func(rows *sql.Rows) error {
		c, err := scanCompleteness(rows)
		all = append(all, c)
		return err
	}, provider, after, min(limit, MaxPage))
	return all, err
}

// CompletenessOf is what is known of one project of a CI system, or nothing but
// its names.
func (s *Store) CompletenessOf(ctx context.Context, provider, project string) (c Completeness, err error) {
	c = Completeness{Provider: provider, Project: project}
	err = s.read(ctx, `SELECT `+completenessColumns+` FROM completeness WHERE provider = $1 AND project = $2`, func(rows *sql.Rows) (err error) {
		c, err = scanCompleteness(rows)
		return err
	}, provider, project)
	return c, err
}

func scanCompleteness(rows *sql.Rows) (c Completeness, err error) {
	var since, until, checked, exist, stored, event sql.NullInt64
	var failure sql.NullString
	err = rows.Scan(&c.Provider, &c.Project, &since, &until, &checked, &exist, &stored, &c.Compared, &c.Missing, &c.Stale, &c.Healed, &event, &failure)
	c.Since, c.Until, c.Checked, c.LastEvent = timeOf(since), timeOf(until), timeOf(checked), timeOf(event)
	c.Exist, c.Stored = pointer(exist.Int64, exist.Valid), pointer(stored.Int64, stored.Valid)
	c.Failure = failure.String
	return c, err
}

// SaveCompleteness keeps what a comparison found. The time of the last webhook
// is left as it is.
func (s *Store) SaveCompleteness(ctx context.Context, c *Completeness) error {
	_, err := s.execute(ctx, `INSERT INTO completeness (`+completenessColumns+`)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, NULL, $12)
		ON CONFLICT (provider, project) DO UPDATE SET since_ms = excluded.since_ms, until_ms = excluded.until_ms, checked_ms = excluded.checked_ms,
			exist = excluded.exist, stored = excluded.stored, compared = excluded.compared, missing = excluded.missing, stale = excluded.stale,
			healed = excluded.healed, failure = excluded.failure`,
		c.Provider, c.Project, nullTime(c.Since), nullTime(c.Until), nullTime(c.Checked), nullable(c.Exist), nullable(c.Stored),
		c.Compared, c.Missing, c.Stale, c.Healed, nullText(fitting(c.Failure, maxReason)))
	if err != nil {
		return fmt.Errorf("keep the completeness of %s: %w", c.Project, err)
	}
	return nil
}

// AddGap keeps a gap; one that begins at the same instant is replaced.
func (s *Store) AddGap(ctx context.Context, g *Gap) error {
	_, err := s.execute(ctx, `INSERT INTO gaps (provider, project, from_ms, until_ms, missing, healed, found_ms) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (provider, project, from_ms) DO UPDATE SET until_ms = excluded.until_ms, missing = excluded.missing, healed = excluded.healed`,
		g.Provider, g.Project, g.From.UnixMilli(), g.Until.UnixMilli(), g.Missing, g.Healed, g.Found.UnixMilli())
	if err != nil {
		return fmt.Errorf("keep a gap of %s: %w", g.Project, err)
	}
	return nil
}

// Gaps lists the newest gaps of a project, or of all projects where it is "".
func (s *Store) Gaps(ctx context.Context, project string, limit int) (all []Gap, err error) {
	const query = `SELECT provider, project, from_ms, until_ms, missing, healed, found_ms FROM gaps
		WHERE CAST($1 AS TEXT) = '' OR project = $1 ORDER BY from_ms DESC, provider, project LIMIT $2`
	err = s.read(ctx, query, func(rows *sql.Rows) error {
		var g Gap
		var from, until, found int64
		err := rows.Scan(&g.Provider, &g.Project, &from, &until, &g.Missing, &g.Healed, &found)
		g.From, g.Until, g.Found = time.UnixMilli(from).UTC(), time.UnixMilli(until).UTC(), time.UnixMilli(found).UTC()
		all = append(all, g)
		return err
	}, project, min(limit, MaxPage))
	return all, err
}

// SawEvent notes that a webhook told of a project just now: at most once a
// minute for each project and process.
func (s *Store) SawEvent(ctx context.Context, provider, project string) error {
	now := s.config.Now()
	if provider == "" || !s.events.due(provider+"\x00"+project, now) {
		return nil
	}
	_, err := s.execute(ctx, `INSERT INTO completeness (provider, project, compared, missing, stale, healed, last_event_ms) VALUES ($1, $2, 0, 0, 0, 0, $3)
		ON CONFLICT (provider, project) DO UPDATE SET last_event_ms = excluded.last_event_ms`, provider, project, now.UnixMilli())
	if err != nil {
		return fmt.Errorf("note an event of %s: %w", project, err)
	}
	return nil
}

// An eventClock remembers when an event of each project was noted last.
type eventClock struct {
	mu   sync.Mutex
	last map[string]time.Time
}

const eventEvery = time.Minute

func (c *eventClock) due(name string, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now.Sub(c.last[name]) < eventEvery {
		return false
	}
	if c.last == nil || len(c.last) >= maxCachedProjects {
		c.last = map[string]time.Time{}
	}
	c.last[name] = now
	return true
}

// Known is what is here of a pipeline that a CI system lists.
type Known struct {
	ReadAt   time.Time // as of when the CI system's API told all of it; zero: it was not asked yet
	State    ci.State
	Attempts int64
}

// MaxKnown is for how many pipelines Known can be asked at once.
const MaxKnown = 500

// Known looks up pipelines of a project by their numbers; those that are not
// here are not in the answer.
func (s *Store) Known(ctx context.Context, project string, ids []int64) (map[int64]Known, error) {
	known := make(map[int64]Known, len(ids))
	p, err := s.Project(ctx, project)
	if errors.Is(err, ErrUnknown) || len(ids) == 0 {
		return known, nil
	}
	if err != nil {
		return nil, err
	}
	places := make([]string, min(len(ids), MaxKnown))
	args := []any{p.ID}
	for i := range places {
		places[i] = "$" + strconv.Itoa(i+2)
		args = append(args, ids[i])
	}
	query := `SELECT id, state, attempts, ranks FROM pipelines WHERE project_id = $1 AND id IN (` + strings.Join(places, ", ") + `)`
	err = s.read(ctx, query, func(rows *sql.Rows) error {
		var id int64
		var k Known
		var text sql.NullString
		if err := rows.Scan(&id, &k.State, &k.Attempts, &text); err != nil {
			return err
		}
		ranks, err := ci.ParsePipelineRanks(text.String)
		k.ReadAt = ranks.ReadWhole()
		known[id] = k
		return err
	}, args...)
	return known, err
}

// CountSince counts the pipelines of a project that were created at an instant
// or later, as far as somebody told when that was. A project may be mirrored, so
// those that another provider told of are left out.
func (s *Store) CountSince(ctx context.Context, provider, project string, since time.Time) (n int64, err error) {
	p, err := s.Project(ctx, project)
	if errors.Is(err, ErrUnknown) {
		return 0, nil
	}
	if err == nil {
		err = s.read(ctx, `SELECT count(*) FROM pipelines WHERE project_id = $1 AND created_ms >= $2 AND created_known AND (provider = $3 OR provider IS NULL)`, func(rows *sql.Rows) error {
			return rows.Scan(&n)
		}, p.ID, since.UnixMilli(), provider)
	}
	return n, err
}
