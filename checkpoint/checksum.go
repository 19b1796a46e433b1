package checkpoint

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"odastream/schema"
)

// RowChecksum is the part of an Entry that tells whether a row is unchanged or
// missing.
type RowChecksum struct {
	Checksum schema.Checksum // 0 unless the state is Live and the checksum is known
	Deleted  bool
}

// RowChecksum returns the entry's RowChecksum.
func (e Entry) RowChecksum() RowChecksum {
	return RowChecksum{Checksum: e.Checksum, Deleted: e.State == Deleted}
}

// currentChecksum is the checksum of a row, 0 for a Dirty one: an operator who makes
// a row Dirty in SQL changes only its hash.
const currentChecksum = `CASE WHEN hash <> '' THEN spelling ELSE 0 END`

// atSource is true for the rows that the source should have: those that are not
// Deleted.
const atSource = `(hash IS NOT NULL OR seq = 0)`

// rowChecksumQuery lacks the condition that selects rows by id.
const rowChecksumQuery = `
SELECT entity_id, ` + currentChecksum + `, NOT ` + atSource + ` FROM poller_ledger
WHERE entity_type = $1 AND `

// RowChecksums returns the checksums of the rows of entity with these ids, and of
// all rows in the ranges. A row without an entry is not in the map.
func (s *Store) RowChecksums(ctx context.Context, entity string, ids []int64, ranges []schema.IDRange) (map[int64]RowChecksum, error) {
	known := make(map[int64]RowChecksum, len(ids)+schema.PageSize*len(ranges))
	var batch pgx.Batch
	if len(ids) > 0 {
		batch.Queue(rowChecksumQuery+`entity_id = ANY($2)`, entity, ids).Query(rowChecksumsInto(known))
	}
	for _, r := range ranges {
		batch.Queue(rowChecksumQuery+`entity_id >= $2 AND entity_id <= $3`, entity, r.First(), r.High).Query(rowChecksumsInto(known))
	}
	if err := s.pool.SendBatch(ctx, &batch).Close(); err != nil {
		return nil, fmt.Errorf("read checksums of %s: %w", entity, err)
	}
	return known, nil
}

// RangeChecksum is a checksum of the rows in a range of ids. Two sets of rows with
// the same RangeChecksum are equal, with one exception in 10^19. The zero value is
// that of no rows.
type RangeChecksum struct {
	Rows int64           // that the source should have
	XOR  schema.Checksum // of the checksums of all of them
}

// Add adds a row with the checksum s.
func (c *RangeChecksum) Add(s schema.Checksum) {
	c.Rows++
	c.XOR ^= s
}

// RangeChecksums returns the ledger's checksum of each of the ranges, in their
// order. That of a range with a row whose checksum is 0 matches no rows of the
// source.
func (s *Store) RangeChecksums(ctx context.Context, entity string, ranges []schema.IDRange) ([]RangeChecksum, error) {
	checksums := make([]RangeChecksum, len(ranges))
	var batch pgx.Batch
	for i, r := range ranges {
		c := &checksums[i]
		batch.Queue(`
SELECT count(*), coalesce(bit_xor(`+currentChecksum+`), 0) FROM poller_ledger
WHERE entity_type = $1 AND entity_id >= $2 AND entity_id <= $3 AND `+atSource, entity, r.First(), r.High).
			QueryRow(func(row pgx.Row) error { return row.Scan(&c.Rows, &c.XOR) })
	}
	if err := s.pool.SendBatch(ctx, &batch).Close(); err != nil {
		return nil, fmt.Errorf("read range checksums of %s: %w", entity, err)
	}
	return checksums, nil
}

func rowChecksumsInto(known map[int64]RowChecksum) func(pgx.Rows) error {
	return func(rows pgx.Rows) error {
		var id, checksum int64 // pgx scans plain types without reflection
		var deleted bool
		_, err := pgx.ForEachRow(rows, []any{&id, &checksum, &deleted}, func() error {
			known[id] = RowChecksum{schema.Checksum(checksum), deleted}
			return nil
		})
		return err
	}
}
