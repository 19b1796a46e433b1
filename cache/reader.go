package cache

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"odastream/schema"
)

// Reader reads what the cache's tables hold. It changes nothing, and is safe for
// concurrent use.
type Reader struct {
	pool *pgxpool.Pool
}

// NewReader returns a Reader on pool, which stays the caller's to close. A
// statement_timeout of the pool bounds each count.
func NewReader(pool *pgxpool.Pool) *Reader { return &Reader{pool: pool} }

// StoredRow is what the cache holds of one row.
type StoredRow struct {
	Seq     int64
	Data    []byte // as jsonb writes it; nil if Expired
	Expired bool   // CACHE_TTL has removed it
}

const (
	storedRows  = `SELECT entity_id, seq, data::text, false FROM parliamentary_data WHERE entity_type = $1 AND `
	expiredRows = ` UNION ALL SELECT entity_id, seq, NULL, true FROM parliamentary_deleted WHERE expired AND entity_type = $1 AND `
)

// RowsIn returns the rows of an entity with ids in the range, by id.
func (r *Reader) RowsIn(ctx context.Context, entity string, ids schema.IDRange) (map[int64]StoredRow, error) {
	const where = `entity_id >= $2 AND entity_id <= $3`
	return r.rows(ctx, storedRows+where+expiredRows+where, entity, ids.First(), ids.High)
}

// Rows returns the rows of an entity with the given ids, by id.
func (r *Reader) Rows(ctx context.Context, entity string, ids []int64) (map[int64]StoredRow, error) {
	const where = `entity_id = ANY ($2)`
	return r.rows(ctx, storedRows+where+expiredRows+where, entity, ids)
}

func (r *Reader) rows(ctx context.Context, query, entity string, args ...any) (map[int64]StoredRow, error) {
	rows, err := r.pool.Query(ctx, query, append([]any{entity}, args...)...)
	if err != nil {
		return nil, fmt.Errorf("read rows of %s: %w", entity, err)
	}
	found := map[int64]StoredRow{}
	var id int64
	var row StoredRow
	_, err = pgx.ForEachRow(rows, []any{&id, &row.Seq, &row.Data, &row.Expired}, func() error {
		if known, ok := found[id]; !ok || known.Expired {
			found[id] = row
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read rows of %s: %w", entity, err)
	}
	return found, nil
}

// SameContent says whether the cache holds of a row what Postgres makes of data,
// apart from opdateringsdato. A row that Postgres cannot store is not the same, nor
// is one that the cache does not hold.
func (r *Reader) SameContent(ctx context.Context, entity string, id int64, data []byte) (same bool, err error) {
	err = r.pool.QueryRow(ctx, `SELECT data - 'opdateringsdato' = $3::text::jsonb - 'opdateringsdato'
FROM parliamentary_data WHERE entity_type = $1 AND entity_id = $2`, entity, id, string(data)).Scan(&same)
	if _, faulty := IsRecordFault(err); faulty || errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("compare row %s: %w", schema.Key(entity, id), err)
	}
	return same, nil
}

// RowIDs returns, ascending, the ids in the range of which the cache has a row or
// has had one that CACHE_TTL removed.
func (r *Reader) RowIDs(ctx context.Context, entity string, ids schema.IDRange) ([]int64, error) {
	rows, err := r.pool.Query(ctx, `SELECT entity_id FROM parliamentary_data WHERE entity_type = $1 AND entity_id >= $2 AND entity_id <= $3
UNION SELECT entity_id FROM parliamentary_deleted WHERE expired AND entity_type = $1 AND entity_id >= $2 AND entity_id <= $3
ORDER BY entity_id`, entity, ids.First(), ids.High)
	if err != nil {
		return nil, fmt.Errorf("read ids of %s: %w", entity, err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return nil, fmt.Errorf("read ids of %s: %w", entity, err)
	}
	return list, nil
}

// IDBounds returns the lowest and the highest id of an entity's rows; ok is false
// where there is none.
func (r *Reader) IDBounds(ctx context.Context, entity string) (lowest, highest int64, ok bool, err error) {
	var low, high *int64
	err = r.pool.QueryRow(ctx, `SELECT min(entity_id), max(entity_id) FROM parliamentary_data WHERE entity_type = $1`, entity).Scan(&low, &high)
	if err != nil {
		return 0, 0, false, fmt.Errorf("read ids of %s: %w", entity, err)
	}
	if low == nil || high == nil {
		return 0, 0, false, nil
	}
	return *low, *high, true, nil
}

// CurrentRow is a row of parliamentary_data.
type CurrentRow struct {
	Seq                  int64
	CreatedAt, UpdatedAt time.Time
	ExpiresAt            *time.Time // nil: never
	Data                 string     // as jsonb writes it
}

// DeletedRow is a row of parliamentary_deleted.
type DeletedRow struct {
	Seq       int64
	DeletedAt time.Time
	Expired   bool // by CACHE_TTL, not at the source
}

// Row returns what the cache holds of one row: as it is, and as it was deleted.
// Either is nil where the cache does not have it.
func (r *Reader) Row(ctx context.Context, entity string, id int64) (*CurrentRow, *DeletedRow, error) {
	row, deleted := &CurrentRow{}, &DeletedRow{}
	err := r.pool.QueryRow(ctx, `SELECT seq, created_at, updated_at, expires_at, data::text FROM parliamentary_data
WHERE entity_type = $1 AND entity_id = $2`, entity, id).Scan(&row.Seq, &row.CreatedAt, &row.UpdatedAt, &row.ExpiresAt, &row.Data)
	if errors.Is(err, pgx.ErrNoRows) {
		row, err = nil, nil
	}
	if err == nil {
		err = r.pool.QueryRow(ctx, `SELECT seq, deleted_at, expired FROM parliamentary_deleted
WHERE entity_type = $1 AND entity_id = $2`, entity, id).Scan(&deleted.Seq, &deleted.DeletedAt, &deleted.Expired)
	}
	if errors.Is(err, pgx.ErrNoRows) {
		deleted, err = nil, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("read row %s: %w", schema.Key(entity, id), err)
	}
	return row, deleted, nil
}

// IsMissingTable says whether err is Postgres's "relation does not exist": the
// database was never migrated.
func IsMissingTable(err error) bool {
	fault, ok := errors.AsType[*pgconn.PgError](err)
	return ok && fault.Code == "42P01"
}
