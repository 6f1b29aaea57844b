package dashboard

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"html/template"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/analytics"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/dashboard/chart"
)

// A found is a finding as a page shows it.
type found struct {
	Lead, Rest template.HTML
	More       template.HTML
	Compare    string
	Key        string // for who dismisses it
	P50        string
	Back       string
}

// news are what changed and the findings of the view's project and time.
type news struct {
	changes  analytics.Changes
	findings analytics.Findings
}

func (d *Dashboard) news(ctx context.Context, v *view) (news, error) {
	return once(v, "news", func() (n news, err error) {
		n.changes, n.findings, err = d.Analytics.News(ctx, v.filter)
		return n, err
	})
}

func (d *Dashboard) findings(ctx context.Context, v *view) (analytics.Findings, error) {
	n, err := d.news(ctx, v)
	return n.findings, err
}

// foundOf makes the findings that the reader has not dismissed.
func (d *Dashboard) foundOf(ctx context.Context, v *view) []found {
	answer, err := d.findings(ctx, v)
	if err != nil {
		return nil // the page's cards say what is wrong
	}
	var all []found
	for i := range answer.Items {
		f := &answer.Items[i]
		if !v.dismissed.has(f) {
			all = append(all, v.found(f))
		}
	}
	return all
}

func (v *view) found(f *analytics.Finding) found {
	const from = ": p50 went from "
	lead, rest, _ := strings.Cut(f.Sentence, from)
	rest = from[2:] + rest
	if about, since, ok := strings.Cut(lead, " is slower since "); ok {
		lead = isolated(about) + " is slower since " + since
	}
	if v.project.Name == "" {
		lead = isolated(f.Project) + ": " + lead
	}
	made := found{
		Lead: template.HTML(lead), //nolint:gosec // names are escaped, the rest is ours
		Key:  keyOf(f), P50: strconv.FormatFloat(f.After.P50S, 'f', 1, 64), Back: v.overview(),
	}
	// The number and the job in the sentence lead to their pages.
	number := strconv.FormatInt(f.FirstPipeline, 10)
	text := template.HTMLEscapeString(rest)
	text = strings.Replace(text, "pipeline "+number, `pipeline <a href="`+template.HTMLEscapeString(pipelineHref(f.Project, f.FirstPipeline))+`">#`+number+`</a>`, 1)
	if job := said(f.Job); job != "" {
		name := template.HTMLEscapeString(job)
		text = strings.Replace(text, name, `<a href="`+template.HTMLEscapeString(v.jobHref(f.Project, job))+`">`+name+`</a>`, 1)
	}
	if step := said(f.Step); step != "" {
		text = strings.Replace(text, "step "+template.HTMLEscapeString(step), "step "+isolated(step), 1)
	}
	made.Rest = template.HTML(text) //nolint:gosec // escaped, and links of ours
	more := fmt.Sprintf("p95 went from %s to %s. Seen in %s since; %s (Mann–Whitney). It costs %s a week.",
		chart.Duration(f.Before.P95S), chart.Duration(f.After.P95S), plural(int64(f.After.Count), "pipeline"), chance(f.P), chart.Duration(f.SecondsPerWeek))
	made.More = template.HTML(template.HTMLEscapeString(more)) //nolint:gosec // escaped
	since := time.Time(f.SinceAt)
	own := &view{project: v.project, zone: v.zone, filter: v.filter}
	own.project.Name = f.Project
	made.Compare = own.href("compare", "from", stamp(since), "to", stamp(v.filter.Window.To), "vs", stamp(v.filter.Window.From)+".."+stamp(since))
	return made
}

// isolated is a name as HTML that turns nothing beside it around, whatever its
// direction.
func isolated(name string) string { return "<bdi>" + template.HTMLEscapeString(name) + "</bdi>" }

// chance says how likely it is that chance alone did it.
func chance(p float64) string {
	if p < .001 {
		return "p < 0.001"
	}
	return "p = " + strconv.FormatFloat(p, 'f', 3, 64)
}

// mark is where the charts of a project say that it got slower.
func (d *Dashboard) mark(ctx context.Context, v *view) chart.Mark {
	answer, err := d.findings(ctx, v)
	if err != nil || len(answer.Items) == 0 || v.project.Name == "" {
		return chart.Mark{}
	}
	at := time.Time(answer.Items[0].SinceAt)
	return chart.Mark{At: at, Text: "slower since " + at.In(v.filter.Zone).Format("2 Jan")}
}

// markIndex is the bucket of a mark; 0: there is none.
func markIndex(m chart.Mark, a *analytics.StatsAnswer) int {
	for i, b := range a.Buckets {
		if !m.At.IsZero() && m.At.Before(time.Time(b.End)) {
			return i
		}
	}
	return 0
}

// dismissedCookie is what one reader does not want to see any more. It is the
// reader's own: who may only read changes nothing for others.
const (
	dismissedCookie = "dismissed"
	maxDismissed    = 40
	worse           = 1.1 // by how much more a finding is shown again
)

// dismissals are findings by key, with the p50 that they had.
type dismissals []dismissal

type dismissal struct {
	key string
	p50 float64
}

func dismissedBy(r *http.Request) (all dismissals) {
	c, err := r.Cookie(dismissedCookie)
	if err != nil {
		return nil
	}
	for part := range strings.SplitSeq(c.Value, ".") {
		key, p50, _ := strings.Cut(part, "~")
		v, err := strconv.ParseFloat(p50, 64)
		if err == nil && key != "" && len(all) < maxDismissed {
			all = append(all, dismissal{key, v})
		}
	}
	return all
}

// has tells whether the finding was dismissed and is not worse since.
func (all dismissals) has(f *analytics.Finding) bool {
	key := keyOf(f)
	for _, d := range all {
		if d.key == key && f.After.P50S <= d.p50*worse {
			return true
		}
	}
	return false
}

func (all dismissals) String() string {
	parts := make([]string, len(all))
	for i, d := range all {
		parts[i] = d.key + "~" + strconv.FormatFloat(math.Round(d.p50), 'f', 0, 64)
	}
	return strings.Join(parts, ".")
}

// keyOf knows a finding again: by what got slower, and where it began.
func keyOf(f *analytics.Finding) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%s\x00%s\x00%d", f.Project, said(f.Workflow), f.Metric, f.FirstPipeline))
	return base64.RawURLEncoding.EncodeToString(sum[:9])
}

// dismiss is POST /dismiss.
func (d *Dashboard) dismiss(w http.ResponseWriter, r *http.Request) error {
	r.Body = http.MaxBytesReader(w, r.Body, 4<<10)
	key, p50 := r.PostFormValue("key"), r.PostFormValue("p50")
	to := r.PostFormValue("to")
	if !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") || strings.Contains(to, `\`) {
		to = "/"
	}
	if v, err := strconv.ParseFloat(p50, 64); err == nil && v >= 0 && len(key) == 12 && plain(key) == key {
		all := append(dismissals{{key, v}}, dismissedBy(r)...)
		http.SetCookie(w, &http.Cookie{ //nolint:gosec // it holds no secret, and the server need not speak TLS itself
			Name: dismissedCookie, Value: all[:min(len(all), maxDismissed)].String(), Path: "/", MaxAge: 180 * 86400, HttpOnly: true, SameSite: http.SameSiteLaxMode,
		})
		Flash(w, "Dismissed for you. It comes back if it gets a tenth worse.")
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
	return nil
}
