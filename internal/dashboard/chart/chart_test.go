package chart_test

import (
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/dashboard/chart"
)

var update = flag.Bool("update", false, "write the golden files")

var start = time.Date(2026, 10, 24, 0, 0, 0, 0, time.UTC)

func days(n int) time.Time { return start.AddDate(0, 0, n) }

// wave is a series that is the same each time, and no straight line.
func wave(i int) float64 { return 600 + 90*math.Sin(float64(i)) + 4*float64(i) }

func fan() chart.Fan {
	c := chart.Fan{ID: "duration", Height: 300, From: start, To: days(30), Labels: true, XTicks: 10, Mark: chart.Mark{At: days(11), Text: "slower since 4 Nov"}}
	for i := range 30 {
		b := chart.Bucket{From: days(i), To: days(i + 1), N: 12, P50: wave(i), P80: wave(i) * 1.2, P95: wave(i) * 1.5, Open: i == 29}
		switch i % 7 {
		case 5:
			b.N = 3
		case 6:
			b.N, b.P50, b.P80, b.P95 = 0, math.NaN(), math.NaN(), math.NaN()
		}
		c.Buckets = append(c.Buckets, b)
		for k, kind := range []string{"passed", "passed", "restarted", "failed", "canceled"} {
			c.Dots = append(c.Dots, chart.Dot{At: days(i).Add(time.Duration(k+8) * time.Hour), Value: wave(i + k), Kind: kind, ID: int64(48000 + 10*i + k)})
		}
	}
	return c
}

// wanted is a fan with objectives, one of them far off, and gaps.
func wanted() chart.Fan {
	c := fan()
	c.ID, c.Dots, c.Mark = "wanted", nil, chart.Mark{}
	c.Goals = []chart.Goal{{Value: 700, Text: "p80 ≤ 11m 40s", IsMissed: true}, {Value: 1200, Text: "p95 ≤ 20m 00s"}, {Value: 36000, Text: "p99 ≤ 10h"}}
	c.Gaps = []chart.Gap{{From: days(3), To: days(5), Missing: 4}, {From: days(20), To: days(20), Missing: 1}, {From: days(-9), To: days(-8), Missing: 1}}
	return c
}

func stack() chart.Stack {
	c := chart.Stack{ID: "outcomes", Height: 224, Unit: chart.Count, From: start, To: days(14), Keys: []string{"passed", "restarted", "failed", "canceled"}, XTicks: 4}
	for i := range 14 {
		c.Bars = append(c.Bars, chart.Bar{From: days(i), To: days(i + 1), Values: []float64{float64(10 + i%5), float64(i % 3), float64(i % 2), float64(i % 4)}, Open: i == 13})
	}
	return c
}

func waterfall() chart.Waterfall {
	nan := math.NaN()
	return chart.Waterfall{ID: "jobs", Lanes: []chart.Lane{
		{Name: "lint", Held: nan, Stage: "check", Wait: 0, Start: 8, End: 38, Usual: 30, UsualHigh: 46, Kind: "passed", Text: "30s"},
		{Name: "build:web", Held: nan, Stage: "build", Wait: 0, Start: 20, End: 180, Setup: nan, Usual: nan, UsualHigh: nan, Critical: true, Kind: "passed", Text: "2m 40s"},
		{Name: "e2e:checkout with a name that is far too long <for> the column", Held: nan, Stage: "test", Wait: 180, Start: 200, End: 500, Setup: 60, Usual: 240, UsualHigh: 290, Critical: true, Kind: "failed", Text: "5m 00s", After: []int{1}},
		{Name: "承認する人を待つジョブの名前 🚀🚀🚀", Held: 500, Stage: "deploy", Wait: 600, Start: 610, End: 620, Setup: nan, Usual: nan, UsualHigh: nan, Kind: "passed", Text: "10s", After: []int{2}},
		{Name: "restarted the next day", Held: nan, Stage: "deploy", Wait: nan, Start: 90000, End: 90010, Setup: nan, Usual: nan, UsualHigh: nan, Kind: "passed", Text: "10s"},
		{Name: "deploy", Held: nan, Stage: "deploy", Wait: 500, Start: nan, End: nan, Setup: nan, Usual: nan, UsualHigh: nan, Kind: "waiting", Text: "waits for a person"},
	}, End: 620}
}

func curve(least float64) (all []chart.Point) {
	for i := range 20 {
		all = append(all, chart.Point{Value: least + float64(i*i), Share: float64(i+1) / 20})
	}
	return all
}

