package cache

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Counts are how many rows the cache's tables have of one entity.
type Counts struct {
	Rows        int64 // that have not expired
	Deleted     int64 // remembered as deleted
	Expired     int64 // removed, or to be removed, by CACHE_TTL
	DeadLetters int64 // open ones
}

// Counts counts what there is of an entity.
func (r *Reader) Counts(ctx context.Context, entity string) (c Counts, err error) {
	const query = `SELECT
(SELECT count(*) FROM parliamentary_data WHERE entity_type = $1 AND (expires_at IS NULL OR expires_at > now())),
(SELECT count(*) FROM parliamentary_deleted WHERE entity_type = $1 AND NOT expired),
(SELECT count(*) FROM parliamentary_deleted WHERE entity_type = $1 AND expired)
    + (SELECT count(*) FROM parliamentary_data WHERE entity_type = $1 AND expires_at <= now()),
(SELECT count(*) FROM dead_letters WHERE state = 'open' AND starts_with(key, $1 || ':'))`
	if err := r.pool.QueryRow(ctx, query, entity).Scan(&c.Rows, &c.Deleted, &c.Expired, &c.DeadLetters); err != nil {
		return Counts{}, fmt.Errorf("count rows of %s: %w", entity, err)
	}
	return c, nil
}

// CountRows counts the rows of every entity that has any. On a complete cache that
// takes longer than anybody waits: bound it by ctx.
func (r *Reader) CountRows(ctx context.Context) (map[string]int64, error) {
	return collect[int64](ctx, r, "count rows", `SELECT entity_type, count(*) FROM parliamentary_data GROUP BY entity_type`)
}

// OpenDeadLetters counts the open dead letters of every topic that has any.
func (r *Reader) OpenDeadLetters(ctx context.Context) (map[string]int64, error) {
	return collect[int64](ctx, r, "count dead letters", `SELECT topic, count(*) FROM dead_letters WHERE state = 'open' GROUP BY topic`)
}

// AppliedAt returns when an offset of each topic was last stored, by any group.
func (r *Reader) AppliedAt(ctx context.Context) (map[string]time.Time, error) {
	return collect[time.Time](ctx, r, "read offsets", `SELECT topic, max(updated_at) FROM sink_offsets GROUP BY topic`)
}

// Applied returns the sum of the offsets of each group: how many offsets it is past
// the beginnings of its topics. A group that has stored none is not there.
func (r *Reader) Applied(ctx context.Context) (map[string]int64, error) {
	return collect[int64](ctx, r, "read offsets", `SELECT group_id, sum(next_offset)::bigint FROM sink_offsets GROUP BY group_id`)
}

// collect reads the two columns that a query gives.
func collect[V any](ctx context.Context, r *Reader, what, query string) (map[string]V, error) {
	rows, err := r.pool.Query(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	found := map[string]V{}
	var name string
	var value V
	_, err = pgx.ForEachRow(rows, []any{&name, &value}, func() error {
		found[name] = value
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	return found, nil
}
