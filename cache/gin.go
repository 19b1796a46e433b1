package cache

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// The statements about the GIN index. A partition's index that is not part of the
// parent's yet has a name of its own, so that a build that ended early is found again.
// Partitions made later have the index from their parent.
const (
	lockGIN = `SELECT pg_try_advisory_lock(hashtextextended('odastream prepare', 0))`

	// From the catalog's tables: to_regclass's cached answer may be older than the lock.
	hasGIN = `SELECT EXISTS (SELECT FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
WHERE i.indrelid = 'parliamentary_data'::regclass AND c.relname = 'parliamentary_data_gin')`

	// New entries are collected in a list and added to the index in bulk.
	createGIN = `CREATE INDEX parliamentary_data_gin ON parliamentary_data USING gin (data jsonb_path_ops) WITH (fastupdate = on)`
	dropGIN   = `DROP INDEX parliamentary_data_gin`

	// Partitions without pages are left to createGIN.
	buildParts = `SELECT format('CREATE INDEX CONCURRENTLY %I ON %s USING gin (data jsonb_path_ops) WITH (fastupdate = on)',
    'parliamentary_data_gin_' || t.relid::oid, t.relid)
FROM pg_partition_tree('parliamentary_data') t
WHERE t.isleaf AND pg_relation_size(t.relid) > 0 AND NOT EXISTS (
    SELECT FROM pg_index i WHERE i.indrelid = t.relid AND i.indisvalid AND i.indpred IS NULL
    AND pg_get_indexdef(i.indexrelid) LIKE '%USING gin (data jsonb_path_ops)%')
ORDER BY t.relid`

	// The parts of a build that ended early; with $1 only those that a build has to replace.
	dropParts = `SELECT format('DROP INDEX CONCURRENTLY %s', i.indexrelid::regclass)
FROM pg_partition_tree('parliamentary_data') t JOIN pg_index i ON i.indrelid = t.relid JOIN pg_class c ON c.oid = i.indexrelid
WHERE c.relname ~ '^parliamentary_data_gin_[0-9]+$' AND NOT c.relispartition AND NOT (i.indisvalid AND $1)
ORDER BY i.indexrelid`
)

// prepareGIN creates or drops the GIN index. One session at a time does it.
func (s *Store) prepareGIN(ctx context.Context) error {
	return s.pool.AcquireFunc(ctx, func(conn *pgxpool.Conn) error {
		if done, err := s.ginIsAsWanted(ctx, conn); err != nil || done {
			return err
		}
		// The settings and the lock end with the session.
		defer func() { _ = conn.Conn().Close(context.WithoutCancel(ctx)) }()
		if _, err := conn.Exec(ctx, `SET statement_timeout = 0; SET lock_timeout = 0`); err != nil {
			return err
		}
		if err := waitForGIN(ctx, conn); err != nil {
			return err
		}
		if done, err := s.ginIsAsWanted(ctx, conn); err != nil || done {
			return err
		}
		if s.cfg.GIN == "off" {
			return s.removeGIN(ctx, conn)
		}
		return s.buildGIN(ctx, conn)
	})
}

func (s *Store) ginIsAsWanted(ctx context.Context, conn *pgxpool.Conn) (bool, error) {
	var there bool
	if err := conn.QueryRow(ctx, hasGIN).Scan(&there); err != nil || there || s.cfg.GIN != "off" {
		return there && s.cfg.GIN != "off", err
	}
	parts, err := statements(ctx, conn, dropParts, false)
	return len(parts) == 0, err
}

// waitForGIN takes the lock without waiting within a statement: a concurrent build waits
// for each statement that began before it.
func waitForGIN(ctx context.Context, conn *pgxpool.Conn) error {
	for {
		var locked bool
		if err := conn.QueryRow(ctx, lockGIN).Scan(&locked); err != nil || locked {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(lockWithin / 4):
		}
	}
}

// buildGIN builds the index of each partition while others write, and then the parent's,
// which takes those over without building them again. That waits for writers two seconds
// at a time, and for no reader; ALTER INDEX … ATTACH PARTITION would wait for readers.
func (s *Store) buildGIN(ctx context.Context, conn *pgxpool.Conn) error {
	if err := s.concurrently(ctx, conn, dropParts, true); err != nil {
		return err
	}
	if err := s.concurrently(ctx, conn, buildParts); err != nil {
		return err
	}
	return s.changeGIN(ctx, conn, "create the GIN index", createGIN)
}

// removeGIN drops the index at once, because Postgres can neither drop a parent's index
// concurrently nor detach a partition's. That takes milliseconds once no other session
// uses the table, and waits for them two seconds at a time.
func (s *Store) removeGIN(ctx context.Context, conn *pgxpool.Conn) error {
	var there bool
	if err := conn.QueryRow(ctx, hasGIN).Scan(&there); err != nil {
		return err
	}
	if there {
		s.log.WarnContext(ctx, "dropping the GIN index because CACHE_GIN is off")
		if err := s.changeGIN(ctx, conn, "drop the GIN index", dropGIN); err != nil {
			return err
		}
	}
	return s.concurrently(ctx, conn, dropParts, false)
}

func (s *Store) changeGIN(ctx context.Context, conn *pgxpool.Conn, what, sql string) error {
	return s.untilUnlocked(ctx, what, func() error {
		return s.changeTablesOn(ctx, conn, func(tx pgx.Tx) error {
			_, err := tx.Exec(ctx, `SET LOCAL statement_timeout = '30s'; `+sql)
			return err
		})
	})
}

// concurrently runs the statements that query returns. They wait for the transactions
// that use the table or have an old snapshot, without a bound: nobody waits for them
// but others that change the table.
func (s *Store) concurrently(ctx context.Context, conn *pgxpool.Conn, query string, args ...any) error {
	all, err := statements(ctx, conn, query, args...)
	if err != nil || len(all) == 0 {
		return err
	}
	var pid int
	if err := conn.QueryRow(ctx, `SELECT pg_backend_pid()`).Scan(&pid); err != nil {
		return err
	}
	var logged time.Time
	stop := s.watchLocks(ctx, pid, func(lock, holder string) {
		if time.Since(logged) > s.lockPause {
			logged = time.Now()
			s.log.WarnContext(ctx, "the GIN index waits for other sessions", "lock", lock, "blocked_by", holder)
		}
	})
	defer stop()
	for _, sql := range all {
		if _, err := conn.Exec(ctx, sql); err != nil {
			return err
		}
	}
	return nil
}

func statements(ctx context.Context, conn *pgxpool.Conn, query string, args ...any) ([]string, error) {
	rows, err := conn.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}
