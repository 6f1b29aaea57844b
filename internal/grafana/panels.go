package grafana

// Colours of Grafana's own palette that stay readable on both its themes.
const (
	blue      = "blue"
	lightBlue = "light-blue"
	paleBlue  = "super-light-blue"
	green     = "green"
	amber     = "orange"
	red       = "red"
	grey      = "#808b99"
)

// A spec is what differs between panels; the functions below add the rest.
type spec struct {
	title, description string
	w, h               int
	unit               string
	noValue            string
	sql                string
	overrides          []Override
	links              []Link
}

// panel is what all panels have in common.
func (s spec) panel(kind, format string) Panel {
	if s.noValue == "" {
		s.noValue = "No pipeline in this time range"
	}
	if s.overrides == nil {
		s.overrides = []Override{}
	}
	return Panel{
		Type: kind, Title: s.title, Description: s.description, GridPos: GridPos{H: s.h, W: s.w},
		Datasource: dataSource(),
		Targets: []Target{{
			RefID: "A", Datasource: dataSource(), EditorMode: "code", Format: format, RawQuery: true, RawSQL: s.sql,
		}},
		FieldConfig: FieldConfig{
			Defaults: FieldDefaults{
				Unit: s.unit, NoValue: s.noValue,
				Color:      map[string]any{"mode": "fixed", "fixedColor": blue},
				Thresholds: Thresholds{Mode: "absolute", Steps: []ThresholdStep{{Color: blue}}},
				Links:      s.links,
			},
			Overrides: s.overrides,
		},
	}
}

// stat shows the columns of one row as large numbers.
func (s spec) stat() Panel {
	p := s.panel("stat", "table")
	p.Options = map[string]any{
		"colorMode": "value", "graphMode": "none", "justifyMode": "auto", "orientation": "auto", "textMode": "auto",
		"reduceOptions": map[string]any{"calcs": []string{"lastNotNull"}, "fields": "", "values": false},
	}
	return p
}

// lines shows columns over time. At most 60 buckets, none under an hour: a
// percentile of one pipeline says nothing.
func (s spec) lines() Panel {
	p := s.panel("timeseries", "time_series")
	p.MaxDataPoints, p.Interval = 60, "1h"
	p.FieldConfig.Defaults.Min = new(float64)
	p.FieldConfig.Defaults.Color = map[string]any{"mode": "palette-classic"}
	p.FieldConfig.Defaults.Custom = map[string]any{
		"drawStyle": "line", "lineInterpolation": "linear", "lineWidth": 2, "fillOpacity": 0,
		"showPoints": "always", "pointSize": 4, "spanNulls": true,
		"stacking": map[string]any{"mode": "none", "group": "A"},
	}
	p.Options = legend()
	return p
}

// bars shows counts over time, stacked.
func (s spec) bars() Panel {
	p := s.lines()
	p.FieldConfig.Defaults.Custom = map[string]any{
		"drawStyle": "bars", "barAlignment": 1, "lineWidth": 0, "fillOpacity": 80, "showPoints": "never",
		"stacking": map[string]any{"mode": "normal", "group": "A"},
	}
	return p
}

// barChart shows a bar for each row; its first column names the bars.
func (s spec) barChart(x string) Panel {
	p := s.panel("barchart", "table")
	p.FieldConfig.Defaults.Min = new(float64)
	p.FieldConfig.Defaults.Color = map[string]any{"mode": "palette-classic"}
	p.FieldConfig.Defaults.Custom = map[string]any{"fillOpacity": 80, "lineWidth": 0}
	p.Options = legend()
	p.Options["xField"] = x
	p.Options["orientation"] = "auto"
	p.Options["showValue"] = "never"
	p.Options["stacking"] = "none"
	p.Options["xTickLabelSpacing"] = 100
	return p
}

// table shows the rows.
func (s spec) table() Panel {
	p := s.panel("table", "table")
	p.FieldConfig.Defaults.Color = map[string]any{"mode": "thresholds"}
	p.FieldConfig.Defaults.Thresholds.Steps[0].Color = "text"
	p.FieldConfig.Defaults.Custom = map[string]any{"align": "auto", "filterable": true}
	p.Options = map[string]any{"cellHeight": "sm", "showHeader": true}
	return p
}

func legend() map[string]any {
	return map[string]any{
		"legend":  map[string]any{"displayMode": "list", "placement": "bottom", "showLegend": true, "calcs": []string{}},
		"tooltip": map[string]any{"mode": "multi", "sort": "none"},
	}
}

// column overrides settings of one column.
func column(name string, properties ...Property) Override {
	return Override{Matcher: Matcher{ID: "byName", Options: name}, Properties: properties}
}

func unit(u string) Property { return Property{ID: "unit", Value: u} }

func label(s string) Property { return Property{ID: "displayName", Value: s} }

func color(c string) Property {
	return Property{ID: "color", Value: map[string]any{"mode": "fixed", "fixedColor": c}}
}

func opens(links ...Link) Property { return Property{ID: "links", Value: links} }

// percentiles colours the three lines of the seed's percentiles, the darkest
// for the median.
func percentiles() []Override {
	return []Override{
		column("p50", color(blue)), column("p80", color(lightBlue)), column("p95", color(paleBlue)),
	}
}

// layOut numbers the panels and puts them on the grid, left to right; a panel
// that does not fit starts a new line.
func layOut(panels ...Panel) []Panel {
	const width = 24
	x, y, high := 0, 0, 0
	for i := range panels {
		p := &panels[i]
		if x+p.GridPos.W > width {
			x, y, high = 0, y+high, 0
		}
		p.ID, p.GridPos.X, p.GridPos.Y = i+1, x, y
		x += p.GridPos.W
		high = max(high, p.GridPos.H)
	}
	return panels
}

// board is what all dashboards have in common.
func board(uid, title, description string, variables []Variable, panels ...Panel) Dashboard {
	return Dashboard{
		UID: uid, Title: title, Description: description, Tags: []string{"ci-pipelines"},
		Timezone: "browser", Editable: true, GraphTooltip: 1, Refresh: "5m", SchemaVersion: 39,
		Time:        TimeRange{From: "now-30d", To: "now"},
		Templating:  Templating{List: variables},
		Annotations: Annotated{List: []struct{}{}},
		Links: []BoardLink{
			{Title: "Collector", Type: "link", URL: "${pmc_url}/", Icon: "external link", Tooltip: "The collector's own pages", Tags: []string{}, TargetBlank: true},
			{Title: "CI pipelines", Type: "dashboards", Icon: "external link", Tags: []string{"ci-pipelines"}, AsDropdown: true, KeepTime: true},
		},
		Panels: layOut(panels...),
	}
}
