package checkpoint

import (
	"testing"

	"odastream/schema"
)

// The size of a poller's batch, and of the ledger that it is compared with.
const (
	benchRows   = 5000
	benchLedger = 200_000
)

// benchEntries returns a batch of entries with ids from first on, as wide as those of Sag.
func benchEntries(first, seq int64) []Entry {
	list := make([]Entry, benchRows)
	for i := range list {
		list[i] = live(first+int64(i), seq+int64(i))
		list[i].Stamp = "2026-11-23T16:09:58.347"
		list[i].Fields = make([]byte, 28*6)
	}
	return list
}

// BenchmarkSave saves a batch to the ledger: new rows, as in a first load, and
// changed ones.
func BenchmarkSave(b *testing.B) {
	s := open(b)
	lease := acquire(b, s, entity, "a")
	seq := int64(1)
	b.Run("new", func(b *testing.B) {
		for b.Loop() {
			mustSave(b, s, lease, Progress{Entries: benchEntries(seq, seq)})
			seq += benchRows
		}
		perRow(b)
	})
	b.Run("new and known to be", func(b *testing.B) {
		for b.Loop() {
			list := benchEntries(seq, seq)
			for i := range list {
				list[i].New = true
			}
			mustSave(b, s, lease, Progress{Entries: list})
			seq += benchRows
		}
		perRow(b)
	})
	b.Run("changed", func(b *testing.B) {
		for b.Loop() {
			mustSave(b, s, lease, Progress{Entries: benchEntries(1, seq)})
			seq += benchRows
		}
		perRow(b)
	})
}

// BenchmarkEntries looks up the entries of a batch.
func BenchmarkEntries(b *testing.B) {
	s := open(b)
	lease := acquire(b, s, entity, "a")
	for first := int64(1); first < benchLedger; first += benchRows {
		mustSave(b, s, lease, Progress{Entries: benchEntries(first, first)})
	}
	exec(b, s, "ANALYZE poller_ledger")
	ids := make([]int64, benchRows)
	for i := range ids {
		ids[i] = int64(i)*(benchLedger/benchRows) + 1 // spread over the ledger
	}
	b.Run("ids", func(b *testing.B) {
		for b.Loop() {
			if got := entries(b, s, entity, ids...); len(got) != benchRows {
				b.Fatalf("%d entries, want %d", len(got), benchRows)
			}
		}
		perRow(b)
	})
	b.Run("window", func(b *testing.B) {
		for b.Loop() {
			got, err := s.Entries(b.Context(), entity, nil, []schema.IDRange{{Low: 50_000, High: 50_000 + benchRows}})
			if err != nil || len(got) != benchRows {
				b.Fatalf("%d entries, %v, want %d", len(got), err, benchRows)
			}
		}
		perRow(b)
	})
}

func perRow(b *testing.B) {
	b.ReportMetric(float64(b.N)*benchRows/b.Elapsed().Seconds(), "rows/s")
}
