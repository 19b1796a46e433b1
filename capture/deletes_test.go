package capture

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"odastream/oda"
	"odastream/odasim"
	"odastream/schema"
	"odastream/stream"
)

// many returns a world with n rows that are loaded. Each once makes a scan.
func many(t *testing.T, n int64) *world {
	t.Helper()
	w := newWorld(t, odasim.Options{}, "Sag")
	w.sim.SetNow(atNoon())
	w.cfg.ScanEvery = time.Nanosecond
	for id := range n {
		w.put("Sag", id+1, "først", stampAt(atNoon().AddDate(0, 0, -1)))
	}
	w.mustOnce()
	return w
}

func (w *world) deletes() (n int) {
	for _, c := range w.changes("Sag") {
		if c.Action == schema.Delete {
			n++
		}
	}
	return n
}

func (w *world) vanish(from, to int64) {
	for id := from; id <= to; id++ {
		w.sim.Delete("Sag", id)
	}
}

// It fails without the pages of the recheck, and without the tombstone.
func TestAVanishedRowIsDeletedAndOneThatReturnsIsCreated(t *testing.T) {
	t.Parallel()
	w := many(t, 250)
	w.vanish(100, 101)
	w.vanish(250, 250)
	w.mustOnce()
	w.checkTopic("Sag")
	tombstones := 0
	for _, m := range w.messages("Sag") {
		if m.Tombstone {
			tombstones++
		}
	}
	if got := w.deletes(); got != 3 || tombstones != 3 {
		t.Errorf("%d deletes and %d tombstones, want 3 of each", got, tombstones)
	}
	w.mustOnce()
	if got := w.deletes(); got != 3 {
		t.Errorf("%d deletes after another scan, want 3 still", got)
	}
	w.put("Sag", 100, "igen", stampAt(w.sim.Now()))
	w.mustOnce()
	w.checkTopic("Sag")
	if last := w.lastOf(100); last.Action != schema.Create {
		t.Errorf("the row that returned is a %s, want a create", last.Action)
	}
}

func TestTooManyDeletesAtOnceAreHeldBackUntilASecondScanAgrees(t *testing.T) {
	t.Parallel()
	w := many(t, 600)
	w.vanish(1, 150)
	frontier := w.frontier()
	w.sim.Advance(2 * time.Second) // the source's clock is known to the second
	var held *HeldBackError
	if err := w.once(); !errors.As(err, &held) || held.Rows != 150 || held.Collapsed {
		t.Fatalf("poller --once gives %v, want 150 rows held back", err)
	}
	if got := w.deletes(); got != 0 {
		t.Errorf("%d deletes were published though held back", got)
	}
	if at := w.frontier(); !at.Equal(frontier) {
		t.Errorf("consistent_through moved from %s to %s while deletes are held back", frontier, at)
	}
	if err := w.once(); err != nil {
		t.Fatalf("the second scan agrees, poller --once gives %v", err)
	}
	w.checkTopic("Sag")
	if got := w.deletes(); got != 150 {
		t.Errorf("%d deletes, want 150", got)
	}
	if !w.frontier().After(frontier) {
		t.Error("consistent_through did not move though everything is resolved")
	}
}

// A poller with a fast clock may have made seq run ahead of the time, so that the time
// does not tell one scan from the next. It fails if a scan does not use up its seq.
func TestASecondScanAgreesThoughSeqRunsAhead(t *testing.T) {
	t.Parallel()
	w := many(t, 600)
	far := w.changes("Sag")[599]
	far.Seq, far.Timestamp = time.Now().Add(time.Hour).UnixMicro(), time.Now().Add(time.Hour)
	w.publishBehind(far)
	w.vanish(1, 150)
	var held *HeldBackError
	if err := w.once(); !errors.As(err, &held) {
		t.Fatalf("poller --once gives %v, want deletes held back", err)
	}
	w.mustOnce()
	if got := w.deletes(); got != 150 {
		t.Errorf("%d deletes, want 150", got)
	}
}

// frontier returns consistent_through.
func (w *world) frontier() time.Time {
	w.t.Helper()
	at, err := w.store.Load(w.t.Context(), "Sag")
	if err != nil {
		w.t.Fatal(err)
	}
	return at.ConsistentThrough
}

// An empty answer proves nothing, however small the set is and however often it comes.
func TestASmallSetIsNotDeletedOnEmptyAnswers(t *testing.T) {
	t.Parallel()
	for _, rows := range []int64{1, 4, 100} {
		t.Run(fmt.Sprint(rows, " rows"), func(t *testing.T) {
			t.Parallel()
			w := many(t, rows)
			w.vanish(1, rows)
			for range 3 {
				var held *HeldBackError
				if err := w.once(); !errors.As(err, &held) || !held.Alone || held.Rows != int(rows) {
					t.Fatalf("poller --once gives %v, want all %d deletes held back", err, rows)
				}
				if text := held.Error(); strings.Contains(text, "more than") || strings.Contains(text, "the next scan") {
					t.Errorf("the error names a rule that does not hold the deletes back: %s", text)
				}
			}
			if got := w.deletes(); got != 0 {
				t.Errorf("%d deletes, want none until a person confirms", got)
			}
			if _, err := w.store.RequestScan(t.Context(), "Sag", true); err != nil {
				t.Fatal(err)
			}
			w.mustOnce()
			w.checkTopic("Sag")
		})
	}
}

