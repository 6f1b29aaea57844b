package analytics

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
)

// A Filter says which pipelines, and which of their attempts, an answer is
// about. It is what a URL's query says, for API, pages, CSV and badges alike:
// ParseFilter makes it and Query writes it back. A list with several values
// means any of them; an empty one means all.
type Filter struct {
	Projects  []string // by full path; empty: all
	Range     string   // as said, such as "30d"; empty where from and to were said
	Window    Window   // the time that is asked for: pipelines created in it
	Refs      []string // names, AnyRef, DefaultRef or ChangeRef; empty: DefaultRef
	Workflows []string
	Triggers  []string
	States    []string // of the pipeline
	Results   []string // words of ci.Result, ResultOK or ResultAll; empty: as the question counts by default
	Restarts  string   // RestartsIn, RestartsOut or RestartsOnly
	Stages    []string // these five select attempts, and of pipelines those with such an attempt
	Jobs      []string
	Runners   []string // by id or name
	Tags      []string // of the runner; with commas between: it has all of them
	Reasons   []string // why the attempt failed, as the CI said
	Bucket    string   // "auto" or a width that BucketWidths lists
	Zone      *time.Location
	// Versus is the time to compare with. Zero: nothing to compare with.
	Versus Window

	versus string // as said
	open   bool   // no end of the window was said: it is now
}

// A Window is a span of time: From is in it, To is not.
type Window struct {
	From, To time.Time
}

// IsZero tells whether there is no window.
func (w Window) IsZero() bool { return w.From.IsZero() && w.To.IsZero() }

// has tells whether an instant, in Unix milliseconds, is in the window.
func (w Window) has(ms int64) bool { return ms >= w.From.UnixMilli() && ms < w.To.UnixMilli() }

// joined puts windows in order and joins those that meet. Empty ones are left
// out.
func joined(windows ...Window) []Window {
	all := slices.DeleteFunc(windows, Window.IsZero)
	slices.SortFunc(all, func(a, b Window) int { return a.From.Compare(b.From) })
	joined := all[:0]
	for _, w := range all {
		if n := len(joined) - 1; n >= 0 && !w.From.After(joined[n].To) {
			joined[n].To = slices.MaxFunc([]Window{joined[n], w}, func(a, b Window) int { return a.To.Compare(b.To) }).To
			continue
		}
		joined = append(joined, w)
	}
	return joined
}

// The words that a filter knows.
const (
	DefaultRef = "@default" // the project's default branch
	AnyRef     = "@all"
	ChangeRef  = "@mr" // merge and pull requests

	ResultOK  = "ok"  // success, or finished without a word on how
	ResultAll = "all" // everything that has finished

	RestartsIn   = "in"
	RestartsOut  = "out"
	RestartsOnly = "only"

	bucketAuto   = "auto"
	defaultRange = "30d"
	versusPrev   = "prev"
	versusNone   = "none"
)

// The limits of a filter.
const (
	maxValues = 100  // of one parameter
	maxValue  = 1024 // bytes of one value
	maxYears  = 10   // of a window
)

// A FieldError says which parameter of a query can't be used, and why.
type FieldError struct {
	Field  string
	Reason string // a sentence for people
}

// Error implements error.
func (e *FieldError) Error() string { return e.Field + ": " + e.Reason }

// ParseFilter reads a URL's query as it is understood at the instant now.
// Parameters that are none of a filter are left alone, for a question may have
// its own. It fails with a *FieldError.
func ParseFilter(q url.Values, now time.Time) (Filter, error) {
	f := Filter{Restarts: RestartsIn, Bucket: bucketAuto, Zone: time.UTC}
	for _, l := range f.lists() {
		values, err := listOf(q, l.name)
		if err != nil {
			return Filter{}, err
		}
		*l.values = values
	}
	for _, parse := range []func(url.Values, time.Time) error{f.parseWords, f.parseWindow, f.parseVersus} {
		if err := parse(q, now); err != nil {
			return Filter{}, err
		}
	}
	if _, err := f.Edges(); err != nil {
		return Filter{}, err
	}
	return f, nil
}

type list struct {
	name   string
	values *[]string
}

// lists are the parameters that may be repeated, in the order in which Query
// writes them.
func (f *Filter) lists() []list {
	return []list{
		{"project", &f.Projects},
		{"ref", &f.Refs},
		{"workflow", &f.Workflows},
		{"trigger", &f.Triggers},
		{"state", &f.States},
		{"result", &f.Results},
		{"stage", &f.Stages},
		{"job", &f.Jobs},
		{"runner", &f.Runners},
		{"tag", &f.Tags},
		{"reason", &f.Reasons},
	}
}

// listOf returns the values of a parameter, sorted and each once, without
// empty ones: a form sends those for what was left blank.
func listOf(q url.Values, name string) ([]string, error) {
	values := slices.DeleteFunc(slices.Clone(q[name]), func(v string) bool { return v == "" })
	slices.Sort(values)
	values = slices.Compact(values)
	if len(values) > maxValues {
		return nil, &FieldError{name, fmt.Sprintf("At most %d values may be given.", maxValues)}
	}
	for _, v := range values {
		if len(v) > maxValue || strings.ContainsRune(v, 0) || !validUTF8(v) {
			return nil, &FieldError{name, fmt.Sprintf("A value is text of at most %d bytes.", maxValue)}
		}
	}
	if len(values) == 0 {
		return nil, nil
	}
	return values, nil
}

func validUTF8(s string) bool { return strings.ToValidUTF8(s, "") == s }

// only returns the one value of a parameter, or "".
func only(q url.Values, name string) (string, error) {
	values, err := listOf(q, name)
	switch {
	case err != nil:
		return "", err
	case len(values) > 1:
		return "", &FieldError{name, "It may be given once."}
	case len(values) == 0:
		return "", nil
	}
	return values[0], nil
}

// Query is the filter in its canonical form: what is the default is left out
// and the order is fixed, so that one view has one URL.
func (f *Filter) Query() url.Values {
	q := url.Values{}
	for _, l := range f.lists() {
		if len(*l.values) > 0 {
			q[l.name] = slices.Clone(*l.values)
		}
	}
	if f.Range == "" {
		q.Set("from", stamp(f.Window.From))
		if !f.open {
			q.Set("to", stamp(f.Window.To))
		}
	} else if f.Range != defaultRange {
		q.Set("range", f.Range)
	}
	for _, word := range []struct{ name, value, usual string }{
		{"restarts", f.Restarts, RestartsIn},
		{"bucket", f.Bucket, bucketAuto},
		{"vs", f.versus, versusPrev},
		{"tz", f.Zone.String(), "UTC"},
	} {
		if word.value != word.usual {
			q.Set(word.name, word.value)
		}
	}
	return q
}

// With is the canonical query with other values of one parameter; none: its
// default. Links of pages are made with it.
func (f *Filter) With(name string, values ...string) url.Values {
	q := f.Query()
	switch name {
	case "range":
		q.Del("from")
		q.Del("to")
	case "from", "to":
		q.Set("from", stamp(f.Window.From))
		q.Set("to", stamp(f.Window.To))
		q.Del("range")
	}
	q[name] = values
	if len(values) == 0 {
		q.Del(name)
	}
	return q
}

// Absolute is the filter with its time written as instants, so that a link
// shows the same picture in a month.
func (f *Filter) Absolute() Filter {
	fixed := *f
	fixed.Range, fixed.open = "", false
	return fixed
}

// stamp writes an instant as RFC 3339 in UTC, to the millisecond if need be.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.999Z07:00") }
