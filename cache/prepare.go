package cache

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// monthsAhead is how many coming months have a partition of the history: a sink that
// is started once a quarter still finds this month's.
const monthsAhead = 3

// Prepare applies the settings to the migrated database; call it when a sink starts.
// With GIN on it creates the index on the rows' content, which blocks writers while it
// is built on a full table. With GIN off it drops the index. It also creates the coming
// months' partitions of the history. Several sinks may call it at once; they should
// have the same settings.
func (s *Store) Prepare(ctx context.Context) error {
	err := s.untilUnlocked(ctx, "prepare the cache", func() error { return s.changeTables(ctx, s.prepare(ctx)) })
	if err != nil {
		return fmt.Errorf("prepare the cache: %w", err)
	}
	return nil
}

func (s *Store) prepare(ctx context.Context) func(tx pgx.Tx) error {
	return func(tx pgx.Tx) error {
		// Building an index may take longer than statement_timeout.
		if _, err := tx.Exec(ctx, `SET LOCAL statement_timeout = 0;
SELECT pg_advisory_xact_lock(hashtextextended('odastream prepare', 0))`); err != nil {
			return err
		}
		if err := s.prepareGIN(ctx, tx); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `SELECT parliamentary_history_ahead($1)`, monthsAhead)
		return err
	}
}

func (s *Store) prepareGIN(ctx context.Context, tx pgx.Tx) error {
	const (
		// From the catalog's tables: to_regclass's cached answer may be older than the
		// lock.
		exists = `SELECT EXISTS (SELECT FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
WHERE i.indrelid = 'parliamentary_data'::regclass AND c.relname = 'parliamentary_data_gin')`
		// New entries are collected in a list and added to the index in bulk.
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
		s.log.WarnContext(ctx, "dropping the GIN index because CACHE_GIN is off")
	}
	_, err := tx.Exec(ctx, query)
	return err
}
