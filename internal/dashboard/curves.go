package dashboard

import (
	"context"
	"math"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/analytics"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/dashboard/chart"
)

func (d *Dashboard) curvesCard(ctx context.Context, v *view) (Card, error) {
	c := Card{
		Title: "Pipeline duration, all of it", Question: "Is it a shift of all, or a longer tail?", Define: "compare",
		Legend: []Sign{sign("line", "e0", "A"), sign("line", "e1", "B")},
	}
	a, err := d.comparison(ctx, v)
	if err != nil {
		return c, err
	}
	if len(a.BaseCurve) == 0 && len(a.HeadCurve) == 0 {
		c.Empty = &Empty{Text: "Neither side has pipelines."}
		return c, nil
	}
	picture := chart.ECDF{ID: "curves", Height: 300, Curves: []chart.Curve{curveOf("A", a.BaseCurve), curveOf("B", a.HeadCurve)}}
	c.Table = v.curvesTable(picture.Curves, picture.Edges(), [2]analytics.Filter{a.base, v.filter})
	c.Desc = "For each duration, which part of the pipelines took no longer."
	if a.Asked.BaseS != nil && a.Asked.HeadS != nil {
		c.Desc += " Half of A took no longer than " + chart.Duration(*a.Asked.BaseS) + ", half of B no longer than " + chart.Duration(*a.Asked.HeadS) + "."
	}
	c.Plots = []chart.Plot{picture.Plot()}
	return c, nil
}

func curveOf(name string, points []analytics.CurvePoint) chart.Curve {
	curve := chart.Curve{Name: name}
	for _, p := range points {
		curve.Points = append(curve.Points, chart.Point{Value: p.Seconds, Share: p.Share})
	}
	return curve
}

// curvesTable has a row for the durations from each edge to the next. Each of
// its parts, and of the curves, leads to the pipelines of its side that took so
// long.
func (v *view) curvesTable(curves []chart.Curve, edges []float64, sides [2]analytics.Filter) Table {
	t := Table{Columns: []Column{
		{"From", "from_s", false},
		{"to", "to_s", true},
		{"A", "base_share", true},
		{"A, shorter too", "base_below_share", true},
		{"B", "head_share", true},
		{"B, shorter too", "head_below_share", true},
	}}
	for k, from := range edges {
		to, end := math.Inf(1), Cell{"and more", nil}
		var toS *float64
		if k+1 < len(edges) {
			to, toS = edges[k+1], &edges[k+1]
			end = secondsCell(toS)
		}
		r := Row{Cells: []Cell{{chart.Duration(from), from}, end}, Hrefs: []string{"", ""}}
		for i := range curves {
			curve := &curves[i]
			below, href := curve.Below(to), ""
			part := below - curve.Below(from)
			if part > 0 {
				href = v.tookHref(sides[i], "active", &from, toS)
				r.Href = href // at last that of B, which is what the filters say
			}
			curve.Hrefs = append(curve.Hrefs, href)
			r.Cells = append(r.Cells, Cell{percent(part), part}, Cell{percent(below), below})
			r.Hrefs = append(r.Hrefs, href, "")
		}
		if toS != nil || r.Href != "" {
			t.Rows = append(t.Rows, r)
		}
	}
	return t
}
