package verify

import (
	"context"
	"math"

	"odastream/cache"
	"odastream/schema"
)

// countTables counts the entity's rows in our own tables.
func (c *check) countTables(ctx context.Context) (err error) {
	e := c.out
	if e.Ledger, err = c.ledger.CountRows(ctx, e.Name, everyID); err != nil {
		return err
	}
	n, err := c.cache.Counts(ctx, e.Name)
	e.Cache, e.Deleted, e.Expired, e.DeadLetters = n.Rows, n.Deleted, n.Expired, n.DeadLetters
	return err
}

// everyID is the range of all ids that a table can hold: somebody may have written a
// row by hand.
var everyID = schema.IDRange{Low: math.MinInt64, High: schema.NoEnd}

// extent returns the lowest and the highest id of ledger and cache, 0 without rows.
func (c *check) extent(ctx context.Context) (lowest, highest int64, err error) {
	low, high, inLedger, err := c.ledger.IDBounds(ctx, c.out.Name)
	if err != nil {
		return 0, 0, err
	}
	cachedLow, cachedHigh, inCache, err := c.cache.IDBounds(ctx, c.out.Name)
	switch {
	case err != nil:
		return 0, 0, err
	case !inCache:
		return low, high, nil
	case !inLedger:
		return cachedLow, cachedHigh, nil
	}
	return min(low, cachedLow), max(high, cachedHigh), nil
}

// compareTables notes the rows that only the ledger or only the cache has. It reads the
// ids of one range at a time: the ranges of the comparison, and all ids outside of
// them.
func (c *check) compareTables(ctx context.Context, ranges []schema.IDRange) error {
	low := everyID.Low
	for i, r := range ranges {
		if i == len(ranges)-1 {
			r.High = everyID.High
		}
		if err := c.compareIDs(ctx, schema.IDRange{Low: low, High: r.High}); err != nil {
			return err
		}
		low = r.High
	}
	return nil
}

func (c *check) compareIDs(ctx context.Context, ids schema.IDRange) error {
	known, err := c.ledger.RowIDs(ctx, c.out.Name, ids)
	if err != nil {
		return err
	}
	cached, err := c.cache.RowIDs(ctx, c.out.Name, ids)
	if err != nil {
		return err
	}
	for _, id := range onlyInOne(known, cached) {
		c.addCandidate(id, nil)
	}
	return nil
}

// onlyInOne returns the ids that are in only one of two ascending lists.
func onlyInOne(a, b []int64) (ids []int64) {
	for len(a) > 0 && len(b) > 0 {
		switch {
		case a[0] < b[0]:
			ids, a = append(ids, a[0]), a[1:]
		case a[0] > b[0]:
			ids, b = append(ids, b[0]), b[1:]
		default:
			a, b = a[1:], b[1:]
		}
	}
	return append(append(ids, a...), b...)
}

// storedIn reads the cache's rows with ids in the range.
func (c *check) storedIn(ctx context.Context, ids schema.IDRange) (map[int64]stored, error) {
	rows, err := c.cache.RowsIn(ctx, c.out.Name, ids)
	return hashed(rows), err
}

// storedOf reads the cache's rows with the given ids.
func (c *check) storedOf(ctx context.Context, ids []int64) (map[int64]stored, error) {
	rows, err := c.cache.Rows(ctx, c.out.Name, ids)
	return hashed(rows), err
}

func hashed(rows map[int64]cache.StoredRow) map[int64]stored {
	found := make(map[int64]stored, len(rows))
	for id, row := range rows {
		s := stored{present: !row.Expired, expired: row.Expired, seq: row.Seq}
		if !row.Expired {
			// An error means that the cache row is no object, so it equals no source
			// row.
			s.hash, _ = schema.ContentHash(row.Data)
		}
		found[id] = s
	}
	return found
}
