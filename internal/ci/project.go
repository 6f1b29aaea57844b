package ci

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// A Project is what a client told of a repository: who owns it and what it
// needs. Empty lists say nothing.
type Project struct {
	Name      string // full path, such as "acme/shop"
	Number    int64  // the CI's own number; 0: not said
	Team      string
	E2eJobs   []string          // names of all its end-to-end jobs
	Schedules []Schedule        // of pipelines
	Packages  map[string]string // versions by the packages' names
}

// A Schedule starts pipelines by the clock.
type Schedule struct {
	Name     string `json:"name"`
	IsActive bool   `json:"is_active"`
}

// Validate returns an *InvalidError whose pointers are into a body of POST
// /save_project_info, or nil.
func (p *Project) Validate() error {
	v := &validator{}
	v.text("/project_name", p.Name, MaxText, true)
	v.text("/team", p.Team, MaxText, false)
	if p.Number < 0 {
		v.bad("/project_id", "must be a whole number from 1 to 9223372036854775807")
	}
	v.texts("/all_e2e_jobs", p.E2eJobs)
	if v.count("/schedules", len(p.Schedules)) {
		for i := range p.Schedules {
			v.text("/schedules/"+strconv.Itoa(i)+"/name", p.Schedules[i].Name, MaxText, true)
		}
	}
	if v.count("/packages", len(p.Packages)) {
		for _, name := range slices.Sorted(maps.Keys(p.Packages)) {
			at := "/packages/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
			v.text(at, name, MaxText, true)
			v.text(at, p.Packages[name], MaxText, false)
		}
	}
	if len(v.fields) == 0 {
		return nil
	}
	return &InvalidError{Fields: v.fields}
}