func plots() map[string]chart.Plot {
	many := make([]chart.Single, 300)
	for i := range many {
		many[i] = chart.Single{wave(i), int64(1000 + i)}
	}
	heat := chart.Heat{ID: "heat", Rows: []string{"Mon", "Tue"}, Columns: []string{"08", "09", "10"}, Values: [][]float64{{1, 30, math.NaN()}, {70, 100, 15}}, Cuts: []float64{15, 30, 60, 90}, Nothing: "no jobs", Hints: [][]chart.Hint{{{", the latest on 23 Nov", "/p/acme/shop/-/pipelines?from=1"}}}}
	return map[string]chart.Plot{
		"fan":       fan().Plot(),
		"stack":     stack().Plot(),
		"wanted":    wanted().Plot(),
		"waterfall": waterfall().Plot(),
		"heat":      heat.Plot(),
		"contrib":   chart.Contrib{ID: "what", Parts: []chart.Part{{"e2e:checkout", 220, "/p/acme/shop/-/jobs/e2e:checkout"}, {"runner wait", 8, ""}, {"e2e:account", -59, "javascript:alert(1)"}}}.Plot(),
		"beeswarm":  chart.Beeswarm{ID: "swarm", Rows: []chart.Swarm{{"before", many[:120], 650, 900, "/p/acme/shop/-/pipelines?to=1"}, {"after", many[120:], 1300, 1700, ""}}}.Plot(),
		"hist":      chart.Hist{ID: "hist", Height: 224, Bins: []chart.Bin{{0, 60, 3}, {60, 120, 12}, {120, 180, 0}, {180, 240, 5}}, Lines: []chart.Line{{100, "p50"}, {230, "p95"}}}.Plot(),
		"ecdf":      chart.ECDF{ID: "ecdf", Height: 224, Curves: []chart.Curve{{"A", curve(500), []string{"", "", "javascript:alert(1)"}}, {"B", curve(560), slices.Repeat([]string{"/p/acme/shop/-/pipelines?from_s=1"}, 40)}}}.Plot(),
	}
}

// The pictures are looked at when they change: go test -update, and read the diff.
func TestGolden(t *testing.T) {
	t.Parallel()
	got := map[string]string{
		"spark": string(chart.Spark([]float64{5, 6, math.NaN(), 9, 8}, 2)),
		"range": string(chart.RangeBar(10, 40, 60, 90, 120)),
		"meter": string(chart.Meter(.83)),
		"strip": string(chart.Strip([]chart.Outcome{
			{60, "passed", "#1 passed, 1m", "/p/acme/shop/-/pipelines/1"}, {90, "restarted", "#2", ""}, {30, "failed", "#3 <b>", "javascript:alert(1)"}, {math.NaN(), "canceled", "#4", "//evil.example.com"},
		}, 6)),
		"alone": string(chart.SVG("text{font:12px sans-serif}", "acme/shop", "What <it> shows", 800, stack().Plot(), waterfall().Plot())),
	}
	for name, p := range plots() {
		got[name] = string(p.HTML())
	}
	for name, text := range got {
		file := filepath.Join("testdata", name+".html")
		text = strings.ReplaceAll(text, "><", ">\n<") + "\n"
		if *update {
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), text); diff != "" {
			t.Errorf("%s changed; run with -update and look at it (-want +got):\n%s", name, diff)
		}
	}
}

// wellFormed fails unless text is XML of which all numbers are finite, all
// places in percent are in the chart, and nothing can run.
func wellFormed(t *testing.T, text string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader("<root>" + text + "</root>"))
	d.Entity = xml.HTMLEntity
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatalf("not well-formed: %v\n%s", err, text)
		}
		element, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		for _, a := range element.Attr {
			name := a.Name.Local
			switch {
			case name == "fill" && strings.HasPrefix(a.Value, "url(#"): // a pattern, whose lines have a class
			case name == "style" || name == "fill" || strings.HasPrefix(name, "on"):
				t.Errorf("%s has %s=%q", element.Name.Local, name, a.Value)
			case strings.Contains("x x1 x2 y y1 y2 width height d", name) && (strings.Contains(a.Value, "NaN") || strings.Contains(a.Value, "Inf")):
				t.Errorf("%s has %s=%q", element.Name.Local, name, a.Value)
			case strings.HasSuffix(a.Value, "%") && strings.Contains("x x1 x2 width", name):
				if v, err := strconv.ParseFloat(strings.TrimSuffix(a.Value, "%"), 64); err != nil || v < 0 || v > 100.01 {
					t.Errorf("%s has %s=%q, out of the chart", element.Name.Local, name, a.Value)
				}
			}
		}
	}
}

