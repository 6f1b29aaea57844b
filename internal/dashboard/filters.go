package dashboard

import (
	"context"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/analytics"
)

// A filterForm is the form above a page. It is a plain GET form.
type filterForm struct {
	Action  string
	Fields  []field
	Kept    []hidden // of the query, what the form has no field for
	Chips   []Link   // filters that can be taken off one by one
	Copy    string   // the address that shows the same in a month
	CSV     string   // all of the page as a table; empty: there is none
	Few     string   // what is to be known of a small number; empty: nothing
	Printed string   // the filters as words
}

type field struct {
	Label, Name string
	Usual       string // the value that stays out of the address
	Options     []option
}

type option struct {
	Value, Name string
	Chosen      bool
}

type hidden struct{ Name, Value string }

// which fields a page's form has.
const (
	byRange = 1 << iota
	byRef
	byWorkflow
	byTrigger
	byRestarts
	byVersus
	byProject
)

const overviewFields = byRange | byRef | byWorkflow | byTrigger | byRestarts | byVersus

// form makes the form of a page at an address.
func (v *view) form(ctx context.Context, action string, fields int) filterForm {
	f := &v.filter
	form := filterForm{Action: action, Copy: action + v.link(v.frozen())}
	shown := map[string]bool{}
	add := func(bit int, made field) {
		if fields&bit == 0 {
			return
		}
		shown[made.Name] = true
		form.Fields = append(form.Fields, made)
	}
	add(byRange, v.rangeField())
	choices, err := v.d.choices(ctx, v)
	if err != nil {
		choices = analytics.Choices{} // the page's cards will say what is wrong
	}
	add(byRef, chosen(field{Label: "Branch", Name: "ref", Usual: analytics.DefaultRef}, f.Refs, v.refOptions(choices.Refs)))
	if len(choices.Workflows) > 1 || len(f.Workflows) > 0 {
		add(byWorkflow, chosen(field{Label: "Workflow", Name: "workflow"}, f.Workflows, withAll(choices.Workflows)))
	}
	if len(choices.Triggers) > 1 || len(f.Triggers) > 0 {
		add(byTrigger, chosen(field{Label: "Trigger", Name: "trigger"}, f.Triggers, withAll(choices.Triggers)))
	}
	add(byRestarts, chosen(field{Label: "Restarts", Name: "restarts", Usual: analytics.RestartsIn}, []string{f.Restarts}, []option{
		{Value: analytics.RestartsIn, Name: "Included"}, {Value: analytics.RestartsOut, Name: "Left out"}, {Value: analytics.RestartsOnly, Name: "Only these"},
	}))
	add(byVersus, v.versusField())
	form.keep(v, shown)
	return form
}

// frozen is the filter's query with its time as instants.
func (v *view) frozen() url.Values {
	fixed := v.filter.Absolute()
	q := fixed.Query()
	maps.Copy(q, v.own())
	return q
}

// own is what of the query belongs to the page and not to the filter.
func (v *view) own() url.Values {
	q := url.Values{}
	for _, name := range []string{"sort", "order", "q", "name", "metric", "from_s", "to_s", "a", "b"} {
		if v.query.Has(name) {
			q[name] = v.query[name]
		}
	}
	return q
}

// kept is what links to other pages keep of the filter: all but what belongs
// to one job.
func (v *view) kept() url.Values {
	q := v.filter.Query()
	for _, name := range []string{"job", "stage", "runner", "tag", "reason", "state", "result", "bucket"} {
		q.Del(name)
	}
	return q
}

// keep adds what the form has no field for, and chips for what was chosen
// besides.
func (form *filterForm) keep(v *view, shown map[string]bool) {
	q := v.filter.Query()
	if q.Has("from") && shown["range"] {
		shown["from"], shown["to"] = true, true // the option of the range says them
	}
	v.linkNames(q)
	names := make([]string, 0, len(q))
	for name := range q {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if shown[name] && len(q[name]) < 2 {
			continue
		}
		for _, value := range q[name] {
			form.Kept = append(form.Kept, hidden{name, value})
			rest := v.filter.Query()
			rest[name] = slices.DeleteFunc(slices.Clone(rest[name]), func(s string) bool { return s == value })
			if len(rest[name]) == 0 {
				rest.Del(name)
			}
			maps.Copy(rest, v.own())
			if name != "vs" && name != "tz" {
				form.Chips = append(form.Chips, Link{name + ": " + value, form.Action + v.link(rest)})
			}
		}
	}
	for name, values := range v.own() {
		if name == "vs_ref" { // a field of its own
			continue
		}
		for _, value := range values {
			form.Kept = append(form.Kept, hidden{name, value})
		}
	}
}

// linkNames takes out what links leave out.
func (v *view) linkNames(q url.Values) {
	if v.project.Name != "" {
		q.Del("project")
	}
	if q.Get("tz") == v.zone {
		q.Del("tz")
	}
}

func (v *view) rangeField() field {
	made := field{Label: "Range", Name: "range", Usual: "30d"}
	found := false
	for _, o := range []option{{Value: "24h", Name: "Last 24 hours"}, {Value: "7d", Name: "Last 7 days"}, {Value: "30d", Name: "Last 30 days"}, {Value: "90d", Name: "Last 90 days"}, {Value: "180d", Name: "Last 180 days"}, {Value: "1y", Name: "Last year"}} {
		o.Chosen = o.Value == v.filter.Range
		found = found || o.Chosen
		made.Options = append(made.Options, o)
	}
	if !found {
		words, _, _ := strings.Cut(v.rangeWords(), ", ")
		made.Options = append(made.Options, option{Value: v.filter.Range, Name: words, Chosen: true})
	}
	return made
}

func (v *view) versusField() field {
	made := field{Label: "Compare", Name: "vs", Usual: "prev"}
	said := v.filter.Query().Get("vs")
	if said == "" {
		said = "prev"
	}
	found := false
	for _, o := range []option{{Value: "prev", Name: "Period before"}, {Value: "none", Name: "Nothing"}} {
		o.Chosen = o.Value == said
		found = found || o.Chosen
		made.Options = append(made.Options, o)
	}
	if !found {
		z := v.filter.Zone
		made.Options = append(made.Options, option{said, v.filter.Versus.From.In(z).Format("2 Jan") + " – " + v.filter.Versus.To.In(z).Format("2 Jan"), true})
	}
	return made
}

func (v *view) refOptions(names []string) []option {
	usual := "Default"
	if v.project.DefaultBranch != "" {
		usual = v.project.DefaultBranch + " (default)"
	}
	all := []option{{Value: analytics.DefaultRef, Name: usual}, {Value: analytics.AnyRef, Name: "All"}, {Value: analytics.ChangeRef, Name: "Merge requests"}}
	for _, name := range names {
		all = append(all, option{Value: name, Name: name})
	}
	return all
}

func withAll(names []string) []option {
	all := []option{{Value: "", Name: "All"}}
	for _, name := range names {
		all = append(all, option{Value: name, Name: name})
	}
	return all
}

// chosen marks the option that is in force. Several at once, or one that is not
// in the list, become an option of their own.
func chosen(made field, values []string, options []option) field {
	value := made.Usual
	if len(values) > 0 {
		value = values[0]
	}
	found := false
	for _, o := range options {
		o.Chosen = o.Value == value && len(values) < 2
		found = found || o.Chosen
		made.Options = append(made.Options, o)
	}
	if !found {
		made.Options = append(made.Options, option{value, strings.Join(values, " or "), true})
	}
	return made
}
