package capture

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// metrics are the poller's own; those of the source and of Kafka are their
// packages'.
type metrics struct {
	changes   *prometheus.CounterVec
	rows      *prometheus.CounterVec
	batches   *prometheus.CounterVec
	rejects   *prometheus.CounterVec
	failures  *prometheus.CounterVec
	folded    prometheus.Counter
	watermark *prometheus.GaugeVec
}

func newMetrics(reg prometheus.Registerer) *metrics {
	f := promauto.With(reg)
	return &metrics{
		changes: f.NewCounterVec(prometheus.CounterOpts{
			Name: "odastream_capture_changes_total", Help: "Changes published and saved.",
		}, []string{"entity", "action", "origin"}),
		rows: f.NewCounterVec(prometheus.CounterOpts{
			Name: "odastream_capture_rows_total", Help: "Rows read and compared with the ledger.",
		}, []string{"entity", "origin"}),
		batches: f.NewCounterVec(prometheus.CounterOpts{
			Name: "odastream_capture_batches_total", Help: "Batches published and saved.",
		}, []string{"entity"}),
		rejects: f.NewCounterVec(prometheus.CounterOpts{
			Name: "odastream_capture_rejects_total", Help: "Elements of pages that were no rows, dead-lettered.",
		}, []string{"entity"}),
		failures: f.NewCounterVec(prometheus.CounterOpts{
			Name: "odastream_capture_failures_total", Help: "Sessions of an entity that ended with an error and back off.",
		}, []string{"entity"}),
		folded: f.NewCounter(prometheus.CounterOpts{
			Name: "odastream_capture_folded_records_total", Help: "Records read back from topics into the ledger.",
		}),
		watermark: f.NewGaugeVec(prometheus.GaugeOpts{
			Name: "odastream_capture_watermark_seconds", Help: "Watermark of an entity, seconds since 1970: now less this is its age.",
		}, []string{"entity"}),
	}
}

func (m *metrics) moved(entity string, watermark time.Time) {
	m.watermark.WithLabelValues(entity).Set(float64(watermark.UnixMilli()) / 1e3)
}
