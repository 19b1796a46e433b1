package verify

import (
	"context"
	"maps"
	"slices"
	"time"

	"odastream/internal/pause"
	"odastream/oda"
	"odastream/schema"
)

// firstPause is the pause before rows are read again. Each further pause is twice as
// long.
const firstPause = time.Second

// futureStamps is how far ahead of our clock a current stamp may be.
const futureStamps = time.Minute

// candidate is a row that differed when it was first compared.
type candidate struct {
	first *atSource // as the source had it then; nil: not read
	last  view      // as last read
}

// note records a row that differs.
func (c *check) note(v view) {
	if _, wrong := v.difference(); wrong {
		v.source.data = nil // so that the page can be freed
		c.addCandidate(v.id, &v.source)
	}
}

func (c *check) addCandidate(id int64, first *atSource) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, known := c.candidates[id]; known {
		return
	}
	if len(c.candidates) >= mostCandidates {
		c.out.AtLeast = true
		return
	}
	c.candidates[id] = candidate{first: first}
}

// recheck reads the candidates again until none is left or Options.Patience is over,
// and reports the rest.
func (c *check) recheck(ctx context.Context) error {
	interval := min(firstPause, c.options.Patience)
	for left := c.options.Patience; left > 0 && len(c.candidates) > 0; interval *= 2 {
		interval = min(interval, left)
		left -= interval
		if err := pause.For(ctx, interval); err != nil {
			return err
		}
		if err := c.readAgain(ctx); err != nil {
			return err
		}
	}
	for _, id := range slices.Sorted(maps.Keys(c.candidates)) {
		s := c.candidates[id]
		d, _ := s.last.difference()
		if c.changedMeanwhile(s) {
			c.out.Moving++
			continue
		}
		c.out.add(d)
	}
	return nil
}

// changedMeanwhile reports whether a row changed since the verification began, so that
// the change may not have reached the cache yet. Its stamp, its seq (which is a time),
// or two reads that differ show that. A time in the future comes from a wrong clock and
// proves nothing.
func (c *check) changedMeanwhile(s candidate) bool {
	now := time.Now()
	since := func(seq int64) bool { return seq >= c.began.UnixMicro() && seq <= now.UnixMicro() }
	stamp := s.last.source.stamp
	return s.first != nil && !s.first.same(s.last.source) ||
		stamp >= oda.EarliestWall(c.began, c.began) && stamp <= oda.LatestWall(now, now.Add(futureStamps)) ||
		since(s.last.entry.Seq) || since(s.last.stored.seq)
}

// readAgain reads the candidates from source, ledger and cache, and removes those that
// now agree.
func (c *check) readAgain(ctx context.Context) error {
	ids := slices.Sorted(maps.Keys(c.candidates))
	rows, err := c.fetch(ctx, ids)
	if err != nil {
		return err
	}
	known, err := c.ledger.Entries(ctx, c.out.Name, ids, nil)
	if err != nil {
		return err
	}
	cached, err := c.storedOf(ctx, ids)
	if err != nil {
		return err
	}
	for _, id := range ids {
		v := view{id: id, source: rows[id], entry: known[id], stored: cached[id]}
		if v.cacheFinding() == Different {
			if v.stored.agrees, err = c.cache.SameContent(ctx, c.out.Name, id, v.source.data); err != nil {
				return err
			}
		}
		if _, wrong := v.difference(); !wrong {
			delete(c.candidates, id)
			continue
		}
		s := c.candidates[id]
		s.last, s.last.source.data = v, nil
		if s.first == nil {
			s.first = &s.last.source
		}
		c.candidates[id] = s
	}
	return nil
}

// fetch reads the rows with the given ids, ascending, from the source. A page covers
// every id up to its last row, and an empty page covers its whole range, so there are
// never more requests than ids.
func (c *check) fetch(ctx context.Context, ids []int64) (map[int64]atSource, error) {
	found := make(map[int64]atSource, len(ids))
	for len(ids) > 0 {
		asked := ids[:min(len(ids), schema.PageSize)]
		w := oda.Window{IDs: schema.IDRange{Low: schema.OneID(asked[0]).Low, High: asked[len(asked)-1]}}
		page, err := c.source.Page(ctx, c.out.Name, w, oda.Scan)
		if err != nil {
			return nil, err
		}
		upTo, more := page.LastID()
		if !more {
			upTo = w.IDs.High
		}
		rows := sourceRows(page)
		answered := 0
		for answered < len(asked) && asked[answered] <= upTo {
			if row, ok := rows[asked[answered]]; ok {
				found[asked[answered]] = row
			}
			answered++
		}
		ids = ids[answered:]
	}
	return found, nil
}
