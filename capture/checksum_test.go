package capture

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"odastream/checkpoint"
	"odastream/odasim"
	"odastream/schema"
)

// countingStore counts the rows that are looked up in full.
type countingStore struct {
	store
	full *atomic.Int64
}

func (s countingStore) Entries(ctx context.Context, entity string, ids []int64, ranges []schema.IDRange) (map[int64]checkpoint.Entry, error) {
	s.full.Add(int64(len(ids)))
	return s.store.Entries(ctx, entity, ids, ranges)
}

// TestOnlyRowsWithAnotherChecksumAreComparedInFull covers all ways in which a checksum
// gets into the ledger, and the rows that have none.
func TestOnlyRowsWithAnotherChecksumAreComparedInFull(t *testing.T) {
	t.Parallel()
	const rows = 300
	yesterday, later := stampAt(atNoon().AddDate(0, 0, -1)), stampAt(atNoon().AddDate(0, 0, -1).Add(time.Second))
	for claim, c := range map[string]struct {
		meanwhile       func(*world)
		full, published int64
	}{
		"saved with its record":       {func(*world) {}, 0, 0},
		"read back from the topic":    {func(w *world) { w.exec(`DELETE FROM poller_ledger; DELETE FROM poller_positions`) }, 0, 0},
		"saved before checksums were": {func(w *world) { w.exec(`UPDATE poller_ledger SET spelling = 0`) }, rows, 0},
		"with a new stamp":            {func(w *world) { w.put("Sagstype", 7, "a row", later) }, 1, 0},
		"edited without a stamp":      {func(w *world) { w.put("Sagstype", 7, "another", yesterday) }, 1, 1},
		"made dirty by hand": {func(w *world) {
			w.put("Sagstype", 7, "another", yesterday)
			w.exec(`UPDATE poller_ledger SET hash = '' WHERE entity_id = 7`)
		}, 1, 1},
		"unknown to the ledger": {func(w *world) { w.put("Sagstype", rows+1, "new", yesterday) }, 0, 1},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, odasim.Options{}, "Sagstype")
			w.sim.SetNow(atNoon())
			for id := range int64(rows) {
				w.put("Sagstype", id+1, "a row", yesterday)
			}
			w.mustOnce()
			before := int64(len(w.changes("Sagstype")))
			c.meanwhile(w)
			var full atomic.Int64
			w.wrapStore = func(s store) store { return countingStore{s, &full} }
			w.cfg.ScanEvery = time.Nanosecond
			w.mustOnce()
			w.checkTopic("Sagstype")
			if got := int64(len(w.changes("Sagstype"))) - before; got != c.published {
				t.Errorf("%d records were published, want %d", got, c.published)
			}
			if full.Load() != c.full {
				t.Errorf("%d rows were looked up in full, want %d", full.Load(), c.full)
			}
			full.Store(0)
			w.mustOnce()
			if full.Load() != 0 {
				t.Errorf("%d rows were looked up in full again, want none", full.Load())
			}
		})
	}
}
