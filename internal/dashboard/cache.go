package dashboard

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

const (
	// fresh is how long one answer serves all who ask the same, at the least.
	fresh = 5 * time.Second
	// maxKept is how many bytes of answers are kept.
	maxKept = 32 << 20
	// maxMaking is how long making a page may take.
	maxMaking = 30 * time.Second
)

// A cache keeps pages for some seconds, so that many who look at the same one
// ask the database once. While a page is made, all others wait for it.
type cache struct {
	mu    sync.Mutex
	pages map[string]*entry
	bytes int
}

type entry struct {
	done  chan struct{} // closed when the rest is there
	body  []byte
	etag  string
	err   error
	until time.Time
}

// get returns the page of the key, made by draw if need be. It is kept at least
// as long as it took to make, so that whoever asks for a slow page again and
// again keeps the database busy for half of the time at most; that holds for
// failures and for pages that lack a part, too, which are gone at once where
// they came at once.
func (c *cache) get(ctx context.Context, key string, now func() time.Time, draw func(context.Context) (body []byte, whole bool, err error)) (*entry, error) {
	c.mu.Lock()
	if e, ok := c.pages[key]; ok && (e.until.IsZero() || now().Before(e.until)) {
		c.mu.Unlock()
		select {
		case <-e.done:
			return e, e.err
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	e := &entry{done: make(chan struct{})}
	if c.pages == nil {
		c.pages = map[string]*entry{}
	}
	c.drop(key)
	c.pages[key] = e
	c.mu.Unlock()

	// Others wait for it: it is made even if the first who asked goes away.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), maxMaking)
	defer cancel()
	var whole bool
	begun := now()
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.pages[key] == e {
			end := now()
			keep := end.Sub(begun)
			if whole && e.err == nil {
				keep = max(keep, fresh)
			}
			e.until = end.Add(keep)
			c.bytes += len(e.body)
			c.shrink(end)
		}
		close(e.done)
	}()
	e.body, whole, e.err = draw(ctx)
	sum := sha256.Sum256(e.body)
	e.etag = `W/"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`
	return e, e.err
}

// drop forgets a page, if it is there.
func (c *cache) drop(key string) {
	if e, ok := c.pages[key]; ok && !e.until.IsZero() {
		c.bytes -= len(e.body)
		delete(c.pages, key)
	}
}

// shrink forgets what is old, and all if that is not enough.
func (c *cache) shrink(now time.Time) {
	for key, e := range c.pages {
		if !e.until.IsZero() && !now.Before(e.until) {
			c.drop(key)
		}
	}
	if c.bytes > maxKept {
		for key := range c.pages {
			c.drop(key)
		}
	}
}

// A maker makes a page: the name of its template, and what that is given.
type maker func(ctx context.Context) (template string, page *Page, err error)

// cached answers with a page, made now or some seconds ago.
func (d *Dashboard) cached(w http.ResponseWriter, r *http.Request, v *view, draw maker) error {
	body := func(ctx context.Context) ([]byte, bool, error) {
		template, page, err := draw(ctx)
		if err != nil {
			return nil, false, err
		}
		page.Zone, page.Project = v.filter.Zone.String(), v.project.Name
		page.Query = strings.TrimPrefix(v.link(v.kept()), "?")
		if err := d.sayPending(ctx, v, page); err != nil {
			return nil, false, err
		}
		for _, text := range v.notices {
			page.Banners = append(page.Banners, Banner{Text: text})
		}
		text, err := d.Shell.render(w, r, template, page)
		return text, !page.incomplete, err
	}
	if _, err := r.Cookie(flashCookie); err == nil { // what is said to one reader is not for all
		text, _, err := body(r.Context())
		if err == nil {
			d.Shell.send(w, r, http.StatusOK, text)
		}
		return err
	}
	theme := ""
	if c, err := r.Cookie("theme"); err == nil {
		theme = c.Value
	}
	key := strings.Join([]string{strconv.FormatInt(d.Store.Decided(), 10), r.URL.RequestURI(), r.Host, theme, v.zone, v.dismissed.String(), strconv.FormatBool(d.mayChange(r)), d.Shell.around(r)}, "\x00")
	e, err := d.cache.get(r.Context(), key, d.Now, body)
	if err != nil {
		return err
	}
	w.Header().Set("ETag", e.etag)
	w.Header().Set("Cache-Control", "private, no-cache")
	if strings.Contains(r.Header.Get("If-None-Match"), e.etag) {
		d.Shell.protect(w.Header())
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	d.Shell.send(w, r, http.StatusOK, e.body)
	return nil
}

// sayPending says that not all that is stored is as the definitions in force
// have it: figures of phases are of both until it is.
func (d *Dashboard) sayPending(ctx context.Context, v *view, page *Page) error {
	var names []string
	if v.project.Name != "" {
		names = []string{v.project.Name}
	}
	n, err := d.Store.PendingIn(ctx, names)
	if err == nil && n > 0 {
		have := map[bool]string{true: " still has", false: " still have"}[n == 1]
		page.Banners = append(page.Banners, Banner{Text: plural(n, "stored pipeline") + have + " the phases of before. They are derived again in the background; until then the figures of phases are of both."})
	}
	return err
}

// mayChange tells whether the reader may change what is stored.
func (d *Dashboard) mayChange(r *http.Request) bool { return d.Allow(r, store.ScopeAdmin) == nil }