func TestPlotsAreWellFormed(t *testing.T) {
	t.Parallel()
	for _, p := range plots() {
		wellFormed(t, string(p.HTML()))
	}
}

// As many places to read as there are rows in the table; one dot an id.
func TestPointsAreRows(t *testing.T) {
	t.Parallel()
	text := string(fan().Plot().HTML())
	_, after, _ := strings.Cut(text, `data-hover="`)
	places, _, _ := strings.Cut(after, `"`)
	if n := len(strings.Fields(places)); n != 30 {
		t.Errorf("%d places, want 30", n)
	}
	last := -1.0
	for s := range strings.FieldsSeq(places) {
		v, err := strconv.ParseFloat(s, 64)
		if err != nil || v <= last {
			t.Errorf("place %q does not come after %v", s, last)
		}
		last = v
	}
	if dots := strings.Count(text, "h0"); dots != 150 {
		t.Errorf("%d dots, want 150", dots)
	}
}

func TestNothing(t *testing.T) {
	t.Parallel()
	nan := math.NaN()
	for _, p := range []chart.Plot{
		chart.Fan{ID: "a", Height: 200}.Plot(),
		chart.Fan{ID: "a", Height: 200, From: start, To: start, Buckets: []chart.Bucket{{From: start, To: start, N: 9}}}.Plot(),
		chart.Fan{ID: "a", Height: 200, From: start, To: days(1), Buckets: []chart.Bucket{{From: start, To: days(1), N: 1, P50: nan, P80: nan, P95: nan}}, Dots: []chart.Dot{{start, math.Inf(1), "failed", 1}}}.Plot(),
		chart.Stack{ID: "a", Height: 200, From: start, To: days(1), Keys: []string{"x", "y"}, Bars: []chart.Bar{{start, days(1), []float64{nan}, false}}}.Plot(),
		chart.Contrib{ID: "a", Parts: []chart.Part{{Delta: nan}, {Name: "x"}}}.Plot(),
		chart.Beeswarm{ID: "a", Rows: []chart.Swarm{{"x", nil, nan, nan, "/"}, {"y", []chart.Single{{nan, 1}, {0, 2}}, 0, 0, ""}}}.Plot(),
		chart.Hist{ID: "a", Height: 200, Bins: []chart.Bin{{0, 0, 0}}, Lines: []chart.Line{{nan, "p50"}}}.Plot(),
		chart.ECDF{ID: "a", Height: 200, Curves: []chart.Curve{{"a", nil, []string{"/", "/"}}, {"b", []chart.Point{{nan, 1}, {1, nan}, {2, 7}}, []string{"/"}}}}.Plot(),
		chart.Heat{ID: "a", Rows: []string{"x"}}.Plot(),
		chart.Waterfall{ID: "a", Lanes: []chart.Lane{{Held: nan, Wait: nan, Start: nan, End: nan, Setup: nan}, {Start: 5, End: 1, Wait: 9, After: []int{0, 1, 7}}}}.Plot(),
	} {
		wellFormed(t, string(p.HTML()))
	}
	if s := chart.Spark([]float64{nan}, 0) + chart.RangeBar(1, nan, 3, 4, 5) + (chart.Plot{}).HTML(); s != "" {
		t.Errorf("nothing is drawn as %q", s)
	}
	wellFormed(t, string(chart.Spark([]float64{0}, 0)+chart.Meter(nan)+chart.Meter(7)+chart.RangeBar(0, 0, 0, 0, 0)))
}

