package exporter

import "github.com/prometheus/client_golang/prometheus"

// Describe describes all series.
func Describe(all chan<- *prometheus.Desc) { (*answer)(nil).Describe(all) }
