package capture

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"odastream/checkpoint"
	"odastream/internal/test/kafkatest"
	"odastream/oda"
	"odastream/odasim"
	"odastream/schema"
	"odastream/stream"
)

// benchRows is the number of rows of the first load that the benchmarks measure.
const benchRows = 200_000

// BenchmarkFirstLoad measures a first load and, in the same run, how fast the same
// pages are read and discarded. Reading is measured twice, so that limit/limit shows
// the noise of the measurement.
func BenchmarkFirstLoad(b *testing.B) {
	w := newBenchWorld(b)
	againstReading(b, w, w.resetAll, w.mustOnce)
}

// BenchmarkReadAndPublish measures the part of a first load that no store can save:
// the same pages are read and published.
func BenchmarkReadAndPublish(b *testing.B) {
	w := newBenchWorld(b)
	againstReading(b, w, w.resetAll, func() { readAndPublish(b, w) })
}

// BenchmarkScanUnchanged is BenchmarkFirstLoad for a scan that finds no change.
func BenchmarkScanUnchanged(b *testing.B) {
	w := newBenchWorld(b)
	w.mustOnce()
	w.cfg.ScanEvery = time.Nanosecond
	againstReading(b, w, func() {}, w.mustOnce)
}

// newBenchWorld returns a world with benchRows rows at the source.
func newBenchWorld(b *testing.B) *world {
	b.Helper()
	w := newWorld(b, odasim.Options{}, "Dokument")
	w.workers = 16
	w.sim.SetNow(atNoon())
	fill(b, w.sim)
	return w
}

func againstReading(b *testing.B, w *world, prepare, work func()) {
	b.Helper()
	var limit, again, worked time.Duration
	for b.Loop() {
		limit += timed(func() { readAndDiscard(b, w) })
		prepare()
		worked += timed(work)
		again += timed(func() { readAndDiscard(b, w) })
	}
	rows := float64(benchRows * b.N)
	b.ReportMetric(rows/worked.Seconds(), "rows/s")
	b.ReportMetric(rows/limit.Seconds(), "limit-rows/s")
	b.ReportMetric((limit+again).Seconds()/2/worked.Seconds(), "of-limit")
	b.ReportMetric(limit.Seconds()/again.Seconds(), "limit/limit")
}

func timed(do func()) time.Duration {
	start := time.Now()
	do()
	return time.Since(start)
}

// resetAll makes the next load a first one, to new topics, which exist already.
func (w *world) resetAll() {
	w.kafka.TopicPrefix = kafkatest.Prefix(w.t)
	p, stop := w.process()
	defer stop()
	if err := p.topics.Ensure(w.t.Context(), p.names()); err != nil {
		w.t.Fatal(err)
	}
	w.exec(`TRUNCATE poller_watermarks, poller_ledger, poller_positions, poller_scans, poller_vanished`)
}

// fill puts rows of medium size, with ids as dense as the source's.
func fill(b *testing.B, sim *odasim.Server) {
	b.Helper()
	const text = "Lovforslag om ændring af lov om social pension, lov om højeste, mellemste og andre forhold"
	for id := range int64(benchRows) {
		row := fmt.Appendf(nil, `{"id":%d,"typeid":3,"kategoriid":%d,"statusid":5,"offentlighedskode":"O","titel":"%s nr. %d","dato":"2014-09-30T00:00:00","resume":"%s","opdateringsdato":"2014-10-01T12:00:00"}`,
			id+1, id%17, text, id, text)
		if err := sim.Put("Dokument", row); err != nil {
			b.Fatal(err)
		}
	}
}

// readAndDiscard reads every page that a scan reads, as many at once.
func readAndDiscard(b *testing.B, w *world) {
	b.Helper()
	readAll(b, w, func([]oda.Row) {})
}

// publishers is how many publishers readAndPublish has: enough that no page waits.
const publishers = 3

// readAndPublish reads every page that a scan reads and publishes its rows, in
// batches as large as a first load's.
func readAndPublish(b *testing.B, w *world) {
	b.Helper()
	pub, err := stream.NewPublisher(w.kafka, w.logger(), prometheus.NewRegistry())
	if err != nil {
		b.Fatal(err)
	}
	defer pub.Close()
	pages := make(chan []oda.Row, queuedMessages)
	var group errgroup.Group
	var seq atomic.Int64
	for range publishers {
		group.Go(func() error { return publishAll(b.Context(), pub, pages, &seq) })
	}
	readAll(b, w, func(page []oda.Row) { pages <- page })
	close(pages)
	if err := group.Wait(); err != nil {
		b.Fatal(err)
	}
}

func publishAll(ctx context.Context, pub publisher, pages <-chan []oda.Row, seq *atomic.Int64) error {
	var changes []schema.Change
	for page := range pages {
		now := time.Now()
		for _, r := range page {
			changes = append(changes, schema.Change{
				Entity: "Dokument", ID: r.ID, Action: schema.Snapshot, Seq: seq.Add(1), Timestamp: now,
				Opdateringsdato: "2014-10-01T12:00:00", Origin: schema.OriginSnapshot, Data: r.Data,
			})
		}
		if len(changes) < batchRows {
			continue
		}
		if _, err := pub.Publish(ctx, changes); err != nil {
			return err
		}
		changes = changes[:0]
	}
	_, err := pub.Publish(ctx, changes)
	return err
}

// readAll reads every page that a scan reads, as many at once.
func readAll(b *testing.B, w *world, take func(page []oda.Row)) {
	b.Helper()
	group, ctx := errgroup.WithContext(context.Background())
	group.SetLimit(w.workers)
	extent, err := w.source.Extent(ctx, "Dokument", oda.Scan)
	if err != nil {
		b.Fatal(err)
	}
	for _, r := range split(extent) {
		group.Go(func() error { return readRange(ctx, w.source, r, take) })
	}
	if err := group.Wait(); err != nil {
		b.Fatal(err)
	}
}

func readRange(ctx context.Context, src source, r checkpoint.ScanRange, take func(page []oda.Row)) error {
	for r.Next < r.High {
		page, err := src.Page(ctx, "Dokument", oda.Window{IDs: schema.IDRange{Low: r.Next, High: r.High}}, oda.Scan)
		if err != nil || len(page.Rows) == 0 {
			return err
		}
		take(page.Rows)
		r.Next, _ = page.LastID()
	}
	return nil
}
