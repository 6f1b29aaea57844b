// Package grafana writes the Grafana dashboards that come with the collector,
// as small structs that become JSON. It must not open a database: its tests
// run every query on a real one.
package grafana

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// A File is one dashboard and the name of the file that it belongs in.
type File struct {
	Name      string // such as "overview.json"
	Dashboard Dashboard
}

// Dashboards are all dashboards that we ship, the first to open first.
func Dashboards() []File {
	return []File{
		{Name: "overview.json", Dashboard: overview()},
		{Name: "seed.json", Dashboard: seed()},
	}
}

// JSON is the dashboard as Grafana reads it, indented, with a newline at the
// end.
func (f File) JSON() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // SQL is easier to review with < and > in it
	e.SetIndent("", "  ")
	if err := e.Encode(f.Dashboard); err != nil {
		return nil, fmt.Errorf("encode dashboard %s: %w", f.Name, err)
	}
	return b.Bytes(), nil
}

// Export writes every dashboard into dir, which it makes when it is not there,
// and returns the paths. With a datasourceUID the dashboards open with that
// data source; else with Grafana's first one for PostgreSQL.
func Export(dir, datasourceUID string) ([]string, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // Grafana runs as another user and must read them
		return nil, fmt.Errorf("make the folder for the dashboards: %w", err)
	}
	var paths []string
	for _, f := range Dashboards() {
		f.Dashboard.openWith(datasourceUID)
		b, err := f.JSON()
		if err != nil {
			return paths, err
		}
		path := filepath.Join(dir, f.Name)
		if err := os.WriteFile(path, b, 0o644); err != nil { //nolint:gosec // as above
			return paths, fmt.Errorf("write a dashboard: %w", err)
		}
		paths = append(paths, path)
	}
	return paths, nil
}

// openWith makes uid the first choice of the variable ds.
func (d *Dashboard) openWith(uid string) {
	if uid == "" {
		return
	}
	for i := range d.Templating.List {
		if v := &d.Templating.List[i]; v.Type == "datasource" {
			v.Current = &Choice{Selected: true, Text: uid, Value: uid}
		}
	}
}
