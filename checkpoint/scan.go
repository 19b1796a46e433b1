package checkpoint

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"odastream/internal/session"
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

// StartScan stores the ranges of a new scan, in place of those of a running one.
// It fulfils a request for a scan. id identifies the scan: a seq above every one
// used before, which counts as used from then on. began is when the scan began,
// by the source's clock. Errors are those of Save.
func (s *Store) StartScan(ctx context.Context, lease Lease, id int64, began time.Time, ranges []ScanRange) error {
	lows, highs, nexts := make([]int64, len(ranges)), make([]int64, len(ranges)), make([]int64, len(ranges))
	for i, r := range ranges {
		lows[i], highs[i], nexts[i] = r.Low, r.High, r.Next
		if r.Open() {
			highs[i] = openEnd
		}
	}
	return s.saveFenced(ctx, lease, "scan", nil, func(m *session.Message) {
		m.Add(`DELETE FROM poller_scans WHERE entity_type = $1`, lease.Entity)
		m.Add(`
INSERT INTO poller_watermarks AS w (entity_type, scan_id, scan_began, seq) VALUES ($1, $2, $3, $2)
ON CONFLICT (entity_type) DO UPDATE SET
    scan_id = excluded.scan_id, scan_began = excluded.scan_began, scan_requested = false, seq = greatest(w.seq, excluded.seq)`, lease.Entity, id, began)
		m.Add(`INSERT INTO poller_scans (entity_type, low, high, next)
SELECT $1, * FROM unnest($2::bigint[], $3::bigint[], $4::bigint[])`, lease.Entity, lows, highs, nexts)
	})
}

const saveRangeQuery = `
UPDATE poller_scans SET next = greatest(next, $3), read = greatest(read, $4), done = done OR $5, updated_at = now()
WHERE entity_type = $1 AND low = $2`

// saveVanishedQuery counts a row once for each scan, however often the scan was
// resumed.
const saveVanishedQuery = `
INSERT INTO poller_vanished AS v (entity_type, entity_id, scan_id)
SELECT $1, id, (SELECT scan_id FROM poller_watermarks WHERE entity_type = $1) FROM unnest($2::bigint[]) AS id
ON CONFLICT (entity_type, entity_id) DO UPDATE
SET scans = v.scans + CASE WHEN v.scan_id < excluded.scan_id THEN 1 ELSE 0 END, scan_id = excluded.scan_id`

func addScan(m *session.Message, entity string, p Progress) {
	for _, r := range p.Ranges {
		m.Add(saveRangeQuery, entity, r.Low, r.Next, r.Read, r.Done)
	}
	if len(p.Vanished) > 0 {
		m.Add(saveVanishedQuery, entity, p.Vanished)
	}
	if len(p.Returned) > 0 {
		m.Add(`DELETE FROM poller_vanished WHERE entity_type = $1 AND entity_id = ANY($2)`, entity, p.Returned)
	}
	if !p.ScannedAt.IsZero() {
		m.Add(`DELETE FROM poller_scans WHERE entity_type = $1`, entity)
		m.Add(`UPDATE poller_watermarks SET scan_id = 0, scan_began = NULL WHERE entity_type = $1`, entity)
	}
}

// VanishedRow is a row of the ledger that a scan did not find at the source.
type VanishedRow struct {
	ID           int64
	Scans        int       // the number of scans that did not find it
	ScanID       int64     // the last of them
	SeenAt       time.Time // when a scan first did not find it
	Confirmed    bool      // a person has confirmed its delete
	Below, Above *int64    // its neighbours: the nearest ids in the ledger that have not vanished; nil if there is none
}

// VanishedRows returns the vanished rows of entity, ids ascending, each with its
// neighbours.
func (s *Store) VanishedRows(ctx context.Context, entity string) ([]VanishedRow, error) {
	// The neighbours that the query finds may have vanished too. To skip those in SQL
	// could take a hundred thousand steps for each of a hundred thousand rows.
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
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[VanishedRow])
	if err != nil {
		return nil, fmt.Errorf("list vanished rows of %s: %w", entity, err)
	}
	skipVanishedNeighbours(list)
	return list, nil
}

// skipVanishedNeighbours replaces each neighbour that has vanished by that row's own
// neighbour.
func skipVanishedNeighbours(list []VanishedRow) {
	at := make(map[int64]*VanishedRow, len(list))
	for i := range list {
		at[list[i].ID] = &list[i]
	}
	replace := func(neighbour **int64, of func(*VanishedRow) *int64) {
		if *neighbour == nil {
			return
		}
		if m := at[**neighbour]; m != nil {
			*neighbour = of(m)
		}
	}
	for i := range list { // ids ascend: the rows below are done already
		replace(&list[i].Below, func(m *VanishedRow) *int64 { return m.Below })
	}
	for i := range slices.Backward(list) {
		replace(&list[i].Above, func(m *VanishedRow) *int64 { return m.Above })
	}
}

// Count returns the number of rows of entity in the ledger that are not Deleted.
func (s *Store) Count(ctx context.Context, entity string) (int64, error) {
	var n int64
	err := s.pool.QueryRow(ctx, `
SELECT count(*) FROM poller_ledger WHERE entity_type = $1 AND `+atSource, entity).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("count ledger of %s: %w", entity, err)
	}
	return n, nil
}

// RequestScan asks the entity's poller for a scan. The poller reads the request
// within half a minute, or when its running scan is complete. With confirm, the
// deletes of all rows that have vanished so far are confirmed, however many they
// are, and RequestScan returns their number. It needs no lease.
func (s *Store) RequestScan(ctx context.Context, entity string, confirm bool) (confirmed int64, err error) {
	var m session.Message
	n := 0
	m.Add(`UPDATE poller_watermarks SET scan_requested = true WHERE entity_type = $1`, entity)
	if confirm {
		m.Add(`UPDATE poller_vanished SET confirmed = true WHERE entity_type = $1`, entity).Count(&n)
	}
	if err := run(ctx, s.pool, &m); err != nil {
		return 0, fmt.Errorf("request scan of %s: %w", entity, err)
	}
	return int64(n), nil
}
