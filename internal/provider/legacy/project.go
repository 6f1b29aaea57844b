package legacy

import (
	"bytes"
	"unicode/utf8"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
)

// The keys of a body of POST /save_project_info. Later clients of the original
// send all of them.
const (
	infoTeam fields = 1 << iota
	infoProjectID
	infoProjectName
	infoE2eJobs
	infoSchedules
	infoPackages
)

// The keys of an element of schedules.
const (
	scheduleName fields = 1 << iota
	scheduleActive
)

// ParseProject reads what POST /save_project_info tells of a project, as Parse
// reads a report.
func ParseProject(body []byte) (ci.Project, error) {
	r := &reader{body: bytes.TrimPrefix(body, []byte("\ufeff"))}
	var p ci.Project
	var seen fields
	r.space()
	isObject := r.object(func(key []byte) { projectField(r, &p, &seen, key) })
	switch {
	case isObject:
		r.need(seen, infoTeam, "team", "is required")
		r.need(seen, infoProjectID, "project_id", "is required")
		r.need(seen, infoProjectName, "project_name", "is required")
		r.need(seen, infoE2eJobs, "all_e2e_jobs", "is required")
		r.need(seen, infoSchedules, "schedules", "is required")
		r.need(seen, infoPackages, "packages", "is required")
	case len(r.problems) == 0:
		r.problem("must be an object, not null")
	}
	if r.space(); r.at < len(r.body) {
		r.syntax("something follows the project")
	}
	if len(r.problems) == 0 && !utf8.Valid(body) {
		r.problem("must be UTF-8 throughout")
	}
	if len(r.problems) > 0 {
		return ci.Project{}, &ci.InvalidError{Fields: r.problems}
	}
	return p, nil
}

func projectField(r *reader, p *ci.Project, seen *fields, key []byte) {
	switch string(key) {
	case "team":
		r.field(seen, infoTeam, "team", func() (ok bool) { p.Team, ok = r.text(); return })
	case "project_id":
		r.field(seen, infoProjectID, "project_id", func() (ok bool) { p.Number, ok = r.integer(); return })
	case "project_name":
		r.field(seen, infoProjectName, "project_name", func() (ok bool) { p.Name, ok = r.text(); return })
	case "all_e2e_jobs":
		r.field(seen, infoE2eJobs, "all_e2e_jobs", func() (ok bool) { p.E2eJobs, ok = r.texts(); return })
	case "schedules":
		r.field(seen, infoSchedules, "schedules", func() (ok bool) { p.Schedules, ok = r.schedules(); return })
	case "packages":
		r.field(seen, infoPackages, "packages", func() (ok bool) { p.Packages, ok = r.packages(); return })
	default:
		r.skip()
	}
}

// texts reads an array of names.
func (r *reader) texts() (all []string, ok bool) {
	ok = r.array(func(i int) {
		if !r.hasPlace(i) {
			return
		}
		before := len(r.problems)
		s, isText := r.text()
		if !isText && len(r.problems) == before {
			r.problem("must be a string, not null")
		}
		all = append(all, s)
	})
	return all, ok
}

func (r *reader) schedules() (all []ci.Schedule, ok bool) {
	ok = r.array(func(i int) {
		if r.hasPlace(i) {
			all = append(all, r.schedule())
		}
	})
	return all, ok
}

func (r *reader) schedule() (s ci.Schedule) {
	var seen fields
	before := len(r.problems)
	isObject := r.object(func(key []byte) {
		switch string(key) {
		case "name":
			r.field(&seen, scheduleName, "name", func() (ok bool) { s.Name, ok = r.text(); return })
		case "is_active":
			r.field(&seen, scheduleActive, "is_active", func() (ok bool) { s.IsActive, ok = r.boolean(); return })
		default:
			r.skip()
		}
	})
	switch {
	case isObject:
		r.need(seen, scheduleName, "name", "is required")
		r.need(seen, scheduleActive, "is_active", "is required")
	case len(r.problems) == before:
		r.problem("must be an object, not null")
	}
	return s
}

// packages reads an object of versions by name. Null is a version that is not
// known.
func (r *reader) packages() (all map[string]string, ok bool) {
	all = map[string]string{}
	ok = r.object(func(key []byte) {
		name, isName := r.name(key)
		if !isName {
			r.skip()
			return
		}
		if _, there := all[name]; !there && len(all) == ci.MaxEntries {
			r.problem("must have at most 50000 entries")
			r.broken = true
			return
		}
		var seen fields
		r.field(&seen, 1, escapeKey(name), func() (ok bool) {
			all[name] = ""
			if r.word(`""`) {
				return true
			}
			all[name], ok = r.text()
			return ok
		})
	})
	return all, ok
}
