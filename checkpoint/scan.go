package checkpoint

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"odastream/schema"
)

// ScanRange is a part of a scan.
type ScanRange struct {
	schema.IDRange
	Next int64 // rows up to this id are saved; Low at the start
	Read int64 // rows that the range has shown so far
	Done bool
}

// openEnd is how poller_scans stores the High of a range without an upper end.
const openEnd = 0

func (s *Store) ranges(ctx context.Context, entity string) ([]ScanRange, error) {
	rows, err := s.pool.Query(ctx, `
SELECT low, CASE WHEN high = $2 THEN $3 ELSE high END, next, read, done FROM poller_scans WHERE entity_type = $1 ORDER BY low DESC`, entity, openEnd, schema.NoEnd)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[ScanRange])
}

// StartScan stores the ranges of a new scan; one that was under way is forgotten, and
// what a person asked for has begun. id is the seq at which it begins, above every one
// used before, and counts as used from then on; began is what the source's clock
// showed then. Errors are those of Save.
func (s *Store) StartScan(ctx context.Context, lease Lease, id int64, began time.Time, ranges []ScanRange) error {
	return s.fenced(ctx, lease, "scan", func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `DELETE FROM poller_scans WHERE entity_type = $1`, lease.Entity); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `
INSERT INTO poller_watermarks AS w (entity_type, scan_id, scan_began, seq) VALUES ($1, $2, $3, $2)
ON CONFLICT (entity_type) DO UPDATE SET
    scan_id = excluded.scan_id, scan_began = excluded.scan_began, scan_requested = false, seq = greatest(w.seq, excluded.seq)`, lease.Entity, id, began)
		if err != nil {
			return err
		}
		_, err = tx.CopyFrom(ctx, pgx.Identifier{"poller_scans"}, []string{"entity_type", "low", "high", "next"},
			pgx.CopyFromSlice(len(ranges), func(i int) ([]any, error) {
				r := ranges[i]
				if r.Open() {
					r.High = openEnd
				}
				return []any{lease.Entity, r.Low, r.High, r.Next}, nil
			}))
		return err
	})
}

const saveRangeQuery = `
UPDATE poller_scans SET next = greatest(next, $3), read = greatest(read, $4), done = done OR $5, updated_at = now()
WHERE entity_type = $1 AND low = $2`

// saveVanishedQuery counts a row once a scan, however often the scan was resumed.
const saveVanishedQuery = `
INSERT INTO poller_vanished AS v (entity_type, entity_id, scan_id)
SELECT $1, id, (SELECT scan_id FROM poller_watermarks WHERE entity_type = $1) FROM unnest($2::bigint[]) AS id
ON CONFLICT (entity_type, entity_id) DO UPDATE
SET scans = v.scans + CASE WHEN v.scan_id < excluded.scan_id THEN 1 ELSE 0 END, scan_id = excluded.scan_id`

func queueScan(batch *pgx.Batch, entity string, p Progress) {
	for _, r := range p.Ranges {
		batch.Queue(saveRangeQuery, entity, r.Low, r.Next, r.Read, r.Done)
	}
	if len(p.Vanished) > 0 {
		batch.Queue(saveVanishedQuery, entity, p.Vanished)
	}
	if len(p.Returned) > 0 {
		batch.Queue(`DELETE FROM poller_vanished WHERE entity_type = $1 AND entity_id = ANY($2)`, entity, p.Returned)
	}
	if !p.ScannedAt.IsZero() {
		batch.Queue(`DELETE FROM poller_scans WHERE entity_type = $1`, entity)
		batch.Queue(`UPDATE poller_watermarks SET scan_id = 0, scan_began = NULL WHERE entity_type = $1`, entity)
	}
}

// Missing is a row of the ledger that a scan did not find.
type Missing struct {
	ID           int64
	Scans        int       // whole scans that have missed it
	ScanID       int64     // the last of them
	SeenAt       time.Time // when it was missed first
	Confirmed    bool      // a person has said that it may be deleted
	Below, Above *int64    // the nearest ids that the ledger has and no scan misses; nil: none
}

// Vanished lists the rows of entity that scans did not find, ids ascending, each
// with its known neighbours.
func (s *Store) Vanished(ctx context.Context, entity string) ([]Missing, error) {
	// The neighbours found here may be missing themselves: to step over those in
	// SQL would take a hundred thousand steps for each of a hundred thousand rows.
	rows, err := s.pool.Query(ctx, `
SELECT v.entity_id, v.scans, v.scan_id, v.seen_at, v.confirmed,
    (SELECT l.entity_id FROM poller_ledger l
     WHERE l.entity_type = $1 AND l.entity_id < v.entity_id AND l.hash IS NOT NULL ORDER BY l.entity_id DESC LIMIT 1),
    (SELECT l.entity_id FROM poller_ledger l
     WHERE l.entity_type = $1 AND l.entity_id > v.entity_id AND l.hash IS NOT NULL ORDER BY l.entity_id LIMIT 1)
FROM poller_vanished v WHERE v.entity_type = $1 ORDER BY v.entity_id`, entity)
	if err != nil {
		return nil, fmt.Errorf("list vanished rows of %s: %w", entity, err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Missing])
	if err != nil {
		return nil, fmt.Errorf("list vanished rows of %s: %w", entity, err)
	}
	stepOver(list)
	return list, nil
}

// stepOver replaces each neighbour that is missing itself by that one's own.
func stepOver(list []Missing) {
	at := make(map[int64]*Missing, len(list))
	for i := range list {
		at[list[i].ID] = &list[i]
	}
	replace := func(neighbour **int64, of func(*Missing) *int64) {
		if *neighbour == nil {
			return
		}
		if m := at[**neighbour]; m != nil {
			*neighbour = of(m)
		}
	}
	for i := range list { // those below are done already
		replace(&list[i].Below, func(m *Missing) *int64 { return m.Below })
	}
	for i := range slices.Backward(list) {
		replace(&list[i].Above, func(m *Missing) *int64 { return m.Above })
	}
}

// Count is the number of rows that the ledger has of entity and that are not
// deleted.
func (s *Store) Count(ctx context.Context, entity string) (int64, error) {
	var n int64
	err := s.pool.QueryRow(ctx, `
SELECT count(*) FROM poller_ledger WHERE entity_type = $1 AND `+expected, entity).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("count ledger of %s: %w", entity, err)
	}
	return n, nil
}

// RequestScan makes the entity's poller scan it at its next look at the store, at
// most half a minute later, or once the scan that is under way is over. confirm says
// that what vanished may be deleted however much it is; the number of rows so
// confirmed is returned. It needs no lease.
func (s *Store) RequestScan(ctx context.Context, entity string, confirm bool) (confirmed int64, err error) {
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if confirm {
			tag, err := tx.Exec(ctx, `UPDATE poller_vanished SET confirmed = true WHERE entity_type = $1`, entity)
			if err != nil {
				return err
			}
			confirmed = tag.RowsAffected()
		}
		_, err := tx.Exec(ctx, `UPDATE poller_watermarks SET scan_requested = true WHERE entity_type = $1`, entity)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("request scan of %s: %w", entity, err)
	}
	return confirmed, nil
}
