package dashboard

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/analytics"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/dashboard/chart"
)

// badge is a small picture for a README: a percentile of a metric, with the
// view's filter. metric and p are as in the API.
func (d *Dashboard) badge(w http.ResponseWriter, r *http.Request, v *view) error {
	fraction := .5
	if said := v.query.Get("p"); said != "" {
		all, err := analytics.ParseFractions(said)
		if err != nil {
			return err
		}
		fraction = all[0]
	}
	metric := v.query.Get("metric")
	if metric == "" {
		metric = "active"
	}
	a, err := d.Analytics.Stats(r.Context(), v.filter, metric, []float64{fraction})
	if err != nil {
		return err
	}
	value := "no data"
	if s, ok := a.Summary.Percentiles.At(fraction); ok && a.Summary.Count > 0 {
		value = chart.Duration(s)
	}
	name := strings.ToLower(metricName(metric)) + " p" + strconv.FormatFloat(fraction*100, 'f', -1, 64)
	h := w.Header()
	d.Shell.protect(h)
	h.Set("Content-Type", "image/svg+xml; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; sandbox")
	h.Set("Cache-Control", "public, max-age=300")
	d.Shell.write(w, r, http.StatusOK, []byte(drawBadge(name, value)))
	return nil
}

// drawBadge draws two fields beside each other. Letters are about 6.6 pixels
// wide.
func drawBadge(name, value string) string {
	const letter, pad = 6.6, 12.0
	left, right := float64(len([]rune(name)))*letter+pad, float64(len([]rune(value)))*letter+pad
	w := &htmlWriter{}
	w.f(`<svg xmlns="http://www.w3.org/2000/svg" width="%s" height="20" role="img" aria-label="%s: %s"><title>%s: %s</title>`, fmt.Sprintf("%.0f", left+right), name, value, name, value)
	w.f(`<style>text{font:11px Inter,Verdana,sans-serif;fill:#fff;text-anchor:middle}</style><rect width="%s" height="20" rx="4" fill="#465160"/>`, fmt.Sprintf("%.1f", left+right))
	w.f(`<path d="M%s 0h%sa4 4 0 0 1 4 4v12a4 4 0 0 1-4 4h-%sz" fill="#2456c7"/>`, fmt.Sprintf("%.1f", left), fmt.Sprintf("%.1f", right-4), fmt.Sprintf("%.1f", right-4))
	w.f(`<text x="%s" y="14">%s</text><text x="%s" y="14">%s</text></svg>`, fmt.Sprintf("%.1f", left/2), name, fmt.Sprintf("%.1f", left+right/2), value)
	return string(w.html())
}
