package oda

import (
	"errors"
	"time"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/prometheus/client_golang/prometheus"
)

// metrics are a Client's counters and gauges.
type metrics struct {
	requests *prometheus.CounterVec
	retries  *prometheus.CounterVec
	rows     *prometheus.CounterVec
	rejects  *prometheus.CounterVec
	seconds  prometheus.Histogram
	waited   *prometheus.HistogramVec
	breaker  prometheus.Gauge
}

// newMetrics makes the metrics and registers them with reg, unless that is nil.
func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "odastream_source_" + name, Help: help}, labels)
	}
	latencies := []float64{.001, .005, .025, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120}
	m := &metrics{
		requests: counter("requests_total", "Requests to the source, each try counted.", "set", "outcome"),
		retries:  counter("retries_total", "Requests that were retried, by kind of fault.", "outcome"),
		rows:     counter("rows_total", "Rows received in pages that passed every check.", "set"),
		rejects:  counter("rejects_total", "Elements of good pages that are not rows.", "set"),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "odastream_source_request_seconds", Help: "Time from sending a request to the last byte of its answer.", Buckets: latencies,
		}),
		waited: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "odastream_source_budget_wait_seconds", Help: "Time that requests waited for the budget.", Buckets: latencies,
		}, []string{"lane"}),
		breaker: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "odastream_source_breaker_open", Help: "The circuit breaker: 0 closed, 1 open, 0.5 trying.",
		}),
	}
	if reg == nil {
		return m, nil
	}
	var errs []error
	for _, c := range []prometheus.Collector{m.requests, m.retries, m.rows, m.rejects, m.seconds, m.waited, m.breaker} {
		errs = append(errs, reg.Register(c))
	}
	return m, errors.Join(errs...)
}

// request counts one try and its outcome; no error is "ok".
func (m *metrics) request(set string, took time.Duration, err *Error) {
	outcome := "ok"
	if err != nil {
		outcome = err.outcome()
	}
	m.requests.WithLabelValues(set, outcome).Inc()
	m.seconds.Observe(took.Seconds())
}

// page counts the rows of a good page.
func (m *metrics) page(set string, rows, rejects int) {
	m.rows.WithLabelValues(set).Add(float64(rows))
	if rejects > 0 {
		m.rejects.WithLabelValues(set).Add(float64(rejects))
	}
}

// setBreaker records the breaker's new state.
func (m *metrics) setBreaker(state circuitbreaker.State) {
	switch state {
	case circuitbreaker.OpenState:
		m.breaker.Set(1)
	case circuitbreaker.HalfOpenState:
		m.breaker.Set(0.5)
	default:
		m.breaker.Set(0)
	}
}
