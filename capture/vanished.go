package capture

import (
	"context"
	"fmt"
	"time"

	"odastream/checkpoint"
	"odastream/oda"
	"odastream/schema"
)

const (
	// secondLook is how long after a scan missed a row it is looked for again.
	secondLook = 2 * time.Second
	// heldRows and heldShare bound what one scan may delete by itself: the higher
	// of the two.
	heldRows, heldShare = 100, 0.02
)

// HeldBackError says that more rows of an entity vanished at once than a scan may
// delete by itself. Nothing of it is published until a second scan agrees, or a
// person confirms it.
type HeldBackError struct {
	Entity string
	Rows   int   // held back
	Limit  int64 // what one scan may delete
	// Collapsed: the set fell from more than a page to one or none. No scan's
	// agreement is enough then, only a person's.
	Collapsed bool
}

// Error says what to do.
func (e *HeldBackError) Error() string {
	until := "the next scan agrees, or you confirm it with"
	if e.Collapsed {
		until = "you confirm it with"
	}
	return fmt.Sprintf("%d rows of %s vanished at once, more than %d: their deletes are held back until %s: odastream scan --confirm-deletes %s",
		e.Rows, e.Entity, e.Limit, until, e.Entity)
}

// lookAgain takes a second look at the rows that the scan missed and has those
// that are gone deleted. It returns what it must hold back, and whether every
// missed row is settled: back at the source, or its delete published.
func (s *session) lookAgain(ctx context.Context, ranges []checkpoint.ScanRange) (held *HeldBackError, settled bool, err error) {
	missing, err := s.store.Vanished(ctx, s.entity)
	if err != nil || len(missing) == 0 {
		return nil, err == nil, err
	}
	deletable, held, err := s.sift(ctx, missing, ranges)
	if err != nil || len(deletable) == 0 {
		return held, false, err
	}
	if err := wait(ctx, s.patience); err != nil {
		return nil, false, err
	}
	for _, group := range neighbours(deletable) {
		if err := s.look(ctx, group); err != nil {
			return nil, false, err
		}
	}
	if err := s.settled(ctx, checkpoint.Progress{}); err != nil {
		return nil, false, err
	}
	left, err := s.store.Vanished(ctx, s.entity)
	if doubtful := len(missing) - len(deletable); err == nil && len(left) > doubtful {
		s.log.Warn("rows are neither at the source nor proved gone: the next scan looks again", "rows", len(left)-doubtful)
	}
	return held, len(left) == 0, err
}

// sift tells what may be deleted if a second look agrees from what is held back.
func (s *session) sift(ctx context.Context, missing []checkpoint.Missing, ranges []checkpoint.ScanRange) (deletable []checkpoint.Missing, held *HeldBackError, err error) {
	live, err := s.store.Count(ctx, s.entity)
	if err != nil {
		return nil, nil, err
	}
	var read int64
	for _, r := range ranges {
		read += r.Read
	}
	limit := max(heldRows, int64(heldShare*float64(live)))
	collapsed := live > schema.PageSize && read <= schema.PageSize
	few := int64(len(missing)) <= limit
	for _, m := range missing {
		agreed := m.Scans > 1 || few && (m.Below != nil || m.Above != nil)
		if m.Confirmed || agreed && !collapsed {
			deletable = append(deletable, m)
		}
	}
	if n := len(missing) - len(deletable); n > 0 {
		held = &HeldBackError{Entity: s.entity, Rows: n, Limit: limit, Collapsed: collapsed}
	}
	return deletable, held, nil
}

// neighbours groups rows that stand between the same two known ones.
func neighbours(missing []checkpoint.Missing) [][]checkpoint.Missing {
	var groups [][]checkpoint.Missing
	for i, m := range missing {
		if i > 0 && equal(m.Below, missing[i-1].Below) && equal(m.Above, missing[i-1].Above) {
			groups[len(groups)-1] = append(groups[len(groups)-1], m)
			continue
		}
		groups = append(groups, []checkpoint.Missing{m})
	}
	return groups
}

func equal(a, b *int64) bool { return a == b || a != nil && b != nil && *a == *b }

// look asks for the rows from one known neighbour of a group to the other. Only
// an answer that holds both neighbours proves the absence of what is not in it.
func (s *session) look(ctx context.Context, group []checkpoint.Missing) error {
	asked := oda.Window{IDs: schema.AllIDs()}
	if below := group[0].Below; below != nil {
		asked.IDs.Low = *below - 1
	}
	if above := group[0].Above; above != nil {
		asked.IDs.High = *above
	}
	verdict := reading{origin: schema.OriginScan}
	for {
		page, err := s.read(ctx, asked, oda.Scan, schema.OriginScan)
		if err != nil {
			s.recent.end(verdict.began)
			return err
		}
		if verdict.began == 0 {
			verdict.began = page.began // stays open until the verdict is written
		} else {
			s.recent.end(page.began)
		}
		verdict.ended = page.ended
		verdict.rows = append(verdict.rows, page.rows...)
		verdict.rejects = append(verdict.rejects, page.rejects...)
		if !page.more || page.last == asked.IDs.High {
			break
		}
		asked.IDs.Low = page.last
	}
	verdict.gone = gone(group, verdict)
	return s.submit(ctx, verdict)
}

// gone lists the rows of a group that a look at them did not find, none unless it
// found the known neighbours.
func gone(group []checkpoint.Missing, look reading) []int64 {
	if look.blind() {
		return nil
	}
	here := make(map[int64]bool, len(look.rows))
	for _, r := range look.rows {
		here[r.ID] = true
	}
	absent := func(id int64) bool { return !here[id] && !look.rejected(id) }
	below, above := group[0].Below, group[0].Above
	if below != nil && absent(*below) || above != nil && absent(*above) {
		return nil
	}
	var ids []int64
	for _, m := range group {
		if absent(m.ID) {
			ids = append(ids, m.ID)
		}
	}
	return ids
}
