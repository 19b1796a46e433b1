package gateway

import (
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the gateway's. Their names are design's.
type metrics struct {
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec

	answers, spares atomic.Int64 // answers with 200 or 304, and those of them without a query
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "odastream_gateway_requests_total", Help: "Requests, by what they asked for, status and class.",
		}, []string{"route", "status_code", "class"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "odastream_gateway_request_duration_seconds", Help: "Time from a request's header to the last byte of its answer.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, []string{"route", "class"}),
	}
	ratio := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "parliament_cache_hit_ratio", Help: "Share of the answers that cost no query, since the start; 0 before the first.",
	}, m.ratio)
	reg.MustRegister(m.requests, m.duration, ratio)
	return m
}

// observe counts a request.
func (m *metrics) observe(q question, status int, took time.Duration) {
	route := q.route
	if route == "" {
		route = "refused" // before it was known what it asks for
	}
	m.requests.WithLabelValues(route, strconv.Itoa(status), q.class.String()).Inc()
	m.duration.WithLabelValues(route, q.class.String()).Observe(took.Seconds())
	if status < 400 {
		m.answers.Add(1)
	}
}

func (m *metrics) ratio() float64 {
	n := m.answers.Load()
	if n == 0 {
		return 0
	}
	return float64(m.spares.Load()) / float64(n)
}

// counted counts the requests that a handler answers. It does not time them: a subscriber
// stays for days.
func (m *metrics) counted(route string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(status, r)
		m.requests.WithLabelValues(route, strconv.Itoa(status.status), noClass.String()).Inc()
	})
}

// statusWriter knows the status of an answer.
type statusWriter struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements http.ResponseWriter.
func (s *statusWriter) WriteHeader(status int) {
	s.status = status
	s.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController: deadlines and flushes are those of the server's
// writer.
func (s *statusWriter) Unwrap() http.ResponseWriter { return s.ResponseWriter }
