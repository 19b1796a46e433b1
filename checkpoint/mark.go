package checkpoint

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"odastream/schema"
)

// Mark is what the ledger says of a row in short: enough to tell that a row is as it
// was, or is missing.
type Mark struct {
	Spelling schema.Spelling // 0 unless the row is Live and its spelling known
	Deleted  bool
}

// Mark is that of the entry.
func (e Entry) Mark() Mark { return Mark{Spelling: e.Spelling, Deleted: e.State == Deleted} }

// published is the spelling that counts: a row that is to be published again has
// none, whoever has marked it so.
const published = `CASE WHEN hash <> '' THEN spelling ELSE 0 END`

// expected is true for the rows that should be at the source: those that the topic
// holds, and those that a topic held which is gone.
const expected = `(hash IS NOT NULL OR seq = 0)`

// marked begins a query for Marks.
const marked = `
SELECT entity_id, ` + published + `, NOT ` + expected + ` FROM poller_ledger
WHERE entity_type = $1 AND `

// Marks looks up in short the rows of entity with the given ids, and all rows inside
// the ranges. A row that the ledger does not know is absent from the map.
func (s *Store) Marks(ctx context.Context, entity string, ids []int64, ranges []schema.IDRange) (map[int64]Mark, error) {
	known := make(map[int64]Mark, len(ids)+schema.PageSize*len(ranges))
	var batch pgx.Batch
	if len(ids) > 0 {
		batch.Queue(marked+`entity_id = ANY($2)`, entity, ids).Query(markInto(known))
	}
	for _, r := range ranges {
		batch.Queue(marked+`entity_id > $2 AND entity_id <= $3`, entity, r.Low, r.High).Query(markInto(known))
	}
	if err := s.pool.SendBatch(ctx, &batch).Close(); err != nil {
		return nil, fmt.Errorf("read ledger of %s in short: %w", entity, err)
	}
	return known, nil
}

// Digest sums up the rows inside a range of ids: two sets of rows with the same digest are
// the same, but for one chance in 10^19. The zero value is that of no rows.
type Digest struct {
	Rows      int64           // that should be at the source
	Spellings schema.Spelling // of all of them, by exclusive or
}

// Add takes one more row into the digest.
func (d *Digest) Add(s schema.Spelling) {
	d.Rows++
	d.Spellings ^= s
}

// Digests sums up what the ledger has inside each of the ranges, in their order. Of
// a range with a row whose Mark has no spelling the digest is nobody's.
func (s *Store) Digests(ctx context.Context, entity string, ranges []schema.IDRange) ([]Digest, error) {
	digests := make([]Digest, len(ranges))
	var batch pgx.Batch
	for i, r := range ranges {
		d := &digests[i]
		batch.Queue(`
SELECT count(*), coalesce(bit_xor(`+published+`), 0) FROM poller_ledger
WHERE entity_type = $1 AND entity_id > $2 AND entity_id <= $3 AND `+expected, entity, r.Low, r.High).
			QueryRow(func(row pgx.Row) error { return row.Scan(&d.Rows, &d.Spellings) })
	}
	if err := s.pool.SendBatch(ctx, &batch).Close(); err != nil {
		return nil, fmt.Errorf("sum up ledger of %s: %w", entity, err)
	}
	return digests, nil
}

// Joined makes one range of those that touch, lowest first: each costs a query.
func Joined(ranges []schema.IDRange) []schema.IDRange {
	sorted := slices.SortedFunc(slices.Values(ranges), func(a, b schema.IDRange) int { return cmp.Compare(a.Low, b.Low) })
	var out []schema.IDRange
	for _, r := range sorted {
		if last := len(out) - 1; last >= 0 && r.Low <= out[last].High {
			out[last].High = max(out[last].High, r.High)
			continue
		}
		out = append(out, r)
	}
	return out
}

func markInto(known map[int64]Mark) func(pgx.Rows) error {
	return func(rows pgx.Rows) error {
		var id, spelling int64 // plain types are scanned without reflection
		var deleted bool
		_, err := pgx.ForEachRow(rows, []any{&id, &spelling, &deleted}, func() error {
			known[id] = Mark{schema.Spelling(spelling), deleted}
			return nil
		})
		return err
	}
}
