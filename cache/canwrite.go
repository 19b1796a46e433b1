package cache

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5/pgxpool"
)

// tryWrites writes nothing to each table that Apply writes to, in each way in which it
// does. Postgres checks privileges, the transaction's read-only state and the triggers
// of statements as if there were rows.
const tryWrites = `WITH
    d1 AS (INSERT INTO parliamentary_data SELECT * FROM parliamentary_data WHERE false),
    d2 AS (UPDATE parliamentary_data SET seq = seq WHERE false),
    d3 AS (DELETE FROM parliamentary_data WHERE false),
    h1 AS (INSERT INTO parliamentary_history SELECT * FROM parliamentary_history WHERE false),
    m1 AS (INSERT INTO parliamentary_deleted SELECT * FROM parliamentary_deleted WHERE false),
    m2 AS (UPDATE parliamentary_deleted SET seq = seq WHERE false),
    m3 AS (DELETE FROM parliamentary_deleted WHERE false),
    l1 AS (INSERT INTO dead_letters SELECT * FROM dead_letters WHERE false),
    l2 AS (UPDATE dead_letters SET class = class WHERE false),
    e1 AS (INSERT INTO cache_epochs SELECT * FROM cache_epochs WHERE false),
    e2 AS (UPDATE cache_epochs SET epoch = epoch WHERE false),
    o1 AS (INSERT INTO sink_offsets SELECT * FROM sink_offsets WHERE false),
    o2 AS (UPDATE sink_offsets SET next_offset = next_offset WHERE false)
SELECT`

// CanWrite returns nil if Apply could store the next record, and otherwise what would
// keep it from that whatever the record holds: no connection, no privilege, a read-only
// server, a missing table, a table that another session has locked. It changes nothing,
// and waits for a lock until ctx ends.
func (s *Store) CanWrite(ctx context.Context) error {
	return s.pool.AcquireFunc(ctx, func(conn *pgxpool.Conn) error {
		if err := createStageTable(ctx, conn.Conn()); err != nil {
			return err
		}
		if _, err := conn.Exec(ctx, tryWrites); err != nil {
			return fmt.Errorf("try to write the cache: %w", err)
		}
		return nil
	})
}
