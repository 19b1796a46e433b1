package checkpoint

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"odastream/schema"
)

// CountRows returns how many of an entity's rows with these ids the ledger takes to
// be in the topic: those that are Live or Dirty.
func (s *Store) CountRows(ctx context.Context, entity string, ids schema.IDRange) (n int64, err error) {
	const query = `SELECT count(*) FROM poller_ledger
WHERE entity_type = $1 AND entity_id >= $2 AND entity_id <= $3 AND hash IS NOT NULL`
	if err := s.pool.QueryRow(ctx, query, entity, ids.First(), ids.High).Scan(&n); err != nil {
		return 0, fmt.Errorf("count ledger of %s: %w", entity, err)
	}
	return n, nil
}

// OnTopic returns those of the ids whose rows the ledger takes to be in the topic.
func (s *Store) OnTopic(ctx context.Context, entity string, ids []int64) ([]int64, error) {
	return s.ids(ctx, entity, `SELECT entity_id FROM poller_ledger
WHERE entity_type = $1 AND entity_id = ANY ($2) AND hash IS NOT NULL ORDER BY entity_id`, entity, ids)
}

// RowIDs returns the ids, ascending, of the rows that CountRows counts.
func (s *Store) RowIDs(ctx context.Context, entity string, ids schema.IDRange) ([]int64, error) {
	return s.ids(ctx, entity, `SELECT entity_id FROM poller_ledger
WHERE entity_type = $1 AND entity_id >= $2 AND entity_id <= $3 AND hash IS NOT NULL ORDER BY entity_id`, entity, ids.First(), ids.High)
}

// EveryNth returns the id of each n-th of the rows that CountRows counts, ascending:
// they cut the entity into ranges with equally many rows.
func (s *Store) EveryNth(ctx context.Context, entity string, n int64) ([]int64, error) {
	return s.ids(ctx, entity, `SELECT entity_id FROM (
    SELECT entity_id, row_number() OVER (ORDER BY entity_id) AS n FROM poller_ledger WHERE entity_type = $1 AND hash IS NOT NULL) AS numbered
WHERE n % $2 = 0 ORDER BY entity_id`, entity, n)
}

func (s *Store) ids(ctx context.Context, entity, query string, args ...any) ([]int64, error) {
	rows, err := s.pool.Query(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("read ids in the ledger of %s: %w", entity, err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return nil, fmt.Errorf("read ids in the ledger of %s: %w", entity, err)
	}
	return ids, nil
}

// IDBounds returns the lowest and the highest id of the ledger's entries of an
// entity, whatever their state; ok is false where there is none.
func (s *Store) IDBounds(ctx context.Context, entity string) (lowest, highest int64, ok bool, err error) {
	var low, high *int64
	err = s.pool.QueryRow(ctx, `SELECT min(entity_id), max(entity_id) FROM poller_ledger WHERE entity_type = $1`, entity).Scan(&low, &high)
	if err != nil {
		return 0, 0, false, fmt.Errorf("read ids in the ledger of %s: %w", entity, err)
	}
	if low == nil || high == nil {
		return 0, 0, false, nil
	}
	return *low, *high, true, nil
}
