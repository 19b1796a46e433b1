package apply

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"odastream/cache"
)

type metrics struct {
	records     prometheus.Counter
	batches     prometheus.Counter
	rows        *prometheus.CounterVec
	deadLetters *prometheus.CounterVec
	delay       prometheus.Histogram
	seconds     prometheus.Histogram
	halved      prometheus.Counter
	moved       prometheus.Counter
	retries     prometheus.Counter
	paused      prometheus.Gauge
	outage      prometheus.Gauge
	lag         *prometheus.GaugeVec
}

func newMetrics(reg prometheus.Registerer) *metrics {
	f := promauto.With(reg)
	counter := func(name, help string) prometheus.Counter {
		return f.NewCounter(prometheus.CounterOpts{Name: "odastream_sink_" + name, Help: help})
	}
	gauge := func(name, help string) prometheus.Gauge {
		return f.NewGauge(prometheus.GaugeOpts{Name: "odastream_sink_" + name, Help: help})
	}
	return &metrics{
		records: counter("records_total", "Records that the offset has passed: applied, or dead-lettered."),
		batches: counter("batches_total", "Transactions committed."),
		rows: f.NewCounterVec(prometheus.CounterOpts{
			Name: "odastream_sink_rows_total", Help: "What became of the records applied.",
		}, []string{"result"}),
		deadLetters: f.NewCounterVec(prometheus.CounterOpts{
			Name: "odastream_sink_dead_letters_total", Help: "Records that the offset has passed by way of a dead letter.",
		}, []string{"class"}),
		delay: f.NewHistogram(prometheus.HistogramOpts{
			Name: "odastream_sink_delay_seconds", Help: "From the capture of a change to the commit of its row.",
			Buckets: []float64{.1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200, 86400},
		}),
		seconds: f.NewHistogram(prometheus.HistogramOpts{
			Name: "odastream_sink_batch_seconds", Help: "Time of one transaction.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 15),
		}),
		halved:  counter("halved_batches_total", "Batches divided, to find a record that Postgres refuses or to be quicker."),
		moved:   counter("moved_partitions_total", "Partitions that another writer had moved; their records were read again."),
		retries: counter("retries_total", "Tries that failed for a reason that is not a record's own."),
		paused:  gauge("paused_partitions", "Partitions held up by trouble of their own while the others go on."),
		outage:  gauge("outage", "1 while nothing can be written to the database."),
		lag: f.NewGaugeVec(prometheus.GaugeOpts{
			Name: "odastream_sink_lag_records", Help: "Offsets between what is applied and the topic's end, of this sink's partitions.",
		}, []string{"topic"}),
	}
}

// batch counts a committed transaction.
func (m *metrics) batch(segs []segment, r cache.Result, took time.Duration) {
	m.batches.Inc()
	m.seconds.Observe(took.Seconds())
	for result, n := range map[string]int{
		"inserted": r.Inserted, "updated": r.Updated, "deleted": r.Deleted,
		"unchanged": r.Unchanged, "stale": r.Stale, "superseded": r.Superseded,
	} {
		m.rows.WithLabelValues(result).Add(float64(n))
	}
	now := time.Now()
	for _, seg := range segs {
		m.records.Add(float64(len(seg.items)))
		for _, it := range seg.items {
			if it.fault != nil {
				m.deadLetters.WithLabelValues(string(it.fault.class)).Inc()
			} else if at := it.message.Change.Timestamp; !at.IsZero() {
				m.delay.Observe(now.Sub(at).Seconds())
			}
		}
	}
}

// lags shows the lag of each topic of which this sink has partitions.
func (m *metrics) lags(status Status) {
	m.lag.Reset()
	for _, topic := range status.Topics {
		m.lag.WithLabelValues(topic.Topic).Set(float64(topic.Lag))
	}
}
