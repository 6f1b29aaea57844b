package analytics

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
)

// arguments are the values of a statement's parameters.
type arguments []any

// add takes one more and returns its place in the text: $1, $2, ...
func (a *arguments) add(value any) string {
	*a = append(*a, value)
	return "$" + strconv.Itoa(len(*a))
}

// list takes several and returns their places with commas between.
func (a *arguments) list(values []string) string {
	places := make([]string, len(values))
	for i, v := range values {
		places[i] = a.add(v)
	}
	return strings.Join(places, ", ")
}

// A scope is a filter with its projects found: what questions are asked over.
type scope struct {
	*Filter

	projects []project // nil: all, and too many to name
	room     *room
}

// over is the same of other projects.
func (s *scope) over(projects ...project) *scope { return &scope{s.Filter, projects, s.room} }

// ids are those of the projects; nil: all.
func (s *scope) ids() []int64 {
	if s.projects == nil {
		return nil
	}
	ids := make([]int64, len(s.projects))
	for i, p := range s.projects {
		ids[i] = p.id
	}
	return ids
}

// conditions are joined by AND.
type conditions []string

func (c *conditions) add(condition ...string) { *c = append(*c, strings.Join(condition, "")) }

func (c *conditions) String() string { return strings.Join(*c, " AND ") }

// pipelines is the condition that all questions over pipelines put on them,
// over the alias p: created in the window, of the projects, and what the filter
// asks for; of what it asks of attempts, one attempt must have all. Of pipelines
// whose creation nobody told, nothing is known that could be counted. The
// filter's results are not in it: see result.
func (s *scope) pipelines(args *arguments, w Window) string {
	c := s.created(args, w)
	s.withAttempt(&c, args)
	return c.String()
}

// listed is the same for a list, which also shows pipelines whose creation
// nobody told: by the earliest instant known, or 0 where there is none.
func (s *scope) listed(args *arguments, w Window) string {
	var c conditions
	s.inProjects(&c, args, "p.project_id")
	// The end alone is for the index, which has the newest first: the plus keeps
	// SQLite from looking the others up one by one and sorting them.
	c.add("p.created_ms < ", args.add(w.To.UnixMilli()), " AND (+p.created_ms >= ", args.add(w.From.UnixMilli()), " OR +p.created_ms = 0)")
	s.ofPipelines(&c, args)
	s.withAttempt(&c, args)
	return c.String()
}

func (s *scope) withAttempt(c *conditions, args *arguments) {
	if s.selectsAttempts() {
		c.add("EXISTS (SELECT 1 FROM jobs x WHERE x.project_id = p.project_id AND x.pipeline_id = p.id AND NOT x.is_superseded", s.attempts(args, "x"), ")")
	}
}

// pipelinesAndJobs is the same for questions over attempts, which are the alias
// j: all that the filter asks of attempts is asked of each. Rows that another
// row tells of are no attempts of their own.
func (s *scope) pipelinesAndJobs(args *arguments, w Window) string {
	c := s.created(args, w)
	return c.String() + " AND NOT j.is_superseded" + s.attempts(args, "j")
}

// created is all that is asked of a pipeline itself.
func (s *scope) created(args *arguments, w Window) conditions {
	c := s.seen(args, w)
	c.add("p.created_known")
	return c
}

// seen is created also of pipelines whose creation nobody told, by the earliest
// instant known of them.
func (s *scope) seen(args *arguments, w Window) conditions {
	var c conditions
	s.inProjects(&c, args, "p.project_id")
	c.add("p.created_ms >= ", args.add(w.From.UnixMilli()), " AND p.created_ms < ", args.add(w.To.UnixMilli()))
	s.ofPipelines(&c, args)
	return c
}

func (s *scope) inProjects(c *conditions, args *arguments, column string) {
	if s.projects == nil {
		return
	}
	ids := make([]string, len(s.projects))
	for i, p := range s.projects {
		ids[i] = args.add(p.id)
	}
	switch len(ids) {
	case 0:
		c.add("1 = 0")
	case 1:
		c.add(column, " = ", ids[0])
	default:
		c.add(column, " IN (", strings.Join(ids, ", "), ")")
	}
}

