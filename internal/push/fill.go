package push

import (
	"reflect"
	"slices"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/ci"
)

// Fill adds to a report what it leaves out and the current job knows: where it
// is sent from, in words of the CI system. A report of another project or
// pipeline stays as it is.
func Fill(r, current *ci.Report) {
	if r.Project != "" && current.Project != "" && r.Project != current.Project {
		return
	}
	p, c := &r.Pipeline, &current.Pipeline
	known := c.ID != 0 || c.ExternalID != ""
	if known && (p.ID != 0 && p.ID != c.ID || p.ExternalID != "" && p.ExternalID != c.ExternalID) {
		if r.Project == "" {
			r.Project = current.Project
		}
		return
	}
	if r.Project == "" {
		r.Project = current.Project
	}
	if r.Provider == "" {
		r.Provider = current.Provider
	}
	fillStruct(reflect.ValueOf(p).Elem(), reflect.ValueOf(c).Elem())
	for i := range current.Jobs {
		fillJob(r, &current.Jobs[i])
	}
}

// fillJob adds the current job, or what the report leaves out of it.
func fillJob(r *ci.Report, current *ci.Attempt) {
	for i := range r.Jobs {
		a := &r.Jobs[i]
		same := a.ID != "" && a.ID == current.ID || a.ID == "" && a.Name == current.Name
		if current.Name == "" {
			same = len(r.Jobs) == 1 // nobody knows the job's name, but there is no other
		}
		if same {
			steps := slices.Concat(a.Steps, current.Steps)
			fillStruct(reflect.ValueOf(a).Elem(), reflect.ValueOf(current).Elem())
			a.Steps = steps
			return
		}
	}
	if len(current.Steps) > 0 && current.Name != "" {
		r.Jobs = append(r.Jobs, *current)
	}
}

// fillStruct sets the fields of to that are zero. A state belongs to its
// result and its word: these are taken together or not at all.
func fillStruct(to, from reflect.Value) {
	said := false
	status := []string{"State", "Result", "RawStatus"}
	for _, name := range status {
		said = said || !to.FieldByName(name).IsZero()
	}
	for i := range to.NumField() {
		name := to.Type().Field(i).Name
		if said && (name == status[0] || name == status[1] || name == status[2]) {
			continue
		}
		if to.Field(i).IsZero() {
			to.Field(i).Set(from.Field(i))
		}
	}
}
