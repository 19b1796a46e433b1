package cache

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// monthsAhead is how many partitions of the history lie before us: a sink that
// is started once a quarter still finds this month's.
const monthsAhead = 3

// Prepare brings the migrated database to what the settings ask for; call it at
// the sink's start. With GIN on it makes the index on the rows' content, which
// holds up writers while it is built on a full table; with GIN off it removes it.
// It makes the coming months' partitions of the history as well. Several sinks
// may call it at once; they should have the same settings.
func (s *Store) Prepare(ctx context.Context) error {
	err := pgx.BeginTxFunc(ctx, s.pool, txOptions, func(tx pgx.Tx) error {
		// Building an index takes as long as it takes.
		if _, err := tx.Exec(ctx, `SET LOCAL statement_timeout = 0;
SELECT pg_advisory_xact_lock(hashtextextended('odastream prepare', 0))`); err != nil {
			return err
		}
		if err := s.prepareGIN(ctx, tx); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `SELECT parliamentary_history_ahead($1)`, monthsAhead)
		return err
	})
	if err != nil {
		return fmt.Errorf("prepare the cache: %w", err)
	}
	return nil
}

func (s *Store) prepareGIN(ctx context.Context, tx pgx.Tx) error {
	const (
		// Asked of the catalog's rows: to_regclass answers from a cache that may be
		// older than the lock.
		exists = `SELECT EXISTS (SELECT FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
WHERE i.indrelid = 'parliamentary_data'::regclass AND c.relname = 'parliamentary_data_gin')`
		// New entries wait in a list and are sorted in by the thousand.
		create = `CREATE INDEX parliamentary_data_gin ON parliamentary_data USING gin (data jsonb_path_ops) WITH (fastupdate = on)`
		drop   = `DROP INDEX parliamentary_data_gin`
	)
	var there bool
	if err := tx.QueryRow(ctx, exists).Scan(&there); err != nil {
		return err
	}
	wanted := s.cfg.GIN != "off"
	if there == wanted {
		return nil
	}
	query := create
	if there {
		query = drop
		s.log.WarnContext(ctx, "removing the GIN index, as CACHE_GIN=off says")
	}
	_, err := tx.Exec(ctx, query)
	return err
}
