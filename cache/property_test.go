package cache

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"odastream/internal/test/pgtest"
)

// A history is applied in any order, in any batches, any number of times, by two
// stores at once. The cache ends with the history's last state. Meanwhile no seq goes
// down, and no key is both present and deleted (Invariant 3).
func TestAnyOrderEndsAtTheSameCache(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	stores := []*Store{s, New(open(t, s.pool.Config().ConnString()), "test", Config{}, quiet())}
	rapid.Check(t, func(r *rapid.T) {
		empty(t, s.pool)
		history := drawHistory(r)
		batches := [][]Batch{drawBatches(r, history, "a"), drawBatches(r, history, "b")}
		w := watcher{store: s, seqs: map[string]int64{}}
		var wg sync.WaitGroup
		for i, store := range stores {
			wg.Go(func() {
				for _, b := range batches[i] {
					result, err := store.Apply(context.Background(), b)
					w.look(err, result, len(b.Records))
				}
			})
		}
		wg.Wait()
		if err := errors.Join(w.faults...); err != nil {
			r.Fatal(err)
		}
		if want, got := model(history), pgtest.Lines(t, s.pool, showKeys); got != want {
			r.Fatalf("the cache:\n%s\nwant:\n%s", got, want)
		}
	})
}

// showKeys has a line a key. The content of a deleted row is left out: it depends
// on what was seen before the delete.
const showKeys = `SELECT key || ' ' || seq || ' ' || content FROM (
    SELECT entity_type || ':' || entity_id AS key, seq, data::text AS content FROM parliamentary_data
    UNION ALL
    SELECT entity_type || ':' || entity_id AS key, seq, 'deleted' FROM parliamentary_deleted
) x ORDER BY key COLLATE "C", content`

// drawHistory returns changes of a few keys with growing seqs. Each delete may
// have its tombstone, and content repeats.
func drawHistory(r *rapid.T) []Record {
	var history []Record
	for seq := range int64(rapid.IntRange(1, 25).Draw(r, "changes")) {
		entity := rapid.SampledFrom([]string{"Sag", "Stemme"}).Draw(r, "entity")
		id := int64(rapid.IntRange(1, 4).Draw(r, "id"))
		data := rapid.SampledFrom([]string{`{"v": 1}`, `{"v": 2}`, `{"v": 3}`, ""}).Draw(r, "data")
		change := record(entity, id, seq+1, data)
		history = append(history, change)
		if data == "" && rapid.Bool().Draw(r, "tombstone") {
			change.Tombstone = true
			history = append(history, change)
		}
	}
	return history
}

// drawBatches cuts the whole history, shuffled and with some of it doubled, into batches.
func drawBatches(r *rapid.T, history []Record, name string) []Batch {
	rest := append([]Record(nil), history...)
	rest = append(rest, rapid.SliceOfN(rapid.SampledFrom(history), 0, 10).Draw(r, name+" doubled")...)
	rest = rapid.Permutation(rest).Draw(r, name+" order")
	var batches []Batch
	for len(rest) > 0 {
		n := rapid.IntRange(1, len(rest)).Draw(r, name+" batch")
		batches, rest = append(batches, Batch{Records: rest[:n]}), rest[n:]
	}
	return batches
}

// model is the cache after the history, as showKeys shows it.
func model(history []Record) string {
	last := map[string]string{}
	for _, c := range history { // in order of seq
		key := fmt.Sprintf("%s:%d", c.Change.Entity, c.Change.ID)
		content := string(c.Change.Data)
		if c.removes() {
			content = "deleted"
		}
		last[key] = fmt.Sprintf("%s %d %s", key, c.Change.Seq, content)
	}
	return strings.Join(slices.Sorted(maps.Values(last)), "\n")
}

// watcher checks the cache after each batch, one check at a time.
type watcher struct {
	store  *Store
	mu     sync.Mutex
	seqs   map[string]int64
	faults []error
}

func (w *watcher) look(err error, got Result, records int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if sum := got.Inserted + got.Updated + got.Deleted + got.Unchanged + got.Stale + got.Superseded; err == nil && sum != records {
		err = fmt.Errorf("Apply(%d records) = %+v, the sum is %d", records, got, sum)
	}
	w.faults = append(w.faults, err)
	rows, err := w.store.pool.Query(context.Background(), `SELECT entity_type || entity_id, seq FROM parliamentary_data
UNION ALL SELECT entity_type || entity_id, seq FROM parliamentary_deleted`)
	if err != nil {
		w.faults = append(w.faults, err)
		return
	}
	defer rows.Close()
	here := map[string]bool{}
	for rows.Next() {
		var key string
		var seq int64
		if err := rows.Scan(&key, &seq); err != nil || here[key] || seq < w.seqs[key] {
			w.faults = append(w.faults, fmt.Errorf("%s: seq %d after %d, twice %v (%w)", key, seq, w.seqs[key], here[key], err))
		}
		w.seqs[key], here[key] = seq, true
	}
	w.faults = append(w.faults, rows.Err())
}