// Within the limit a set may become as small as it will.
func TestASetMayFallToLessThanAPage(t *testing.T) {
	t.Parallel()
	for claim, c := range map[string]struct{ rows, from, to int64 }{
		"105 rows become 90": {105, 20, 34},
		"101 rows become 1":  {101, 2, 101},
		"3 rows become 2":    {3, 3, 3},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			w := many(t, c.rows)
			w.vanish(c.from, c.to)
			w.mustOnce()
			w.checkTopic("Sag")
		})
	}
}

func TestACollapsedEntityDeletesNothingUntilAPersonConfirms(t *testing.T) {
	t.Parallel()
	w := many(t, 300)
	w.vanish(21, 300)
	for range 3 {
		var held *HeldBackError
		if err := w.once(); !errors.As(err, &held) || !held.Collapsed {
			t.Fatalf("poller --once gives %v, want a collapse held back", err)
		}
	}
	if got := w.deletes(); got != 0 {
		t.Fatalf("%d deletes were published of an entity that collapsed", got)
	}
	if confirmed, err := w.store.RequestScan(t.Context(), "Sag", true); err != nil || confirmed != 280 {
		t.Fatalf("RequestScan confirms %d rows (%v), want 280", confirmed, err)
	}
	w.mustOnce()
	w.checkTopic("Sag")
}

func TestAnEntityThatAnswers404DeletesNothing(t *testing.T) {
	t.Parallel()
	w := many(t, 50)
	if err := w.sim.SetMissing("Sag", true); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := w.once(); err == nil {
			t.Fatal("poller --once reports no error though the entity is gone")
		}
	}
	if err := w.sim.SetMissing("Sag", false); err != nil {
		t.Fatal(err)
	}
	w.mustOnce()
	if got := w.deletes(); got != 0 {
		t.Errorf("%d deletes were published", got)
	}
	w.checkTopic("Sag")
}

// countingPublisher records the largest number of changes that were published at once.
type countingPublisher struct {
	publisher
	most *atomic.Int64
}

func (p countingPublisher) Publish(ctx context.Context, changes []schema.Change) ([]stream.Ack, error) {
	p.most.Store(max(p.most.Load(), int64(len(changes))))
	return p.publisher.Publish(ctx, changes)
}

// A person may confirm many deletes. They are published in chunks, each of them small
// enough to be delivered in time and within the lease.
func TestManyConfirmedDeletesArePublishedInChunks(t *testing.T) {
	t.Parallel()
	w := many(t, 12_000)
	w.vanish(21, 11_990)
	var held *HeldBackError
	if err := w.once(); !errors.As(err, &held) {
		t.Fatalf("poller --once gives %v, want the deletes held back", err)
	}
	if _, err := w.store.RequestScan(t.Context(), "Sag", true); err != nil {
		t.Fatal(err)
	}
	var most atomic.Int64
	w.wrapPublisher = func(p publisher) publisher { return countingPublisher{p, &most} }
	w.mustOnce()
	w.checkTopic("Sag")
	if got := w.deletes(); got != 11_970 || most.Load() > batchRows {
		t.Errorf("%d deletes, up to %d at once, want 11970, and %d at most", got, most.Load(), batchRows)
	}
}

// A silent edit of a row that the running scan has read is still outstanding after the
// scan: consistent_through is when the scan began.
func TestTheFrontierIsWhenTheScanBegan(t *testing.T) {
	t.Parallel()
	w := many(t, 350)
	w.sim.Advance(time.Hour)
	mood := w.moods()
	var edited time.Time
	mood.feel(func(_ int, _ string, asks oda.Window) error {
		if asks.After == "" && asks.IDs.Low >= 100 && asks.IDs.Low < 350 && edited.IsZero() { // within the scan
			edited = w.sim.Now()
			return w.sim.Edit("Sag", 1, "titel", "rettet i stilhed")
		}
		return nil
	})
	// The source's clock is known to the second: the scan has to last for longer.
	w.sim.SetFaults(odasim.Faults{Latency: 1200 * time.Millisecond})
	w.mustOnce()
	if edited.IsZero() {
		t.Fatal("nothing was edited within the scan: the test proves nothing")
	}
	if at := w.frontier(); at.After(edited) {
		t.Errorf("consistent through %s, but what was edited at %s is not published", at, edited)
	}
}
