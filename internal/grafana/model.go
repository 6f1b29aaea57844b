package grafana

// A Dashboard is one dashboard in Grafana's classic JSON model, which every
// Grafana from 10 on reads.
type Dashboard struct {
	ID            *int64      `json:"id"` // always null: Grafana numbers it
	UID           string      `json:"uid"`
	Title         string      `json:"title"`
	Description   string      `json:"description"`
	Tags          []string    `json:"tags"`
	Timezone      string      `json:"timezone"`
	Editable      bool        `json:"editable"`
	GraphTooltip  int         `json:"graphTooltip"` // 1: the crosshair is shared by all panels
	Refresh       string      `json:"refresh"`      // such as "5m"
	SchemaVersion int         `json:"schemaVersion"`
	Time          TimeRange   `json:"time"`
	Templating    Templating  `json:"templating"`
	Annotations   Annotated   `json:"annotations"`
	Links         []BoardLink `json:"links"`
	Panels        []Panel     `json:"panels"`
}

// A TimeRange is the range that a dashboard opens with, such as "now-30d" to
// "now".
type TimeRange struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// Templating holds a dashboard's variables.
type Templating struct {
	List []Variable `json:"list"`
}

// Annotated holds a dashboard's annotation queries. We ship none.
type Annotated struct {
	List []struct{} `json:"list"`
}

// A Variable is one choice at the top of a dashboard.
type Variable struct {
	Name        string      `json:"name"`
	Label       string      `json:"label"`
	Description string      `json:"description,omitempty"`
	Type        string      `json:"type"` // datasource, query, custom or textbox
	Datasource  *Datasource `json:"datasource,omitempty"`
	// Query is the SQL of a query variable, the list of a custom one, the
	// plug-in of a datasource one, the text of a textbox.
	Query      string   `json:"query"`
	Current    *Choice  `json:"current,omitempty"`
	Options    []Choice `json:"options"`
	Multi      bool     `json:"multi"`
	IncludeAll bool     `json:"includeAll"`
	Refresh    int      `json:"refresh,omitempty"` // 2: ask again when the time range changes
	Sort       int      `json:"sort,omitempty"`    // 5: by alphabet, case ignored
	Hide       int      `json:"hide"`
}

// A Choice is a value of a variable. Text and Value are strings, or lists of
// strings where a variable takes several.
type Choice struct {
	Selected bool `json:"selected"`
	Text     any  `json:"text"`
	Value    any  `json:"value"`
}

// A Datasource names where a query is sent. UID is always "${ds}".
type Datasource struct {
	Type string `json:"type"`
	UID  string `json:"uid"`
}

// A BoardLink stands at the top of a dashboard.
type BoardLink struct {
	Title       string   `json:"title"`
	Type        string   `json:"type"` // link, or dashboards: all that have the Tags
	URL         string   `json:"url"`
	Icon        string   `json:"icon"`
	Tooltip     string   `json:"tooltip"`
	Tags        []string `json:"tags"`
	AsDropdown  bool     `json:"asDropdown"`
	IncludeVars bool     `json:"includeVars"`
	KeepTime    bool     `json:"keepTime"`
	TargetBlank bool     `json:"targetBlank"`
}

// A Link leads from a value out of the dashboard.
type Link struct {
	Title       string `json:"title"`
	URL         string `json:"url"`
	TargetBlank bool   `json:"targetBlank"`
}

// A Panel is one box of a dashboard.
type Panel struct {
	ID            int            `json:"id"`
	Type          string         `json:"type"` // stat, timeseries, barchart or table
	Title         string         `json:"title"`
	Description   string         `json:"description"`
	GridPos       GridPos        `json:"gridPos"`
	Datasource    Datasource     `json:"datasource"`
	Targets       []Target       `json:"targets"`
	FieldConfig   FieldConfig    `json:"fieldConfig"`
	Options       map[string]any `json:"options"`
	MaxDataPoints int            `json:"maxDataPoints,omitempty"` // at most this many buckets
	Interval      string         `json:"interval,omitempty"`      // no bucket is shorter, such as "1h"
}

// A GridPos is a panel's place on a grid that is 24 wide; a row is 30 pixels.
type GridPos struct {
	H int `json:"h"`
	W int `json:"w"`
	X int `json:"x"`
	Y int `json:"y"`
}

// A Target is one query of a panel.
type Target struct {
	RefID      string     `json:"refId"`
	Datasource Datasource `json:"datasource"`
	EditorMode string     `json:"editorMode"`
	Format     string     `json:"format"` // time_series or table
	RawQuery   bool       `json:"rawQuery"`
	RawSQL     string     `json:"rawSql"`
}

// A FieldConfig says how the columns of the answer are shown.
type FieldConfig struct {
	Defaults  FieldDefaults `json:"defaults"`
	Overrides []Override    `json:"overrides"`
}

// FieldDefaults hold for every column without an Override.
type FieldDefaults struct {
	Unit       string         `json:"unit"`    // "s" for every duration
	NoValue    string         `json:"noValue"` // shown where there is nothing
	Min        *float64       `json:"min,omitempty"`
	Max        *float64       `json:"max,omitempty"`
	Decimals   *int           `json:"decimals,omitempty"`
	Color      map[string]any `json:"color"`
	Thresholds Thresholds     `json:"thresholds"`
	Custom     map[string]any `json:"custom,omitempty"`
	Links      []Link         `json:"links,omitempty"`
}

// Thresholds colour a value. Ours have one step: what is good depends on the
// project.
type Thresholds struct {
	Mode  string          `json:"mode"`
	Steps []ThresholdStep `json:"steps"`
}

// A ThresholdStep is the colour from a value on; the first has no value.
type ThresholdStep struct {
	Color string   `json:"color"`
	Value *float64 `json:"value"`
}

// An Override holds for the columns that Matcher finds.
type Override struct {
	Matcher    Matcher    `json:"matcher"`
	Properties []Property `json:"properties"`
}

// A Matcher finds columns, by their name.
type Matcher struct {
	ID      string `json:"id"`
	Options string `json:"options"`
}

// A Property is one setting of an Override.
type Property struct {
	ID    string `json:"id"`
	Value any    `json:"value"`
}
