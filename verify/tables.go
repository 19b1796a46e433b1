package verify

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"odastream/schema"
)

const countQuery = `SELECT
(SELECT count(*) FROM poller_ledger WHERE entity_type = $1 AND hash IS NOT NULL),
(SELECT count(*) FROM parliamentary_data WHERE entity_type = $1 AND (expires_at IS NULL OR expires_at > now())),
(SELECT count(*) FROM parliamentary_deleted WHERE entity_type = $1 AND NOT expired),
(SELECT count(*) FROM parliamentary_deleted WHERE entity_type = $1 AND expired)
    + (SELECT count(*) FROM parliamentary_data WHERE entity_type = $1 AND expires_at <= now()),
(SELECT count(*) FROM dead_letters WHERE state = 'open' AND starts_with(key, $1 || ':'))`

// countTables counts what our own tables hold of the entity.
func (c *check) countTables(ctx context.Context) error {
	e := c.out
	return c.pool.QueryRow(ctx, countQuery, e.Name).Scan(&e.Ledger, &e.Cache, &e.Deleted, &e.Expired, &e.DeadLetters)
}

// countLedger counts the ledger's live rows of a range.
func (c *check) countLedger(ctx context.Context, r schema.IDRange) (n int64, err error) {
	err = c.pool.QueryRow(ctx, `
SELECT count(*) FROM poller_ledger
WHERE entity_type = $1 AND entity_id > $2 AND entity_id <= $3 AND hash IS NOT NULL`, c.out.Name, r.Low, r.High).Scan(&n)
	return n, err
}

// bounds gives the id of each step-th row of the ledger.
func (c *check) bounds(ctx context.Context, step int64) ([]int64, error) {
	rows, err := c.pool.Query(ctx, `
SELECT entity_id FROM (
    SELECT entity_id, row_number() OVER (ORDER BY entity_id) AS n
    FROM poller_ledger WHERE entity_type = $1 AND hash IS NOT NULL) AS numbered
WHERE n % $2 = 0 ORDER BY entity_id`, c.out.Name, step)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[int64])
}

// extent gives the lowest and the highest id of ledger and cache, 0 without rows.
func (c *check) extent(ctx context.Context) (lowest, highest int64, err error) {
	err = c.pool.QueryRow(ctx, `
SELECT coalesce(least(low, l), 0), coalesce(greatest(high, h), 0)
FROM (SELECT min(entity_id) AS low, max(entity_id) AS high FROM poller_ledger WHERE entity_type = $1) known,
     (SELECT min(entity_id) AS l, max(entity_id) AS h FROM parliamentary_data WHERE entity_type = $1) cached`, c.out.Name).
		Scan(&lowest, &highest)
	return lowest, highest, err
}

// suspectTables notes the rows that are in the ledger alone or in the cache alone.
func (c *check) suspectTables(ctx context.Context) error {
	rows, err := c.pool.Query(ctx, `
SELECT entity_id
FROM (SELECT entity_id FROM poller_ledger WHERE entity_type = $1 AND hash IS NOT NULL) l
FULL JOIN (SELECT entity_id, true AS cached FROM parliamentary_data WHERE entity_type = $1
           UNION ALL
           SELECT entity_id, true FROM parliamentary_deleted WHERE entity_type = $1 AND expired) p USING (entity_id)
WHERE cached IS NULL OR NOT EXISTS (
    SELECT FROM poller_ledger k WHERE k.entity_type = $1 AND k.entity_id = p.entity_id AND k.hash IS NOT NULL)
LIMIT $2`, c.out.Name, mostSuspects+1)
	if err != nil {
		return err
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	for _, id := range ids {
		c.suspect(id, nil)
	}
	return err
}

const (
	storedColumns = `SELECT entity_id, seq, data::text, false FROM parliamentary_data WHERE entity_type = $1 AND `
	expiredToo    = ` UNION ALL SELECT entity_id, seq, NULL, true FROM parliamentary_deleted WHERE expired AND entity_type = $1 AND `
)

// storedIn reads the cache's rows with ids in the range.
func (c *check) storedIn(ctx context.Context, ids schema.IDRange) (map[int64]stored, error) {
	const where = `entity_id > $2 AND entity_id <= $3`
	return c.storedRows(ctx, storedColumns+where+expiredToo+where, c.out.Name, ids.Low, ids.High)
}

// storedOf reads the cache's rows with the given ids.
func (c *check) storedOf(ctx context.Context, ids []int64) (map[int64]stored, error) {
	const where = `entity_id = ANY($2)`
	return c.storedRows(ctx, storedColumns+where+expiredToo+where, c.out.Name, ids)
}

func (c *check) storedRows(ctx context.Context, query string, args ...any) (map[int64]stored, error) {
	rows, err := c.pool.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	found := map[int64]stored{}
	var id, seq int64
	var data []byte
	var expired bool
	_, err = pgx.ForEachRow(rows, []any{&id, &seq, &data, &expired}, func() error {
		s := stored{present: !expired, expired: expired, seq: seq}
		if !expired {
			// An error is a cache row that is no object, which no source row equals.
			s.hash, _ = schema.ContentHash(data)
		}
		if !found[id].present {
			found[id] = s
		}
		return nil
	})
	return found, err
}

// agrees asks Postgres whether the cache's row is what it makes of the source's.
// A row that it cannot store at all (\u0000 in a text) is not.
func (c *check) agrees(ctx context.Context, id int64, data []byte) (same bool, err error) {
	err = c.pool.QueryRow(ctx, `
SELECT data - 'opdateringsdato' = $3::text::jsonb - 'opdateringsdato'
FROM parliamentary_data WHERE entity_type = $1 AND entity_id = $2`, c.out.Name, id, string(data)).Scan(&same)
	fault, ours := errors.AsType[*pgconn.PgError](err)
	if errors.Is(err, pgx.ErrNoRows) || ours && len(fault.Code) == 5 && fault.Code[:2] == "22" {
		return false, nil
	}
	return same, err
}
