package dashboard

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/analytics"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/dashboard/chart"
)

// A formField is one input of a form. Its ID is the JSON Pointer of what it is in
// the settings, so that what is wrong finds its place.
type formField struct {
	ID, Name, Label, Value, Hint, Wrong string
	Lines                               bool   // one value a line
	Options                             []Link // to choose from: a name, and the value as Href
	List                                []string
	Number                              bool
}

// Height is how many lines a field of lines shows.
func (f formField) Height() int { return min(max(strings.Count(f.Value, "\n")+1, 2), 8) }

// A fieldList is a list of like things, each of several fields.
type fieldList struct {
	ID, Title, Question, One, Hint, Wrong string
	Rows                                  []fieldRow
	IsOrdered                             bool // the order of the rows matters
}

type fieldRow struct {
	Index  int
	Title  string
	Wrong  string
	Fields []formField
}

// A settingsForm is what its template shows.
type settingsForm struct {
	Action  string
	Was     string // what the settings were when the form was first shown
	General []formField
	Lists   []fieldList
	Slower  []formField
	Deploys []formField
	Last    []formField
	Metrics []string // to choose from
	Wrong   []string // what has no field
	CanSave bool
	WhoMay  string // where it can't
	Pending int64
	IsOwn   bool // the phases are the project's own
	Preview *settingsPreview
}

// layOut makes the form of its values.
func (f *settingsForm) layOut(q url.Values, s ci.Settings, server ci.Definitions, branches []string, wrong []ci.FieldError) {
	f.Metrics = analytics.Metrics(s, server)
	f.IsOwn = s.Phases != nil
	f.General = []formField{
		{Name: "default_branch", Label: "Default branch", Hint: "Pages show its pipelines unless asked for others. It holds for pipelines that come from now on; recompute --default-branch decides on the past.", List: branches},
		{Name: "team", Label: "Team", Hint: "Whose project it is. Runner minutes can be added up by team."},
		{Name: "price_per_minute", Label: "A minute of a runner costs", Hint: "In whatever money. GET /api/v1/cost reckons with it.", Number: true},
	}
	f.Last = []formField{
		{Name: "keep_days", Label: "Keep pipelines for so many days", Hint: "Counted from their creation. Empty: for ever. Older ones are deleted for good, once an hour.", Number: true},
		{Name: "late_after_s", Label: "Retries belong to the first pass for so many seconds", Hint: fmt.Sprintf("After it has ended. Empty: as the server has it, %s.", chart.Duration(server.LateAfter.Seconds())), Number: true},
	}
	f.Slower = slowerFields()
	f.Deploys = []formField{
		{Name: "deploy_environments", Label: "To environments", Lines: true},
		{Name: "deploy_jobs", Label: "By jobs", Lines: true},
		{Name: "deploy_not_jobs", Label: "But not by jobs", Lines: true},
	}
	for prefix, all := range map[string][][]formField{"/": {f.General, f.Last}, "/regression/": {f.Slower}, "/deployments/": {f.Deploys}} {
		for _, fields := range all {
			for i := range fields {
				fields[i].ID, fields[i].Value = prefix+strings.TrimPrefix(fields[i].Name, "deploy_"), q.Get(fields[i].Name)
			}
		}
	}
	f.Lists = []fieldList{phaseFields(q), milestoneFields(q, s.Definitions(server)), objectiveFields(q)}
	for _, e := range wrong {
		f.blame(e)
	}
}

// slowerFields are the figures of the rule that says what got slower.
func slowerFields() []formField {
	usual := ci.UsualRegression()
	return []formField{
		{Name: "recent", Label: "Latest values", Hint: fmt.Sprintf("Their median is looked at. Empty: %d.", *usual.Recent), Number: true},
		{Name: "baseline", Label: "Values before them, at most", Hint: fmt.Sprintf("Their median is the baseline. Empty: %d.", *usual.Baseline), Number: true},
		{Name: "least", Label: "Values before them, at least", Hint: fmt.Sprintf("With fewer, nothing is said. Empty: %d.", *usual.Least), Number: true},
		{Name: "rise", Label: "Slower from, in %", Hint: fmt.Sprintf("Above the baseline. Empty: %s.", percentOf(*usual.Rise)), Number: true},
		{Name: "floor_s", Label: "And from, for pipelines", Hint: fmt.Sprintf("90s, 2m; also for milestones and phases. Empty: %s.", chart.Duration(*usual.FloorS))},
		{Name: "job_floor_s", Label: "And from, for jobs", Hint: fmt.Sprintf("Also for steps. Empty: %s.", chart.Duration(*usual.JobFloorS))},
		{Name: "clear", Label: "Over below, in %", Hint: fmt.Sprintf("Above the baseline. Empty: %s.", percentOf(*usual.Clear)), Number: true},
	}
}

