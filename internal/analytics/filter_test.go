package analytics_test

import (
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/analytics"
)

// One view has one URL: what is the default is left out, the order is fixed.
func TestCanonicalForm(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]string{
		"": "",
		"range=30d&ref=@default&restarts=in&vs=prev&bucket=auto&tz=UTC": "",
		"project=b&project=a&project=b&ref=":                            "project=a&project=b",
		"ref=@all&ref=main":                                             "ref=%40all",
		"ref=main&ref=@default":                                         "ref=%40default&ref=main",
		"result=all&result=failure":                                     "result=all",
		"result=ok":                                                     "result=ok",
		"range=24h&metric=wall":                                         "range=24h",
		"from=2026-11-01&to=2026-11-02&tz=Europe/Berlin":                "from=2026-10-31T23%3A00%3A00Z&to=2026-11-02T23%3A00%3A00Z&tz=Europe%2FBerlin",
		"from=2026-11-01T10:00:00.5%2B01:00":                            "from=2026-11-01T09%3A00%3A00.5Z",
		"vs=2026-10-01..2026-10-31":                                     "vs=2026-10-01T00%3A00%3A00Z..2026-11-01T00%3A00%3A00Z",
		"vs=none&bucket=hour&restarts=only&tag=x":                       "bucket=hour&restarts=only&tag=x&vs=none",
	} {
		q, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		f, err := analytics.ParseFilter(q, now)
		if err != nil {
			t.Errorf("%s: %v", query, err)
			continue
		}
		if got := f.Query().Encode(); got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
	}
}

func TestBadFilters(t *testing.T) {
	t.Parallel()
	for query, field := range map[string]string{
		"range=0d": "range", "range=d": "range", "range=-1d": "range", "range=99999999d": "range", "range=11y": "range", "range=30d&range=7d": "range",
		"range=3x": "range", "range=30d&from=2026-01-01": "range", "to=2026-01-01": "from", "from=yesterday": "from", "from=2026-11-20&to=2026-11-19": "to",
		"from=2001-01-01": "from", "from=2027-01-01": "to", "from=1969-01-01&to=1970-02-01": "from", "ref=@nobody": "ref", "state=done": "state", "result=passed": "result",
		"restarts=maybe": "restarts", "bucket=3h": "bucket", "bucket=1m": "bucket", "tz=Local": "tz", "tz=../etc/passwd": "tz", "tz=Mars/Olympus": "tz",
		"vs=yesterday": "vs", "vs=2026-01-01": "vs", "vs=2026-01-02..2026-01-01..": "vs", "vs=..": "vs", "job=%00": "job", "stage=%ff": "stage", "bucket=day&bucket=week": "bucket",
		"project=" + strings.Repeat("a", 1025): "project", "job=0" + strings.Repeat("&job=1&job=x", 1) + manyJobs(): "job",
	} {
		q, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		_, err = analytics.ParseFilter(q, now)
		if e, ok := errors.AsType[*analytics.FieldError](err); !ok || e.Field != field || !strings.HasSuffix(e.Reason, ".") {
			t.Errorf("%.60s: %v, want a mistake in %s", query, err, field)
		}
	}
}

func manyJobs() string {
	var s strings.Builder
	for i := range 101 {
		s.WriteString("&job=j" + strings.Repeat("x", i))
	}
	return s.String()
}

// Buckets cover the window without a gap, whatever the zone's clocks do, and
// there are 24 to 120 of them if nobody says how wide they are.
func TestEdges(t *testing.T) {
	t.Parallel()
	for _, zone := range []string{"UTC", "Europe/Berlin", "America/Santiago", "Australia/Lord_Howe", "Pacific/Apia", "Asia/Kathmandu", "Africa/Cairo"} {
		for _, span := range []string{"24h", "1d", "2d", "7d", "30d", "60d", "90d", "130d", "180d", "1y", "3y", "10y"} {
			f := filter(t, "tz="+url.QueryEscape(zone)+"&range="+span)
			edges, err := f.Edges()
			if err != nil {
				t.Fatal(err)
			}
			if n := len(edges) - 1; n < 24 && span != "2d" && span != "1d" || n > 122 {
				t.Errorf("%s of %s: %d buckets of %s", span, zone, n, f.BucketWidth())
			}
			if !edges[0].Equal(f.Window.From) || !edges[len(edges)-1].Equal(f.Window.To) {
				t.Errorf("%s of %s: %v to %v, want %v", span, zone, edges[0], edges[len(edges)-1], f.Window)
			}
			for i := range len(edges) - 1 {
				if !edges[i].Before(edges[i+1]) {
					t.Errorf("%s of %s: %v before %v", span, zone, edges[i], edges[i+1])
				}
			}
		}
	}
}

