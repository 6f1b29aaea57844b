package dashboard

import (
	"bytes"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// maxLast is how many bytes of pages are at hand for while the database is
// away.
const maxLast = 16 << 20

// lastPages are pages as they were made last.
type lastPages struct {
	mu    sync.Mutex
	pages map[string]lastPage
	size  int
}

type lastPage struct {
	body []byte
	at   time.Time
}

// put takes a page, and forgets all others where there is no room.
func (l *lastPages) put(key string, page lastPage) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.size += len(page.body) - len(l.pages[key].body)
	if l.pages == nil || l.size > maxLast {
		l.pages, l.size = map[string]lastPage{}, len(page.body)
	}
	l.pages[key] = page
}

func (l *lastPages) get(key string) (page lastPage, found bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	page, found = l.pages[key]
	return page, found
}

// pageKey says which page a request is for: what is asked, and what a page
// depends on besides the database and what is under way.
func (d *Dashboard) pageKey(r *http.Request) string {
	parts := []string{r.URL.RequestURI(), r.Host, strconv.FormatBool(d.mayChange(r)), d.Shell.visitor(r)}
	for _, name := range []string{"theme", "tz", dismissedCookie} {
		value := ""
		if c, err := r.Cookie(name); err == nil {
			value = c.Value
		}
		parts = append(parts, value)
	}
	return strings.Join(parts, "\x00")
}

// orLast answers as h does; while the database is away, with the page as it was
// made last, to those who may see it.
func (d *Dashboard) orLast(h Handler) Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		err := h(w, r)
		if !errors.Is(err, store.ErrAway) || !WantsPage(r) || d.Allow(r, store.ScopeRead) != nil {
			return err
		}
		page, found := d.last.get(d.pageKey(r))
		if !found {
			return err
		}
		w.Header().Set("Retry-After", "5")
		main := []byte(`<main id="main"`)
		banner := `<div class="banner bad" role="status"><div class="in"><span>The database is away. This is the page as it was on ` + page.at.UTC().Format("2 January at 15:04:05") +
			` UTC.</span><a href="">Try again</a><a href="/readyz?verbose">How the server is</a></div></div>`
		d.Shell.send(w, r, http.StatusServiceUnavailable, bytes.Replace(page.body, main, append([]byte(banner), main...), 1))
		return nil
	}
}
