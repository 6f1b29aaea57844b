package grafana

// plugin is the id of Grafana's data source for PostgreSQL.
const plugin = "grafana-postgresql-datasource"

// allProjects lists the projects that have a pipeline in the time range.
const allProjects = `SELECT DISTINCT project
FROM ci_pipelines
WHERE $__timeFilter(created_at) AND project IS NOT NULL
ORDER BY project`

// dataSource is what the reader chose at the top: a fixed uid would tie the
// dashboards to one Grafana.
func dataSource() Datasource { return Datasource{Type: plugin, UID: "${ds}"} }

func sourceVariable() Variable {
	return Variable{Name: "ds", Label: "Data source", Type: "datasource", Query: plugin, Options: []Choice{}}
}

// projectsVariable takes one project, several or all.
func projectsVariable() Variable {
	v := projectVariable(allProjects)
	v.Multi, v.IncludeAll = true, true
	v.Current = &Choice{Selected: true, Text: []string{"All"}, Value: []string{"$__all"}}
	return v
}

// projectVariable takes one project.
func projectVariable(query string) Variable {
	ds := dataSource()
	return Variable{
		Name: "project", Label: "Project", Type: "query", Datasource: &ds,
		Query: query, Options: []Choice{}, Refresh: 2, Sort: 5,
	}
}

// customVariable takes one of a fixed list; the first is the default.
func customVariable(name, label, description string, choices ...Choice) Variable {
	v := Variable{
		Name: name, Label: label, Description: description,
		Type: "custom", Options: choices, Current: &choices[0],
	}
	for i, c := range choices {
		if i > 0 {
			v.Query += ", "
		}
		v.Query += c.Text.(string) + " : " + c.Value.(string)
	}
	return v
}

// collectorVariable is where our own pages are, for the links back.
func collectorVariable() Variable {
	here := Choice{Selected: true, Text: "http://localhost:5000", Value: "http://localhost:5000"}
	return Variable{
		Name: "pmc_url", Label: "Collector", Description: "The address of the collector's own pages, for the links.",
		Type: "textbox", Query: "http://localhost:5000", Current: &here, Options: []Choice{here},
	}
}