// A day on which the clocks are changed has 23 or 25 hours; days begin at
// midnight of the zone, weeks on Monday, six hours where the clock shows them.
func TestEdgesOverChangedClocks(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ query, want string }{
		{"from=2026-10-24&to=2026-10-26&bucket=day", "24T00:00+02:00 25T00:00+02:00 26T00:00+01:00 27T00:00+01:00"},
		{"from=2026-03-28T12:00:00Z&to=2026-03-30T12:00:00Z&bucket=day", "28T13:00+01:00 29T00:00+01:00 30T00:00+02:00 30T14:00+02:00"},
		{"from=2026-10-25&to=2026-10-25&bucket=6h", "25T00:00+02:00 25T06:00+01:00 25T12:00+01:00 25T18:00+01:00 26T00:00+01:00"},
		{"from=2026-10-24T23:30:00Z&to=2026-10-25T02:30:00Z&bucket=hour", "25T01:30+02:00 25T02:00+02:00 25T02:00+01:00 25T03:00+01:00 25T03:30+01:00"},
		{"from=2026-10-22&to=2026-11-03&bucket=week", "22T00:00+02:00 26T00:00+01:00 02T00:00+01:00 04T00:00+01:00"},
		{"from=2026-10-22&to=2026-11-03&bucket=month", "22T00:00+02:00 01T00:00+01:00 04T00:00+01:00"},
	} {
		f := filter(t, "tz=Europe/Berlin&"+c.query)
		edges, err := f.Edges()
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range edges {
			got = append(got, e.In(f.Zone).Format("02T15:04Z07:00"))
		}
		if diff := cmp.Diff(c.want, strings.Join(got, " ")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.query, diff)
		}
	}
}

func TestWith(t *testing.T) {
	t.Parallel()
	f := filter(t, "project=a&range=7d&ref=dev")
	for _, c := range []struct{ got, want string }{
		{f.With("ref").Encode(), "project=a&range=7d"},
		{f.With("ref", "x", "y").Encode(), "project=a&range=7d&ref=x&ref=y"},
		{f.With("range", "90d").Encode(), "project=a&range=90d&ref=dev"},
		{f.With("range").Encode(), "project=a&ref=dev"},
		{f.With("from", "2026-11-01T00:00:00Z").Encode(), "from=2026-11-01T00%3A00%3A00Z&project=a&ref=dev&to=2026-11-20T15%3A30%3A00Z"},
	} {
		if c.got != c.want {
			t.Errorf("%s, want %s", c.got, c.want)
		}
	}
	fixed := f.Absolute()
	if got := fixed.Query().Encode(); got != "from=2026-11-14T00%3A00%3A00Z&project=a&ref=dev&to=2026-11-20T15%3A30%3A00Z" {
		t.Error(got)
	}
}

// Whatever the query, its canonical form means the same and stays as it is.
func FuzzParseFilter(f *testing.F) {
	for _, seed := range []string{
		"", "range=7d&tz=Europe/Berlin", "from=2026-10-01&to=2026-10-31&vs=2026-09-01..2026-09-30", "project=a&ref=@mr&ref=x&result=ok&bucket=hour&range=24h",
		"restarts=out&tag=a%22b&vs=none", "from=2026-10-25T00:30:00.123Z&tz=Australia/Lord_Howe&bucket=6h",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		q, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		first, err := analytics.ParseFilter(q, now)
		if err != nil {
			if _, ok := errors.AsType[*analytics.FieldError](err); !ok {
				t.Fatalf("%T: %v", err, err)
			}
			return
		}
		second, err := analytics.ParseFilter(first.Query(), now)
		if err != nil {
			t.Fatalf("%s was taken and its canonical form %s is not: %v", query, first.Query().Encode(), err)
		}
		zone := cmp.Comparer(func(a, b *time.Location) bool { return a.String() == b.String() })
		if diff := cmp.Diff(first, second, zone, cmp.AllowUnexported(analytics.Filter{})); diff != "" {
			t.Errorf("%s (-first +second):\n%s", query, diff)
		}
	})
}
