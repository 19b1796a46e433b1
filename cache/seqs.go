package cache

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Seqs returns the seq that the cache holds of each of an entity's rows, deleted
// ones and those of CACHE_TTL's included. A row that the cache has never had is
// not there: any change of it is newer.
func (r *Reader) Seqs(ctx context.Context, entity string, ids []int64) (map[int64]int64, error) {
	const query = `SELECT entity_id, seq FROM parliamentary_data WHERE entity_type = $1 AND entity_id = ANY ($2)
UNION ALL SELECT entity_id, seq FROM parliamentary_deleted WHERE entity_type = $1 AND entity_id = ANY ($2)`
	seqs := map[int64]int64{}
	err := pgx.BeginTxFunc(ctx, r.pool, txOptions, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, query, entity, ids)
		if err != nil {
			return err
		}
		var id, seq int64
		_, err = pgx.ForEachRow(rows, []any{&id, &seq}, func() error {
			seqs[id] = max(seqs[id], seq)
			return nil
		})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read seqs of %d rows of %s: %w", len(ids), entity, err)
	}
	return seqs, nil
}
