package server

import (
	"net/http"
	"runtime"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/api"
	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/store"
)

// metrics is what the server tells of its own health.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
}

func newMetrics(version string, underWay func() int) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "pmc_http_requests_total",
			Help: "Requests answered, by route and class of status. A request for nothing that is here has the route \"none\".",
		}, []string{"route", "status"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "pmc_http_request_duration_seconds",
			Help:    "Time from a request's headers to the end of its answer.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"route"}),
	}
	m.registry.MustRegister(
		m.requests, m.duration,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "pmc_http_requests_under_way", Help: "Requests that are being answered."},
			func() float64 { return float64(underWay()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "pmc_build_info", Help: "Always 1; its labels say what runs.",
			ConstLabels: prometheus.Labels{"version": version, "go_version": runtime.Version()},
		}, func() float64 { return 1 }),
	)
	return m
}

// saw counts one answered request.
func (m *metrics) saw(route string, status int, took time.Duration) {
	if route == "" {
		route = "none"
	}
	m.requests.WithLabelValues(route, strconv.Itoa(status/100)+"xx").Inc()
	m.duration.WithLabelValues(route).Observe(took.Seconds())
}

// handler is GET /metrics.
func (m *metrics) handler(st *store.Store, a *api.API) api.Handler {
	m.registry.MustRegister(reports{st, a})
	h := promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
	return func(w http.ResponseWriter, r *http.Request) error {
		h.ServeHTTP(w, r)
		return nil
	}
}

// reports reads the store's counters when somebody asks.
type reports struct {
	store *store.Store
	api   *api.API
}

var (
	reportsDesc = prometheus.NewDesc("pmc_reports_total", "Reports by what became of them.", []string{"outcome"}, nil)
	endedDesc   = prometheus.NewDesc("pmc_deliveries_total", "Deliveries of webhooks and CDEvents that were read, by how that ended.", []string{"state"}, nil)
	queueDesc   = prometheus.NewDesc("pmc_report_queue_length", "Reports that wait for a commit.", nil, nil)
	batchDesc   = prometheus.NewDesc("pmc_batch_reports", "Reports that were committed together.", nil, nil)
	commitDesc  = prometheus.NewDesc("pmc_batch_commit_seconds", "Time that the commit of a batch took.", nil, nil)
	errorsDesc  = prometheus.NewDesc("pmc_database_errors_total", "Batches that failed, by class: data, conflict or away.", []string{"class"}, nil)
	packedDesc  = prometheus.NewDesc("pmc_packed_days_total", "Days of projects that were packed for the questions about jobs.", nil, nil)
	upDesc      = prometheus.NewDesc("pmc_database_up", "1 while the database answers.", nil, nil)
)

// Describe implements prometheus.Collector.
func (reports) Describe(all chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{reportsDesc, endedDesc, queueDesc, batchDesc, commitDesc, errorsDesc, packedDesc, upDesc} {
		all <- d
	}
}

// Collect implements prometheus.Collector.
func (r reports) Collect(all chan<- prometheus.Metric) {
	s := r.store.Stats()
	outcomes := map[string]int64{"created": 0, "merged": 0, "unchanged": 0, "invalid": r.api.Refused(), "away": 0, "busy": 0}
	for name, n := range s.Reports {
		outcomes[name] += n
	}
	for name, n := range outcomes {
		all <- prometheus.MustNewConstMetric(reportsDesc, prometheus.CounterValue, float64(n), name)
	}
	for _, state := range []store.DeliveryState{store.DeliveryDone, store.DeliveryIgnored, store.DeliveryFailed} {
		all <- prometheus.MustNewConstMetric(endedDesc, prometheus.CounterValue, float64(s.Deliveries[state]), string(state))
	}
	classes := map[string]int64{"data": 0, "conflict": 0, "away": 0}
	for name, n := range s.Errors {
		classes[name] += n
	}
	for name, n := range classes {
		all <- prometheus.MustNewConstMetric(errorsDesc, prometheus.CounterValue, float64(n), name)
	}
	all <- prometheus.MustNewConstMetric(queueDesc, prometheus.GaugeValue, float64(s.Queue))
	all <- prometheus.MustNewConstSummary(batchDesc, uint64(s.Batches), float64(s.BatchReports), nil)
	all <- prometheus.MustNewConstSummary(commitDesc, uint64(s.Batches), s.CommitTime.Seconds(), nil)
	all <- prometheus.MustNewConstMetric(packedDesc, prometheus.CounterValue, float64(s.PackedDays))
	up := 1.0
	if s.Away {
		up = 0
	}
	all <- prometheus.MustNewConstMetric(upDesc, prometheus.GaugeValue, up)
}
