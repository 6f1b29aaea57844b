package grafana

// sameTime hands the reader's time range on to our pages.
const sameTime = "?from=${__from:date:iso}&to=${__to:date:iso}"

// projectLink opens the page of a project. A path keeps its slashes, so it is
// put in as it is.
func projectLink(project string) Link {
	return Link{Title: "Open the project", URL: "${pmc_url}/p/" + project + sameTime, TargetBlank: true}
}

// pipelineLink opens the page of the pipeline whose number is in a column.
func pipelineLink(project, column string) Link {
	return Link{
		Title: "Open the pipeline", TargetBlank: true,
		URL: "${pmc_url}/p/" + project + "/-/pipelines/${__data.fields." + column + "}",
	}
}

// jobLink opens the page of the job in a row.
func jobLink() Link {
	return Link{
		Title: "Open the job", TargetBlank: true,
		URL: "${pmc_url}/p/${__data.fields.project}/-/jobs/${__data.fields.job:percentencode}" + sameTime,
	}
}
