package rest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/provider/rest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const secret = "glpat-not-to-be-seen"

// A clock stands still until somebody sleeps.
type clock struct {
	mu    sync.Mutex
	now   time.Time
	slept []time.Duration
}

func newClock() *clock { return &clock{now: time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Sleep(ctx context.Context, d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	c.slept = append(c.slept, d)
	return ctx.Err()
}

func (c *clock) since(start time.Time) time.Duration { return c.Now().Sub(start) }

// server answers the nth request, from 1, with what answer does.
func server(t *testing.T, answer func(n int, w http.ResponseWriter, r *http.Request)) *httptest.Server {
	t.Helper()
	var mu sync.Mutex
	n := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		n++
		mine := n
		mu.Unlock()
		answer(mine, w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func client(t *testing.T, base string, c *clock, change ...func(*rest.Config)) *rest.Client {
	t.Helper()
	config := rest.Config{Base: base, SecretHeader: "PRIVATE-TOKEN", Secret: secret, Rate: 1e6, Burst: 1e6, Now: c.Now, Sleep: c.Sleep}
	for _, f := range change {
		f(&config)
	}
	cl, err := rest.New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.CloseIdle)
	return cl
}

func ask(t *testing.T, c *rest.Client, r rest.Request) (string, rest.Answer, error) {
	t.Helper()
	var got struct{ Name string }
	a, err := c.JSON(t.Context(), r, &got)
	return got.Name, a, err
}

func ok(w http.ResponseWriter) { fmt.Fprint(w, `{"name":"shop"}`) }

// breakOff ends the connection in the midst of an answer.
func breakOff(w http.ResponseWriter) {
	w.Header().Set("Content-Length", "100")
	fmt.Fprint(w, `{"name":`)
	if f, can := w.(http.Flusher); can {
		f.Flush()
	}
	panic(http.ErrAbortHandler)
}

func TestFailuresAreTriedAgain(t *testing.T) {
	t.Parallel()
	c := newClock()
	s := server(t, func(n int, w http.ResponseWriter, _ *http.Request) {
		switch n {
		case 1:
			http.Error(w, "oh", http.StatusInternalServerError)
		case 2:
			w.WriteHeader(http.StatusBadGateway)
		case 3:
			breakOff(w)
		case 4:
			panic(http.ErrAbortHandler)
		default:
			ok(w)
		}
	})
	cl := client(t, s.URL, c)
	name, _, err := ask(t, cl, rest.Request{Path: "/projects/1"})
	if err != nil || name != "shop" {
		t.Fatal(name, err)
	}
	if diff := cmp.Diff(rest.Counts{Requests: 5, Retried: 4}, cl.Counts()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for i, want := range []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second} {
		if got := c.slept[i]; got < want/2 || got > want+want/2+time.Millisecond {
			t.Errorf("pause %d is %v, want about %v", i, got, want)
		}
	}
}

func TestFailuresThatStay(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer func(http.ResponseWriter)
		r      rest.Request
		want   string
		asked  int64
	}{
		"gone":  {func(w http.ResponseWriter) { http.Error(w, `{"message":"404 Project Not Found"}`, http.StatusNotFound) }, rest.Request{}, "GET /p is answered 404 Not Found: 404 Project Not Found", 1},
		"error": {func(w http.ResponseWriter) { http.Error(w, `{"error":"insufficient_scope"}`, http.StatusForbidden) }, rest.Request{}, "GET /p is answered 403 Forbidden: insufficient_scope", 1},
		"object": {func(w http.ResponseWriter) {
			http.Error(w, `{"message":{"url":["is blocked"]}}`, http.StatusUnprocessableEntity)
		}, rest.Request{Method: "POST"}, `POST /p is answered 422 Unprocessable Entity: {"url":["is blocked"]}`, 1},
		"page":    {func(w http.ResponseWriter) { http.Error(w, "<html>x</html>", http.StatusBadGateway) }, rest.Request{}, "GET /p is answered 502 Bad Gateway", 8},
		"a write": {func(w http.ResponseWriter) { w.WriteHeader(http.StatusBadGateway) }, rest.Request{Method: "POST"}, "POST /p is answered 502 Bad Gateway", 1},
		"again":   {func(w http.ResponseWriter) { w.WriteHeader(http.StatusBadGateway) }, rest.Request{Method: "POST", Repeatable: true}, "POST /p is answered 502 Bad Gateway", 8},
		"echo": {func(w http.ResponseWriter) {
			http.Error(w, `{"message":"bad token `+secret+`"}`, http.StatusUnauthorized)
		}, rest.Request{}, "GET /p is answered 401 Unauthorized: bad token ...", 1},
		"no JSON":      {func(w http.ResponseWriter) { fmt.Fprint(w, "<html>") }, rest.Request{}, "the answer to /p can't be read: invalid character '<' looking for beginning of value", 1},
		"wrong JSON":   {func(w http.ResponseWriter) { fmt.Fprint(w, "[]") }, rest.Request{}, "the answer to /p can't be read: json: cannot unmarshal array into Go value of type struct { Name string }", 1},
		"no path":      {ok, rest.Request{Path: "/%zz"}, "/%zz is no path", 0},
		"another host": {ok, rest.Request{Path: "@elsewhere.example/"}, "the API sends us to another host, which is not followed", 0},
		"a long wait": {
			func(w http.ResponseWriter) {
				w.Header().Set("Retry-After", "100000")
				w.WriteHeader(http.StatusTooManyRequests)
			},
			rest.Request{},
			"the API asks us to wait until 2026-11-21T13:46:40Z, which is too long: GET /p is answered 429 Too Many Requests", 1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := server(t, func(_ int, w http.ResponseWriter, _ *http.Request) { c.answer(w) })
			cl := client(t, s.URL, newClock())
			if c.r.Path == "" {
				c.r.Path = "/p"
			}
			_, _, err := ask(t, cl, c.r)
			if err == nil || err.Error() != c.want {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
			if got := cl.Counts().Requests; got != c.asked {
				t.Errorf("%d requests, want %d", got, c.asked)
			}
		})
	}
}

func TestNobodyThere(t *testing.T) {
	t.Parallel()
	s := server(t, nil)
	s.Close()
	cl := client(t, s.URL, newClock(), func(c *rest.Config) { c.Tries = 2 })
	_, _, err := ask(t, cl, rest.Request{Path: "/p?private=1"})
	if err == nil || !strings.Contains(err.Error(), "refused") || strings.Contains(err.Error(), "private=1\"") || cl.Counts().Requests != 2 {
		t.Error(err, cl.Counts())
	}
}

// The API says how long to wait, in all the ways that there are, and nobody
// asks before.
func TestWaitsAreObeyed(t *testing.T) {
	t.Parallel()
	start := newClock().Now()
	for name, c := range map[string]struct {
		status int
		header map[string]string
		least  time.Duration
	}{
		"seconds":          {429, map[string]string{"Retry-After": "37"}, 37 * time.Second},
		"date":             {429, map[string]string{"Retry-After": "Fri, 20 Nov 2026 08:00:50 GMT", "Date": "Fri, 20 Nov 2026 08:00:00 GMT"}, 50 * time.Second},
		"GitLab's reset":   {429, map[string]string{"RateLimit-Limit": "60", "RateLimit-Remaining": "0", "RateLimit-Reset": unix(start.Add(41 * time.Second)), "Date": start.Format(http.TimeFormat)}, 41 * time.Second},
		"GitHub's reset":   {403, map[string]string{"X-RateLimit-Limit": "5000", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": unix(start.Add(time.Hour)), "Date": start.Format(http.TimeFormat)}, time.Hour},
		"GitHub's second":  {403, map[string]string{"Retry-After": "60"}, 60 * time.Second},
		"seconds of reset": {429, map[string]string{"RateLimit-Remaining": "0", "RateLimit-Reset": "12"}, 12 * time.Second},
		"newest draft":     {429, map[string]string{"RateLimit": `"default";r=0;t=42`}, 42 * time.Second},
		"busy":             {503, map[string]string{"Retry-After": "5"}, 5 * time.Second},
		"not said":         {429, nil, 500 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			clk := newClock()
			s := server(t, func(n int, w http.ResponseWriter, _ *http.Request) {
				if n > 3 {
					ok(w)
					return
				}
				for k, v := range c.header {
					w.Header().Set(k, v)
				}
				w.WriteHeader(c.status)
			})
			cl := client(t, s.URL, clk, func(c *rest.Config) { c.Tries = 1 }) // a wait is no failure
			if _, _, err := ask(t, cl, rest.Request{Path: "/p"}); err != nil {
				t.Fatal(err)
			}
			if got := clk.since(start); got < c.least {
				t.Errorf("asked again after %v, want %v", got, c.least)
			}
			if got := cl.Counts(); got.Limited != 3 || got.Requests != 4 {
				t.Errorf("%+v", got)
			}
		})
	}
}

func unix(t time.Time) string { return strconv.FormatInt(t.Unix(), 10) }

func TestWaitingHasAnEnd(t *testing.T) {
	t.Parallel()
	s := server(t, func(_ int, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTooManyRequests) })
	cl := client(t, s.URL, newClock())
	if _, _, err := ask(t, cl, rest.Request{Path: "/p"}); !rest.HasStatus(err, 429) {
		t.Error(err)
	}
}

// Ten may go at once, then one each fifth of a second.
func TestRateIsKept(t *testing.T) {
	t.Parallel()
	clk := newClock()
	start := clk.Now()
	s := server(t, func(_ int, w http.ResponseWriter, _ *http.Request) { ok(w) })
	cl := client(t, s.URL, clk, func(c *rest.Config) { c.Rate, c.Burst = 5, 10 })
	for range 60 {
		if _, _, err := ask(t, cl, rest.Request{Path: "/p"}); err != nil {
			t.Fatal(err)
		}
	}
	if got := clk.since(start); got < 9900*time.Millisecond || got > 11*time.Second {
		t.Errorf("60 requests took %v, want 10 s", got)
	}
}

// The last tenth of the API's budget is spread over the time that is left.
func TestLittleIsSpared(t *testing.T) {
	t.Parallel()
	clk := newClock()
	start := clk.Now()
	reset := start.Add(time.Minute)
	s := server(t, func(n int, w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("RateLimit-Limit", "100")
		w.Header().Set("RateLimit-Remaining", strconv.Itoa(max(0, 100-n)))
		w.Header().Set("RateLimit-Reset", unix(reset))
		w.Header().Set("Date", clk.Now().Format(http.TimeFormat))
		ok(w)
	})
	cl := client(t, s.URL, clk)
	for n := 1; n <= 101; n++ {
		if _, _, err := ask(t, cl, rest.Request{Path: "/p"}); err != nil {
			t.Fatal(err)
		}
		if n == 90 && clk.since(start) > time.Second {
			t.Errorf("most took %v, want no wait", clk.since(start))
		}
		if n == 95 && (clk.since(start) < 10*time.Second || clk.since(start) > 50*time.Second) {
			t.Errorf("half of the last ones took %v, want about half a minute", clk.since(start))
		}
	}
	if got := clk.since(start); got < time.Minute {
		t.Errorf("more than there is took %v, want a minute", got)
	}
}

func TestConcurrencyIsBounded(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	now, most := 0, 0
	full := make(chan struct{})
	s := server(t, func(n int, w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		now++
		most = max(most, now)
		if now == 3 && n <= 3 {
			close(full)
		}
		mu.Unlock()
		<-full // until three are here together
		mu.Lock()
		now--
		mu.Unlock()
		ok(w)
	})
	cl := client(t, s.URL, newClock(), func(c *rest.Config) { c.Concurrency = 3 })
	var wg sync.WaitGroup
	for range 30 {
		wg.Go(func() {
			if _, _, err := ask(t, cl, rest.Request{Path: "/p"}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if most != 3 {
		t.Errorf("%d requests at once, want 3", most)
	}
}

func TestETag(t *testing.T) {
	t.Parallel()
	s := server(t, func(_ int, w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `W/"1"`)
		if r.Header.Get("If-None-Match") == `W/"1"` {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		ok(w)
	})
	cl := client(t, s.URL, newClock())
	name, a, err := ask(t, cl, rest.Request{Path: "/p"})
	if err != nil || name != "shop" || a.ETag != `W/"1"` || a.NotModified {
		t.Fatal(name, a, err)
	}
	name, a, err = ask(t, cl, rest.Request{Path: "/p", ETag: a.ETag})
	if err != nil || name != "" || !a.NotModified || cl.Counts().NotModified != 1 {
		t.Error(name, a, err)
	}
}

func TestPages(t *testing.T) {
	t.Parallel()
	s := server(t, func(_ int, w http.ResponseWriter, r *http.Request) {
		page, _ := strconv.Atoi(r.URL.Query().Get("page"))
		if page < 3 {
			w.Header().Add("Link", `<http://`+r.Host+`/list?page=0&a=b,c>; rel="prev"`)
			w.Header().Add("Link", `</list?x=1,2>; rel="first", <http://`+r.Host+`/list?page=`+strconv.Itoa(page+1)+`&q=1,2>; title="a" ; rel="next last"`)
		}
		fmt.Fprintf(w, `[%d,%d]`, 10*page, 10*page+1)
	})
	cl := client(t, s.URL, newClock())
	var got []int
	for page, err := range rest.Pages[int](t.Context(), cl, rest.Request{Path: "/list", Query: map[string][]string{"page": {"1"}}}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, page...)
	}
	if diff := cmp.Diff([]int{10, 11, 20, 21, 30, 31}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Nothing goes to a host that the operator did not name, least of all the
// secret.
func TestOtherHostsAreNotAsked(t *testing.T) {
	t.Parallel()
	other := server(t, func(_ int, w http.ResponseWriter, r *http.Request) {
		t.Errorf("%s was asked at another host", r.URL)
		fmt.Fprint(w, "[]")
	})
	s := server(t, func(_ int, w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("PRIVATE-TOKEN") != secret {
			t.Error("a request has no secret")
		}
		switch r.URL.Path {
		case "/moved":
			http.Redirect(w, r, other.URL+"/x", http.StatusFound)
		case "/pages":
			w.Header().Set("Link", "<"+other.URL+`/list?page=2>; rel="next"`)
			fmt.Fprint(w, "[]")
		case "/here":
			http.Redirect(w, r, "/there", http.StatusMovedPermanently)
		case "/around":
			http.Redirect(w, r, "/around", http.StatusFound)
		default:
			ok(w)
		}
	})
	cl := client(t, s.URL, newClock(), func(c *rest.Config) { c.Tries = 2 })
	if _, _, err := ask(t, cl, rest.Request{Path: "/moved"}); err == nil || !strings.Contains(err.Error(), "another host") {
		t.Error(err)
	}
	for _, err := range rest.Pages[int](t.Context(), cl, rest.Request{Path: "/pages"}) {
		if err == nil || !strings.Contains(err.Error(), "next page is on another host") {
			t.Error(err)
		}
	}
	if name, _, err := ask(t, cl, rest.Request{Path: "/here"}); err != nil || name != "shop" {
		t.Error(name, err)
	}
	if _, _, err := ask(t, cl, rest.Request{Path: "/around"}); err == nil || !strings.Contains(err.Error(), "without an end") {
		t.Error(err)
	}
}

func TestSecretIsNotTold(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	s := server(t, func(n int, w http.ResponseWriter, _ *http.Request) {
		if n == 1 {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		http.Error(w, strings.Repeat("x", 290)+secret, http.StatusBadRequest)
	})
	cl := client(t, s.URL, newClock(), func(c *rest.Config) {
		c.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		c.SecretHeader, c.Secret = "Authorization", "Bearer "+secret
	})
	_, _, err := ask(t, cl, rest.Request{Path: "/p"})
	if err == nil || strings.Contains(err.Error(), "glpat") || !strings.Contains(log.String(), "asks us to wait") || strings.Contains(log.String(), "glpat") {
		t.Error(err, log.String())
	}
}

func TestLargeAnswersAreRefused(t *testing.T) {
	t.Parallel()
	s := server(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
		blank := bytes.Repeat([]byte(" "), 1<<20)
		for range rest.MaxBody>>20 + 1 {
			if _, err := w.Write(blank); err != nil {
				return
			}
		}
	})
	_, _, err := ask(t, client(t, s.URL, newClock()), rest.Request{Path: "/p"})
	if err == nil || err.Error() != "the answer to /p can't be read: it is larger than 32 MiB" {
		t.Error(err)
	}
}

func TestSlowAnswersAreGivenUp(t *testing.T) {
	t.Parallel()
	s := server(t, func(n int, w http.ResponseWriter, r *http.Request) {
		if n < 3 {
			<-r.Context().Done() // until the client goes away
			return
		}
		ok(w)
	})
	cl := client(t, s.URL, newClock())
	name, _, err := ask(t, cl, rest.Request{Path: "/p", Timeout: 200 * time.Millisecond})
	if err != nil || name != "shop" || cl.Counts().Retried < 2 {
		t.Error(name, err, cl.Counts())
	}
}

func TestStreamReadsAgain(t *testing.T) {
	t.Parallel()
	s := server(t, func(n int, w http.ResponseWriter, _ *http.Request) {
		if n == 1 {
			breakOff(w)
		}
		fmt.Fprint(w, "whole")
	})
	var got []byte
	_, err := client(t, s.URL, newClock()).Stream(t.Context(), rest.Request{Path: "/log", Accept: "text/plain"}, func(r io.Reader) (err error) {
		got, err = io.ReadAll(r)
		return err
	})
	if err != nil || string(got) != "whole" {
		t.Errorf("%q %v", got, err)
	}
}

func TestWrites(t *testing.T) {
	t.Parallel()
	s := server(t, func(n int, w http.ResponseWriter, r *http.Request) {
		if n == 1 { // was not done, so it may be sent again
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		body, _ := io.ReadAll(r.Body)
		if r.Method != http.MethodPut || string(body) != `{"url":"x"}` || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s %s %s", r.Method, body, r.Header)
		}
		w.WriteHeader(http.StatusNoContent)
	})
	a, err := client(t, s.URL+"/", newClock()).JSON(t.Context(), rest.Request{Method: http.MethodPut, Path: "/hooks/1", Body: map[string]string{"url": "x"}}, nil)
	if err != nil || a.Status != http.StatusNoContent {
		t.Error(a, err)
	}
}

func TestStops(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	s := server(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
		stop()
		w.WriteHeader(http.StatusInternalServerError)
	})
	cl := client(t, s.URL, newClock())
	if _, err := cl.JSON(ctx, rest.Request{Path: "/p"}, nil); !errors.Is(err, context.Canceled) || cl.Counts().Requests != 1 {
		t.Error(err, cl.Counts())
	}
	if _, err := cl.JSON(ctx, rest.Request{Path: "/p"}, nil); !errors.Is(err, context.Canceled) || cl.Counts().Requests != 1 {
		t.Error(err, cl.Counts())
	}
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	for _, base := range []string{"", "gitlab.example.com", "ftp://x", "https://", "https://u:p@x", "https://x?a=b", "https://x#a", "https://%zz"} {
		if _, err := rest.New(rest.Config{Base: base}); err == nil || strings.Contains(err.Error(), "u:p") {
			t.Errorf("%q: %v", base, err)
		}
	}
}
