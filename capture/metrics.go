package capture

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"odastream/checkpoint"
)

// metrics are the poller's own. Those of the source and of Kafka are in their
// packages.
type metrics struct {
	changes      *prometheus.CounterVec
	rows         *prometheus.CounterVec
	batches      *prometheus.CounterVec
	rejects      *prometheus.CounterVec
	failures     *prometheus.CounterVec
	folded       prometheus.Counter
	watermark    *prometheus.GaugeVec
	frontier     *prometheus.GaugeVec
	late         *prometheus.CounterVec
	heldBackRows *prometheus.GaugeVec
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
			Name: "odastream_capture_rejects_total", Help: "Elements of pages that were not rows, dead-lettered.",
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
		frontier: f.NewGaugeVec(prometheus.GaugeOpts{
			Name: "odastream_capture_consistent_through_seconds", Help: "Seconds since 1970 before which nothing of an entity is outstanding.",
		}, []string{"entity"}),
		late: f.NewCounterVec(prometheus.CounterOpts{
			Name: "odastream_capture_late_rows_total", Help: "Rows that turned up behind the watermark, by the highest lateness that they had.",
		}, []string{"entity", "up_to"}),
		heldBackRows: f.NewGaugeVec(prometheus.GaugeOpts{
			Name: "odastream_capture_held_back_rows", Help: "Rows that vanished and whose deletes wait for a second scan or a person.",
		}, []string{"entity"}),
	}
}

// saved counts a batch that is saved.
func (m *metrics) saved(entity string, res result, p checkpoint.Progress) {
	for _, c := range res.changes {
		m.changes.WithLabelValues(entity, string(c.Action), string(c.Origin)).Inc()
	}
	if len(res.changes) > 0 {
		m.batches.WithLabelValues(entity).Inc()
	}
	for _, l := range res.lateness.list {
		m.late.WithLabelValues(entity, l.Bound.String()).Add(float64(l.Rows))
	}
	if !p.Watermark.IsZero() {
		m.watermark.WithLabelValues(entity).Set(seconds(p.Watermark))
	}
	if !p.ConsistentThrough.IsZero() {
		m.frontier.WithLabelValues(entity).Set(seconds(p.ConsistentThrough))
	}
}

// heldBack sets the number of rows whose deletes a scan held back: none if err is nil.
func (m *metrics) heldBack(entity string, err *HeldBackError) {
	rows := 0
	if err != nil {
		rows = err.Rows
	}
	m.heldBackRows.WithLabelValues(entity).Set(float64(rows))
}

func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1e3 }
