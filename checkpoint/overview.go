package checkpoint

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype/zeronull"

	"odastream/internal/session"
)

// Overview is how far the pollers are with one entity. A time is zero where it is
// not known.
type Overview struct {
	Entity    string
	Holder    string // of the lease; "" if it ran out or is void
	Watermark time.Time
	LoadedAt  time.Time // when the first load was complete
	ScannedAt time.Time // when the last whole scan ended
	SavedAt   time.Time // when watermark or progress was last saved
	// Unresolved is the number of rows that the last scan did not find, and whose deletes
	// are neither published nor confirmed; 0 while a scan runs.
	Unresolved int64
}

// Overview returns all entities that a poller has ever had a lease of, in no order.
func (s *Store) Overview(ctx context.Context) ([]Overview, error) {
	rows, err := s.pool.Query(ctx, `SELECT entity_type, CASE WHEN expires_at <= clock_timestamp() OR `+isVoid+` THEN '' ELSE holder END,
    watermark, loaded_at, scanned_at, w.updated_at,
    (SELECT count(*) FROM poller_vanished v WHERE v.entity_type = w.entity_type AND NOT v.confirmed AND w.scan_id = 0)
FROM poller_leases LEFT JOIN poller_watermarks w USING (entity_type)`)
	if err != nil {
		return nil, fmt.Errorf("read leases and watermarks: %w", err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (o Overview, err error) {
		var watermark, loaded, scanned, saved zeronull.Timestamptz
		err = row.Scan(&o.Entity, &o.Holder, &watermark, &loaded, &scanned, &saved, &o.Unresolved)
		o.Watermark, o.LoadedAt = time.Time(watermark).UTC(), time.Time(loaded).UTC()
		o.ScannedAt, o.SavedAt = time.Time(scanned).UTC(), time.Time(saved).UTC()
		return o, err
	})
	if err != nil {
		return nil, fmt.Errorf("read leases and watermarks: %w", err)
	}
	return list, nil
}

// EndAllLeases ends every lease and removes every poller from the members, as if
// they had run out. It is for whoever knows that no poller runs: one that does
// loses its entities, and what it then tries to save is refused (Invariant 4).
func (s *Store) EndAllLeases(ctx context.Context) error {
	var m session.Message
	m.Add(`UPDATE poller_leases SET expires_at = '-infinity'`)
	m.Add(`DELETE FROM poller_members`)
	if err := run(ctx, s.pool, &m); err != nil {
		return fmt.Errorf("end all leases: %w", err)
	}
	return nil
}