func TestWords(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		seconds float64
		want    string
	}{
		{0, "0s"},
		{.01, "0.1s"},
		{.44, "0.4s"},
		{.97, "1s"},
		{42.4, "42s"},
		{59.6, "1m 00s"},
		{595, "9m 55s"},
		{3840, "1h 04m"},
		{86400, "24h 00m"},
		{2*86400 + 3*3600, "2d 3h"},
		{-8, "−8s"},
		{math.NaN(), "–"},
		{math.Inf(-1), "–"},
		{1e300, "11574074074d 1h"},
	} {
		if got := chart.Duration(c.seconds); got != c.want {
			t.Errorf("%v: got %q, want %q", c.seconds, got, c.want)
		}
	}
	for _, c := range []struct {
		unit chart.Unit
		v    float64
		want string
	}{
		{chart.Percent, 89.84, "89.8 %"}, {chart.Percent, -.04, "0.0 %"}, {chart.Count, 374, "374"}, {chart.Count, 1.5, "1.5"},
	} {
		if got := c.unit.String(c.v); got != c.want {
			t.Errorf("%v: got %q, want %q", c.v, got, c.want)
		}
	}
	if got := chart.Signed(chart.Seconds, 62) + chart.Signed(chart.Seconds, -8) + chart.Signed(chart.Count, 0); got != "+1m 02s−8s0" {
		t.Error(got)
	}
}

func TestDescriptions(t *testing.T) {
	t.Parallel()
	for got, want := range map[string]string{
		fan().Describe(): "The p50 rose from 10m 00s on 24 Oct to 10m 56s on 22 Nov, and was highest on 19 Nov with 12m 53s. Marked: slower since 4 Nov.",
		stack().Describe([]string{"passed", "restarted", "failed", "canceled"}):                            "Of all, from the lowest part up: passed 81 %, restarted 6 %, failed 3 %, canceled 9 %.",
		chart.Contrib{Parts: []chart.Part{{Name: "unit", Delta: 2}, {Name: "lint", Delta: -1}}}.Describe(): "unit +2s, lint −1s.",
		chart.Fan{}.Describe(): "There is nothing to draw.",
	} {
		if got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

// Whatever numbers and names come, the picture is well-formed and holds them.
func FuzzFan(f *testing.F) {
	f.Add(1.0, 2.0, 3.0, int64(0), int64(86400), 5, "slower")
	f.Add(math.NaN(), math.Inf(1), -1.0, int64(5), int64(-5), 0, "<script>\xff")
	f.Fuzz(func(t *testing.T, a, b, c float64, from, length int64, n int, text string) {
		begin := time.Unix(from%1e10, 0)
		end := begin.Add(time.Duration(length%1e8) * time.Second)
		fan := chart.Fan{ID: "x", Height: 200, From: begin, To: end, Labels: true, XTicks: n % 20, Mark: chart.Mark{At: begin, Text: text}}
		fan.Goals = []chart.Goal{{Value: a, Text: text, IsMissed: true}, {Value: c}}
		fan.Gaps = []chart.Gap{{From: begin, To: begin, Missing: int64(n)}, {From: end, To: begin}}
		for i := range 5 {
			fan.Buckets = append(fan.Buckets, chart.Bucket{From: begin, To: end, N: n + i, P50: a, P80: b, P95: c * float64(i)})
			fan.Dots = append(fan.Dots, chart.Dot{At: end, Value: a * float64(i), Kind: "failed"})
		}
		wellFormed(t, cleaned(string(fan.Plot().HTML())+string(chart.Spark([]float64{a, b, c}, n))+string(chart.RangeBar(a, b, c, a, b))))
		wellFormed(t, cleaned(string(chart.Strip([]chart.Outcome{{a, text, text, text}}, n%50))+
			string(chart.Contrib{ID: text, Parts: []chart.Part{{text, a, text}, {text, b, ""}}}.Plot().HTML())+
			string(chart.Waterfall{ID: "x", Lanes: []chart.Lane{{Name: text, Stage: text, Held: c, Wait: a, Start: b, End: c, Setup: a, Usual: b, UsualHigh: c, Kind: text, Text: text}}}.Plot().HTML())+
			string(chart.Stack{ID: "x", Height: 99, From: begin, To: end, Keys: []string{text, "b"}, Bars: []chart.Bar{{begin, end, []float64{a, b}, true}}}.Plot().HTML())))
	})
}

// cleaned drops the letters that XML can't have and HTML can.
func cleaned(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == '\uFFFE' || r == '\uFFFF' {
			return -1
		}
		return r
	}, s)
}

func TestDirectionsAreShown(t *testing.T) {
	t.Parallel()
	picture := chart.Contrib{ID: "what", Parts: []chart.Part{{Name: "a\u202egnp.exe\u2069", Delta: 1}}}.Plot().HTML()
	if !strings.Contains(string(picture), ">a\uFFFDgnp.exe\uFFFD<") || strings.ContainsAny(string(picture), "\u202e\u2069") {
		t.Errorf("a name that turns around is drawn as %+q", picture)
	}
}