func phaseFields(q url.Values) fieldList {
	l := fieldList{
		ID: "phases", Title: "Phases", Question: "Which jobs are what: build, e2e, deploy?", One: namePhase, IsOrdered: true,
		Hint: "A job is in the first phase that matches. In patterns, one a line, * stands for any characters and ? for one; an empty list asks nothing.",
	}
	for i, name := range q[namePhase] {
		l.Rows = append(l.Rows, fieldRow{Index: i, Title: name, Fields: []formField{
			{Name: namePhase, ID: "name", Label: "Name", Value: name},
			{Name: nameStages, ID: "stages", Label: "Stages", Value: q[nameStages][i], Lines: true},
			{Name: nameJobs, ID: "jobs", Label: "Jobs", Value: q[nameJobs][i], Lines: true},
			{Name: nameNotJobs, ID: "not_jobs", Label: "But not jobs", Value: q[nameNotJobs][i], Lines: true},
			{Name: nameSteps, ID: "steps", Label: "Of these, steps", Value: q[nameSteps][i], Lines: true},
		}})
	}
	return l.point()
}

func milestoneFields(q url.Values, by ci.Definitions) fieldList {
	l := fieldList{ID: "milestones", Title: "Milestones", Question: "Which instants does the team wait for?", One: nameMilestone, Hint: "Each has a card on the overview, counted from the creation of the pipeline."}
	phases := make([]Link, len(by.Phases))
	for i, p := range by.Phases {
		phases[i] = Link{p.Name, p.Name}
	}
	for i, name := range q[nameMilestone] {
		l.Rows = append(l.Rows, fieldRow{Index: i, Title: name, Fields: []formField{
			{Name: nameMilestone, ID: "name", Label: "Name", Value: name},
			{Name: nameAt, ID: "at", Label: "Is the", Value: q[nameAt][i], Options: []Link{{"first start", "start"}, {"last finish", "finish"}}},
			{Name: nameOf, ID: "phase", Label: "Of phase", Value: q[nameOf][i], Options: withOption(phases, q[nameOf][i])},
		}})
	}
	return l.point()
}

func objectiveFields(q url.Values) fieldList {
	l := fieldList{ID: "objectives", Title: "Objectives", Question: "How quick is quick enough?", One: nameMetric, Hint: "Drawn in the charts, said on the overview when missed, and what check holds the project against."}
	for i, metric := range q[nameMetric] {
		l.Rows = append(l.Rows, fieldRow{Index: i, Title: metric, Fields: []formField{
			{Name: nameMetric, ID: "metric", Label: "Metric", Value: metric},
			{Name: namePercentile, ID: "percentile", Label: "Percentile", Value: q[namePercentile][i], Options: withOption([]Link{{"p50", "0.5"}, {"p80", "0.8"}, {"p90", "0.9"}, {"p95", "0.95"}, {"p99", "0.99"}}, q[namePercentile][i])},
			{Name: nameMax, ID: "max_s", Label: "At most", Value: q[nameMax][i], Hint: "12m, 90s"},
		}})
	}
	return l.point()
}

// withOption keeps what is chosen, also where it is none of those offered.
func withOption(all []Link, value string) []Link {
	if value == "" || slices.ContainsFunc(all, func(l Link) bool { return l.Href == value }) {
		return all
	}
	return append(slices.Clone(all), Link{value, value})
}

// point gives each field its pointer, and a blank row its title.
func (l fieldList) point() fieldList {
	for i := range l.Rows {
		r := &l.Rows[i]
		for k := range r.Fields {
			r.Fields[k].ID = fmt.Sprintf("/%s/%d/%s", l.ID, r.Index, r.Fields[k].ID)
		}
		if strings.TrimSpace(r.Title) == "" {
			r.Title = "new"
		}
	}
	return l
}

// blame puts what is wrong beside its field, or else its row, list or form.
func (f *settingsForm) blame(e ci.FieldError) {
	say := sentenceOf(e.Reason)
	is := func(pointer string) bool { return e.Pointer == pointer || strings.HasPrefix(e.Pointer, pointer+"/") }
	in := func(fields []formField) bool {
		for i := range fields {
			if is(fields[i].ID) {
				fields[i].Wrong = say
				return true
			}
		}
		return false
	}
	if in(f.General) || in(f.Slower) || in(f.Deploys) || in(f.Last) {
		return
	}
	for i := range f.Lists {
		l := &f.Lists[i]
		for k := range l.Rows {
			if in(l.Rows[k].Fields) {
				return
			}
			if is(fmt.Sprintf("/%s/%d", l.ID, k)) {
				l.Rows[k].Wrong = say
				return
			}
		}
		if is("/" + l.ID) {
			l.Wrong = say
			return
		}
	}
	if is("/deployments") {
		f.Deploys[0].Wrong = say
		return
	}
	f.Wrong = append(f.Wrong, say)
}

// sentenceOf makes a sentence of what a field is or must be.
func sentenceOf(reason string) string { return "It " + reason + "." }
