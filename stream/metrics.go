package stream

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"odastream/schema"
)

type publisherMetrics struct {
	changes     *prometheus.CounterVec
	deadLetters *prometheus.CounterVec
	failed      prometheus.Counter
	seconds     prometheus.Histogram
}

// newPublisherMetrics registers with reg, unless reg is nil.
func newPublisherMetrics(reg prometheus.Registerer) *publisherMetrics {
	f := promauto.With(reg)
	return &publisherMetrics{
		changes: f.NewCounterVec(prometheus.CounterOpts{
			Name: "odastream_published_changes_total", Help: "Changes acknowledged by Kafka or dead-lettered as too large.",
		}, []string{"entity", "action"}),
		deadLetters: f.NewCounterVec(prometheus.CounterOpts{
			Name: "odastream_dead_letters_total", Help: "Dead letters acknowledged by Kafka.",
		}, []string{"class"}),
		failed: f.NewCounter(prometheus.CounterOpts{
			Name: "odastream_publish_failures_total", Help: "Publish calls that failed; the topic is then read and what is missing is published again.",
		}),
		seconds: f.NewHistogram(prometheus.HistogramOpts{
			Name: "odastream_publish_seconds", Help: "Time until all changes of a page were acknowledged.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 14),
		}),
	}
}

func (m *publisherMetrics) published(changes []schema.Change, took time.Duration) {
	type kind struct{ entity, action string }
	counts := map[kind]int{}
	for _, c := range changes {
		counts[kind{c.Entity, string(c.Action)}]++
	}
	for k, n := range counts {
		m.changes.WithLabelValues(k.entity, k.action).Add(float64(n))
	}
	m.seconds.Observe(took.Seconds())
}
