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
		records: counter("records_total", "Records before the stored offset: applied or dead-lettered."),
		batches: counter("batches_total", "Transactions committed."),
		rows: f.NewCounterVec(prometheus.CounterOpts{
			Name: "odastream_sink_rows_total", Help: "Records applied, by what they did to the cache.",
		}, []string{"result"}),
		deadLetters: f.NewCounterVec(prometheus.CounterOpts{
			Name: "odastream_sink_dead_letters_total", Help: "Records dead-lettered, by class.",
		}, []string{"class"}),
		delay: f.NewHistogram(prometheus.HistogramOpts{
			Name: "odastream_sink_delay_seconds", Help: "Time from the capture of a change to the commit of its row.",
			Buckets: []float64{.1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200, 86400},
		}),
		seconds: f.NewHistogram(prometheus.HistogramOpts{
			Name: "odastream_sink_batch_seconds", Help: "Time of one transaction.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 15),
		}),
		halved:  counter("halved_batches_total", "Batches split in two, to find a record that Postgres refuses or to shorten a statement."),
		moved:   counter("moved_partitions_total", "Partitions whose stored offset another writer changed; their records were read again."),
		retries: counter("retries_total", "Attempts that failed because of the environment, not of a record."),
		paused:  gauge("paused_partitions", "Partitions paused because their topic cannot be applied."),
		outage:  gauge("outage", "1 while the database cannot be written, else 0."),
		lag: f.NewGaugeVec(prometheus.GaugeOpts{
			Name: "odastream_sink_lag_records", Help: "Offsets between what is applied and the topic's end, over this sink's partitions.",
		}, []string{"topic"}),
	}
}

// countBatch counts a committed transaction.
func (m *metrics) countBatch(segs []segment, r cache.Result, took time.Duration) {
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

// setLags sets the lag of each topic of which this sink has partitions.
func (m *metrics) setLags(status Status) {
	m.lag.Reset()
	for _, topic := range status.Topics {
		m.lag.WithLabelValues(topic.Topic).Set(float64(topic.Lag))
	}
}
