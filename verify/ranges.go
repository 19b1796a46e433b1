package verify

import (
	"context"
	"math/rand/v2"

	"odastream/oda"
	"odastream/schema"
)

const (
	rangeRows = 5000 // a range holds at least so many rows of the ledger
	maxRanges = 64   // of an entity
)

// ranges splits the entity by the ledger's rows and not by ids: where ids are sparse a
// range is wide, so that no request goes to an empty range. The last range ends at the
// highest id of all places: rows that arrive meanwhile have higher ids, and reading
// them might never end.
func (c *check) ranges(ctx context.Context, highest int64) ([]schema.IDRange, error) {
	step := max(rangeRows, (c.out.Ledger+maxRanges-1)/maxRanges)
	bounds, err := c.ledger.EveryNth(ctx, c.out.Name, step)
	if err != nil {
		return nil, err
	}
	_, ours, err := c.extent(ctx)
	if err != nil {
		return nil, err
	}
	bounds = append(bounds, max(highest, ours))
	list := make([]schema.IDRange, 0, len(bounds))
	low := schema.NoStart
	for _, high := range bounds {
		if high <= low || high == 0 {
			continue // the last bound again; 0: no place has a row
		}
		list = append(list, schema.IDRange{Low: low, High: high})
		low = high
	}
	if len(list) == 0 {
		list = append(list, schema.IDsAbove(low)) // no place has a row
	}
	return list, nil
}

// readConfirmed reads a page. It believes in an empty one only if a second answer is
// empty too: neither ledger nor cache may know the rows that an empty page hides.
func (c *check) readConfirmed(ctx context.Context, ids schema.IDRange) (oda.Page, error) {
	page, err := c.source.Page(ctx, c.out.Name, oda.Window{IDs: ids}, oda.Scan)
	if _, more := page.LastID(); err != nil || more || len(page.Rejects) > 0 {
		return page, err
	}
	return c.source.Page(ctx, c.out.Name, oda.Window{IDs: ids}, oda.Scan)
}

// readRange compares a range row by row and returns the number of its rows at the
// source.
func (c *check) readRange(ctx context.Context, r schema.IDRange) (n int64, err error) {
	for at := r.Low; ; {
		page, err := c.readConfirmed(ctx, schema.IDRange{Low: at, High: r.High})
		if err != nil {
			return n, err
		}
		n += int64(len(page.Rows) + len(page.Rejects))
		last, more := page.LastID()
		if !more {
			return n, c.compareWindow(ctx, schema.IDRange{Low: at, High: r.High}, page)
		}
		if err := c.compareWindow(ctx, schema.IDRange{Low: at, High: last}, page); err != nil || last == r.High {
			return n, err
		}
		at = max(last, schema.NoStart+1) // NoStart means no lower bound
	}
}

// sample compares windows of one page each, at random ids.
func (c *check) sample(ctx context.Context) error {
	lowest, highest, err := c.extent(ctx)
	if err != nil || highest <= lowest {
		return err
	}
	for range c.options.Sample {
		from := lowest + int64(rand.Uint64N(uint64(highest)-uint64(lowest))) //nolint:gosec // the difference of any two ids fits, and wraps around back
		at := schema.OneID(from).Low
		page, err := c.source.Page(ctx, c.out.Name, oda.Window{IDs: schema.IDsAbove(at)}, oda.Scan)
		if err != nil {
			return err
		}
		end, ok := page.LastID()
		if !ok {
			end = schema.NoEnd
		}
		if err := c.compareWindow(ctx, schema.IDRange{Low: at, High: end}, page); err != nil {
			return err
		}
	}
	return nil
}

// compareWindow compares the page, which holds all rows of the source in ids, with
// ledger and cache, and notes the rows that differ.
func (c *check) compareWindow(ctx context.Context, ids schema.IDRange, page oda.Page) error {
	known, err := c.ledger.Entries(ctx, c.out.Name, nil, []schema.IDRange{ids})
	if err != nil {
		return err
	}
	stored, err := c.storedIn(ctx, ids)
	if err != nil {
		return err
	}
	at := sourceRows(page)
	for id := range at {
		c.note(view{id: id, source: at[id], entry: known[id], stored: stored[id]})
	}
	for id, entry := range known {
		if _, seen := at[id]; !seen {
			c.note(view{id: id, entry: entry, stored: stored[id]})
		}
	}
	for id, row := range stored {
		if _, seen := at[id]; !seen {
			c.note(view{id: id, entry: known[id], stored: row})
		}
	}
	c.mu.Lock()
	c.out.Compared += int64(len(at))
	c.out.Rejected += int64(len(page.Rejects))
	c.mu.Unlock()
	c.read.Add(int64(len(at)))
	c.tell(c.out.Name)
	return nil
}

// sourceRows returns the page's rows by id.
func sourceRows(page oda.Page) map[int64]atSource {
	rows := make(map[int64]atSource, len(page.Rows))
	for _, r := range page.Rows {
		hash, err := schema.ContentHash(r.Data)
		if err != nil {
			continue // a page's rows are JSON objects: the client checks that
		}
		rows[r.ID] = atSource{present: true, hash: hash, stamp: r.Opdateringsdato, data: r.Data}
	}
	return rows
}
