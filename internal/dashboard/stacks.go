package dashboard

import (
	"strings"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/dashboard/chart"
)

// A stackPart is one of the parts of a bar whose sums are a T.
type stackPart[T any] struct {
	key, name, field string
	of               func(*T) *float64 // seconds; nil: nobody tells any
}

// columnsOf adds the parts to a picture, its legend and its table, and returns
// their names.
func columnsOf[T any](parts []stackPart[T], picture *chart.Stack, c *Card) (names []string) {
	for _, p := range parts {
		names = append(names, p.name)
		picture.Keys = append(picture.Keys, p.key)
		c.Legend = append(c.Legend, sign("", "k-"+p.key, p.name))
		c.Table.Columns = append(c.Table.Columns, Column{strings.ToUpper(p.name[:1]) + p.name[1:], p.field, true})
	}
	return names
}

// valuesOf are the values of a bar, and its cells in the table.
func valuesOf[T any](parts []stackPart[T], sums *T) (values []float64, cells []Cell) {
	for _, p := range parts {
		value := p.of(sums)
		cells = append(cells, secondsCell(value))
		if value == nil {
			value = new(0.0)
		}
		values = append(values, *value)
	}
	return values, cells
}
