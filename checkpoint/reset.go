package checkpoint

import (
	"context"
	"fmt"
	"math"

	"odastream/internal/session"
)

// resetChunk is the number of rows that one transaction of ResetTopic changes. A
// transaction locks the lease's row, so a long one would delay a renewal.
const resetChunk = 20_000

// ResetTopic records that the entity's topic was recreated or truncated, so that
// everything must be published again. It deletes the positions, the running pass,
// the running scan and the times of the last load and scan. All rows become Lost:
// the next scan misses those that the source no longer has, and their deletes are
// published. The highest seq and the watermark stay.
//
// It runs several transactions. The last one deletes the positions: until then
// they do not fit the topic, so a poller that is killed before that starts the
// reset again. Errors are those of Save.
func (s *Store) ResetTopic(ctx context.Context, lease Lease) error {
	for after := int64(math.MinInt64); ; {
		last, err := s.markLost(ctx, lease, after)
		if err != nil {
			return err
		}
		if last == nil {
			break
		}
		after = *last
	}
	return s.saveFenced(ctx, lease, "reset", nil, func(m *session.Message) {
		for _, query := range []string{
			`DELETE FROM poller_positions WHERE entity_type = $1`,
			`DELETE FROM poller_scans WHERE entity_type = $1`,
			`DELETE FROM poller_vanished WHERE entity_type = $1`,
			`UPDATE poller_watermarks SET loaded_at = NULL, scanned_at = NULL, consistent_through = NULL,
    scan_id = 0, scan_began = NULL, pass = NULL, partitions = 0 WHERE entity_type = $1`,
		} {
			m.Add(query, lease.Entity)
		}
	})
}

const (
	lastOfChunkQuery = `
SELECT max(entity_id) FROM (
    SELECT entity_id FROM poller_ledger
    WHERE entity_type = $1 AND hash IS NOT NULL AND entity_id > $2 ORDER BY entity_id LIMIT $3) AS chunk`

	markLostQuery = `
UPDATE poller_ledger SET seq = 0, hash = NULL, spelling = 0, fields = NULL
WHERE entity_type = $1 AND hash IS NOT NULL AND entity_id > $2 AND entity_id <= $3`
)

// markLost makes the next resetChunk rows with ids above after Lost. It returns
// the last of their ids, nil if there were none.
func (s *Store) markLost(ctx context.Context, lease Lease, after int64) (last *int64, err error) {
	if err := s.pool.QueryRow(ctx, lastOfChunkQuery, lease.Entity, after, resetChunk).Scan(&last); err != nil {
		return nil, fmt.Errorf("read ledger of %s: %w", lease.Entity, err)
	}
	return last, s.saveFenced(ctx, lease, "reset", nil, func(m *session.Message) {
		if last != nil {
			m.Add(markLostQuery, lease.Entity, after, *last)
		}
	})
}
