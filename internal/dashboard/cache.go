package dashboard

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// maxKept is how many bytes of pages are kept.
const maxKept = 32 << 20

// A keptPage is a page as it was made.
type keptPage struct {
	body []byte
	etag string
}

func (p keptPage) size() int { return len(p.body) }

func keptPageOf(body []byte) keptPage {
	sum := sha256.Sum256(body)
	return keptPage{body, `W/"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`}
}

// A maker makes a page: the name of its template, and what that is given.
type maker func(ctx context.Context) (template string, page *Page, err error)

// cached answers with a page, made now or some seconds ago.
func (d *Dashboard) cached(w http.ResponseWriter, r *http.Request, v *view, draw maker) error {
	body := func(ctx context.Context) ([]byte, bool, error) {
		ctx, done := d.Store.ShareDays(ctx)
		defer done()
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
	page := d.pageKey(r)
	key := strings.Join([]string{page, strconv.FormatInt(d.Store.Decided(), 10), d.Shell.around(r)}, "\x00")
	e, err := d.made.Get(r.Context(), key, func(ctx context.Context) (keptPage, bool, error) {
		text, whole, err := body(ctx)
		if err == nil && whole {
			d.last.put(page, lastPage{text, d.Now()})
		}
		return keptPageOf(text), whole, err
	})
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