// ofPipelines adds all but projects and time.
func (s *scope) ofPipelines(c *conditions, args *arguments) {
	if refs := s.refs(args); refs != "" {
		c.add(refs)
	}
	for _, l := range []struct {
		column string
		values []string
	}{{"p.workflow", s.Workflows}, {"p.trigger", s.Triggers}, {"p.state", s.States}} {
		if len(l.values) > 0 {
			c.add(l.column, " IN (", args.list(l.values), ")")
		}
	}
	switch s.Restarts {
	case RestartsOut:
		c.add("NOT p.has_restarts")
	case RestartsOnly:
		c.add("p.has_restarts")
	}
}

func (s *scope) refs(args *arguments) string {
	if len(s.Refs) == 0 {
		return "p.on_default_branch"
	}
	var ways, names []string
	for _, ref := range s.Refs {
		switch ref {
		case AnyRef:
			return ""
		case DefaultRef:
			ways = append(ways, "p.on_default_branch")
		case ChangeRef:
			ways = append(ways, "p.ref_kind = 'change'")
		default:
			names = append(names, ref)
		}
	}
	if len(names) > 0 {
		ways = append(ways, "p.ref IN ("+args.list(names)+")")
	}
	return "(" + strings.Join(ways, " OR ") + ")"
}

func (f *Filter) selectsAttempts() bool {
	return len(f.Stages)+len(f.Jobs)+len(f.Runners)+len(f.Tags)+len(f.Reasons) > 0
}

// attempts is what the filter asks of attempts, over an alias of jobs: nothing,
// or more conditions, each after an AND.
func (s *scope) attempts(args *arguments, alias string) string {
	var all strings.Builder
	for _, l := range []struct {
		column string
		values []string
	}{{".stage", s.Stages}, {".name", s.Jobs}, {".failure_reason", s.Reasons}} {
		if len(l.values) > 0 {
			all.WriteString(" AND " + alias + l.column + " IN (" + args.list(l.values) + ")")
		}
	}
	if len(s.Runners) > 0 {
		places := args.list(s.Runners)
		all.WriteString(" AND (" + alias + ".runner_id IN (" + places + ") OR " + alias + ".runner_name IN (" + places + "))")
	}
	if len(s.Tags) > 0 {
		var ways []string
		for _, tags := range s.Tags {
			var each conditions
			for tag := range strings.SplitSeq(tags, ",") {
				// A JSON array holds the tag with its quotes. LIKE would not do: the
				// engines differ on upper and lower case.
				each.add("REPLACE(", alias, ".runner_tags, ", args.add(quoted(tag)), ", '') <> ", alias, ".runner_tags")
			}
			ways = append(ways, each.String())
		}
		all.WriteString(" AND (" + strings.Join(ways, " OR ") + ")")
	}
	return all.String()
}

// result is the condition on how something finished, over an alias that has
// state and result. Where the filter names no result, usual counts.
func (f *Filter) result(args *arguments, alias, usual string) string {
	results := f.Results
	if len(results) == 0 {
		results = []string{usual}
	}
	finished := alias + ".state = '" + string(ci.Finished) + "'"
	if slices.Contains(results, ResultAll) {
		return finished
	}
	var ways []string
	for _, r := range results {
		if r == ResultOK {
			ways = append(ways, alias+".result IS NULL OR "+alias+".result = '"+string(ci.Success)+"'")
		} else {
			ways = append(ways, alias+".result = "+args.add(r))
		}
	}
	return finished + " AND (" + strings.Join(ways, " OR ") + ")"
}

// quoted is a text as it stands in a JSON array.
func quoted(s string) string {
	text, err := json.Marshal(s)
	if err != nil {
		return s // a string always encodes
	}
	return string(text)
}
