package capture

import (
	"context"
	"fmt"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"odastream/checkpoint"
	"odastream/internal/kafkatest"
	"odastream/oda"
	"odastream/odasim"
)

// benchRows is the size of the first load that the benchmarks measure.
const benchRows = 200_000

// BenchmarkFirstLoad gives the rate of a first load and, from the same run, that at
// which the same pages are read and thrown away: first with one half of the pairs,
// then the other, so that limit/limit shows the noise of A against A.
func BenchmarkFirstLoad(b *testing.B) {
	benchmarkAgainstReading(b, (*world).forgetAll, 0)
}

// BenchmarkScanUnchanged is the same for a scan that finds nothing.
func BenchmarkScanUnchanged(b *testing.B) {
	benchmarkAgainstReading(b, (*world).mustOnce, time.Nanosecond)
}

func benchmarkAgainstReading(b *testing.B, prepare func(*world), scanEvery time.Duration) {
	w := newWorld(b, odasim.Options{}, "Dokument")
	w.workers = 16
	w.sim.SetNow(atNoon())
	fill(b, w.sim)
	prepare(w)
	w.cfg.ScanEvery = scanEvery
	var limit, again, work time.Duration
	for b.Loop() {
		limit += timed(func() { readAndThrowAway(b, w) })
		if scanEvery == 0 {
			prepare(w)
		}
		work += timed(w.mustOnce)
		again += timed(func() { readAndThrowAway(b, w) })
	}
	rows := float64(benchRows * b.N)
	b.ReportMetric(rows/work.Seconds(), "rows/s")
	b.ReportMetric(rows/limit.Seconds(), "limit-rows/s")
	b.ReportMetric((limit+again).Seconds()/2/work.Seconds(), "of-limit")
	b.ReportMetric(limit.Seconds()/again.Seconds(), "limit/limit")
}

func timed(do func()) time.Duration {
	start := time.Now()
	do()
	return time.Since(start)
}

// forgetAll makes the next load a first one, onto topics of its own, which are there.
func (w *world) forgetAll() {
	w.kafka.TopicPrefix = kafkatest.Prefix(w.t)
	p, stop := w.process()
	defer stop()
	if err := p.topics.Ensure(w.t.Context(), p.names()); err != nil {
		w.t.Fatal(err)
	}
	w.exec(`TRUNCATE poller_watermarks, poller_ledger, poller_positions, poller_scans, poller_vanished`)
}

// fill puts rows of a middling size, with ids as dense as the source's.
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

// readAndThrowAway reads every page that a scan reads, as many at once.
func readAndThrowAway(b *testing.B, w *world) {
	b.Helper()
	group, ctx := errgroup.WithContext(context.Background())
	group.SetLimit(w.workers)
	extent, err := w.source.Extent(ctx, "Dokument", oda.Scan)
	if err != nil {
		b.Fatal(err)
	}
	for _, r := range split(extent) {
		group.Go(func() error { return readRange(ctx, w.source, r) })
	}
	if err := group.Wait(); err != nil {
		b.Fatal(err)
	}
}

func readRange(ctx context.Context, src source, r checkpoint.Range) error {
	for {
		page, err := src.Page(ctx, "Dokument", oda.Window{MinID: r.Next, MaxID: r.High}, oda.Scan)
		if err != nil || len(page.Rows) == 0 {
			return err
		}
		r.Next, _ = page.LastID()
	}
}
