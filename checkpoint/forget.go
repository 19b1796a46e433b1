package checkpoint

import (
	"context"
	"math"

	"github.com/jackc/pgx/v5"
)

// forgetAtOnce is how many rows one transaction of Forget takes: it holds the row of
// the lease, which must be renewed meanwhile.
const forgetAtOnce = 20_000

// Forget takes note that the entity's topic was made anew or cut, and that nothing is
// known of what it holds: everything is to be published again. Positions, running
// pass and scan go, and that the entity was ever loaded. Its rows are Lost from then
// on, so that those which the source no longer has are missed by the next scan and
// their deletes published; the highest seq stays, and so does the watermark: changes
// go on from there. It takes several transactions, of which the last one drops the
// positions: until then the topic is another one than they know. Errors are those of
// Save.
func (s *Store) Forget(ctx context.Context, lease Lease) error {
	for after := int64(math.MinInt64); ; {
		last, err := s.loseRows(ctx, lease, after)
		if err != nil {
			return err
		}
		if last == nil {
			break
		}
		after = *last
	}
	return s.fenced(ctx, lease, "reset", func(tx pgx.Tx) error {
		var batch pgx.Batch
		for _, query := range []string{
			`DELETE FROM poller_positions WHERE entity_type = $1`,
			`DELETE FROM poller_scans WHERE entity_type = $1`,
			`DELETE FROM poller_vanished WHERE entity_type = $1`,
			`UPDATE poller_watermarks SET loaded_at = NULL, scanned_at = NULL, consistent_through = NULL,
    scan_id = 0, scan_began = NULL, pass = NULL, partitions = 0 WHERE entity_type = $1`,
		} {
			batch.Queue(query, lease.Entity)
		}
		return tx.SendBatch(ctx, &batch).Close()
	})
}

const loseRowsQuery = `
WITH lost AS (
    UPDATE poller_ledger SET seq = 0, hash = NULL, spelling = 0, stamp = NULL, fields = NULL
    WHERE entity_type = $1 AND entity_id IN (
        SELECT entity_id FROM poller_ledger
        WHERE entity_type = $1 AND hash IS NOT NULL AND entity_id > $2 ORDER BY entity_id LIMIT $3)
    RETURNING entity_id)
SELECT max(entity_id) FROM lost`

// loseRows makes the next rows Lost, ids ascending, and returns the last of them;
// nil: there were none.
func (s *Store) loseRows(ctx context.Context, lease Lease, after int64) (last *int64, err error) {
	err = s.fenced(ctx, lease, "reset", func(tx pgx.Tx) error {
		return tx.QueryRow(ctx, loseRowsQuery, lease.Entity, after, forgetAtOnce).Scan(&last)
	})
	return last, err
}
