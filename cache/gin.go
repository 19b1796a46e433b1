package cache

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"odastream/internal/session"
)

// The statements about the GIN index. A partition's index that is not part of the
// parent's yet has a name of its own, so that a build that ended early is found again.
// Partitions made later have the index from their parent.
const (
	lockIndexes = `SELECT pg_try_advisory_lock(hashtextextended('odastream prepare', 0))`

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

// How long a build of a partition's index waits for the transactions that use the
// partition or have an old snapshot, in a try of a sink that runs, and in the only try of
// one that does not. Readers and writers do not wait for the build meanwhile.
const (
	buildWithin     = 10 * time.Minute
	buildWithinOnce = lockWithin
)

// settingsOfBuild are for the session of a change. A process that is frozen between two of
// its statements keeps the lock no longer than this session may be idle, which is longer
// than lockPause.
const settingsOfBuild = `SET statement_timeout = 0; SET idle_session_timeout = '30s'; SET lock_timeout = %d`

// MaintainIndex creates or drops the GIN index as the settings want it. It waits for
// locks as changes of the tables do, and logs for which. One session at a time does it:
// if another one is at it, MaintainIndex does nothing.
func (s *Store) MaintainIndex(ctx context.Context) error {
	err := s.pool.AcquireFunc(ctx, func(pooled *pgxpool.Conn) error {
		conn := pooled.Conn()
		if done, err := s.ginIsAsWanted(ctx, conn); err != nil || done {
			return err
		}
		return s.alone(ctx, conn, func() error {
			if done, err := s.ginIsAsWanted(ctx, conn); err != nil || done {
				return err
			}
			if s.cfg.GIN == "off" {
				return s.removeGIN(ctx, conn)
			}
			return s.buildGIN(ctx, conn)
		})
	})
	if err != nil {
		return fmt.Errorf("maintain the GIN index: %w", err)
	}
	return nil
}

// alone does work on indexes in a session that it closes afterwards, unless another session
// is at such work. The settings and the lock end with the session.
func (s *Store) alone(ctx context.Context, conn *pgx.Conn, work func() error) error {
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	if _, err := conn.Exec(ctx, fmt.Sprintf(settingsOfBuild, s.buildWithin().Milliseconds())); err != nil {
		return err
	}
	if locked, err := tryAlone(ctx, conn); err != nil || !locked {
		return err
	}
	return work()
}

// tryAlone tries to take the lock for lockWithin, without waiting within a statement: a
// concurrent build waits for each statement that began before it.
func tryAlone(ctx context.Context, conn *pgx.Conn) (locked bool, err error) {
	const pause = lockWithin / 8
	for range lockWithin / pause {
		if err := conn.QueryRow(ctx, lockIndexes, pgx.QueryExecModeSimpleProtocol).Scan(&locked); err != nil || locked {
			return locked, err
		}
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case <-time.After(pause):
		}
	}
	return false, nil
}

func (s *Store) buildWithin() time.Duration {
	if s.once {
		return buildWithinOnce
	}
	return buildWithin
}

func (s *Store) ginIsAsWanted(ctx context.Context, conn *pgx.Conn) (bool, error) {
	there, err := hasIndex(ctx, conn)
	if err != nil || there || s.cfg.GIN != "off" {
		return there && s.cfg.GIN != "off", err
	}
	parts, err := statements(ctx, conn, dropParts, false)
	return len(parts) == 0, err
}

func hasIndex(ctx context.Context, conn *pgx.Conn) (there bool, err error) {
	err = conn.QueryRow(ctx, hasGIN, pgx.QueryExecModeSimpleProtocol).Scan(&there)
	return there, err
}

// buildGIN builds the index of each partition while others write, and then the parent's,
// which takes those over without building them again. That waits for writers two seconds
// at a time, and for no reader; ALTER INDEX … ATTACH PARTITION would wait for readers.
func (s *Store) buildGIN(ctx context.Context, conn *pgx.Conn) error {
	err := s.untilUnlocked(ctx, "build the GIN index", func() error {
		if err := s.concurrently(ctx, conn, dropParts, true); err != nil {
			return err
		}
		return s.concurrently(ctx, conn, buildParts)
	})
	if err != nil {
		return err
	}
	return s.changeIndex(ctx, conn, "create the GIN index", createGIN)
}

// removeGIN drops the index at once, because Postgres can neither drop a parent's index
// concurrently nor detach a partition's. That takes milliseconds once no other session
// uses the table, and waits for them two seconds at a time.
func (s *Store) removeGIN(ctx context.Context, conn *pgx.Conn) error {
	there, err := hasIndex(ctx, conn)
	if err != nil {
		return err
	}
	if there {
		s.log.WarnContext(ctx, "dropping the GIN index because CACHE_GIN is off")
		if err := s.changeIndex(ctx, conn, "drop the GIN index", dropGIN); err != nil {
			return err
		}
	}
	return s.untilUnlocked(ctx, "drop what was built of the GIN index", func() error {
		return s.concurrently(ctx, conn, dropParts, false)
	})
}

func (s *Store) changeIndex(ctx context.Context, conn *pgx.Conn, what, sql string) error {
	return s.untilUnlocked(ctx, what, func() error {
		return s.changeTablesOn(ctx, conn, func(m *session.Message) {
			m.Add(`SET LOCAL statement_timeout = '30s'`)
			m.Add(sql)
		})
	})
}

// concurrently runs the statements that query returns. If one waits too long for the
// transactions that use the table or have an old snapshot, it returns a *lockedError.
// Only others that change the table wait for it.
func (s *Store) concurrently(ctx context.Context, conn *pgx.Conn, query string, args ...any) error {
	all, err := statements(ctx, conn, query, args...)
	if err != nil || len(all) == 0 {
		return err
	}
	var pid int
	if err := conn.QueryRow(ctx, `SELECT pg_backend_pid()`, pgx.QueryExecModeSimpleProtocol).Scan(&pid); err != nil {
		return err
	}
	var logged time.Time
	var locked lockedError
	stop := s.watchLocks(ctx, pid, func(lock, holder string) {
		locked.lock, locked.holder = lock, holder
		if time.Since(logged) > s.lockPause {
			logged = time.Now()
			s.log.WarnContext(ctx, "an index waits for other sessions", "lock", lock, "blocked_by", holder)
		}
	})
	for _, sql := range all {
		if _, err = conn.Exec(ctx, sql); err != nil {
			break
		}
	}
	stop()
	if isLocked(err) {
		locked.cause = err
		return &locked
	}
	return err
}

// statements returns the statements that query returns. It is sent as one message, like
// all of this session's.
func statements(ctx context.Context, conn *pgx.Conn, query string, args ...any) ([]string, error) {
	rows, err := conn.Query(ctx, query, append([]any{pgx.QueryExecModeSimpleProtocol}, args...)...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}
