package cache

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"odastream/internal/session"
)

// lockWithin bounds how long a statement that changes tables waits for a lock: whoever
// wants the table meanwhile waits behind it. lockPause is the mean time between two tries,
// in which they catch up.
const (
	lockWithin = 2 * time.Second
	lockPause  = 10 * time.Second
)

// lockedError is the error of a statement that did not get a lock within lockWithin.
type lockedError struct {
	lock   string // mode and table; empty if it is not known
	holder string // the sessions that block it
	cause  error
}

func (e *lockedError) Error() string {
	if e.lock == "" {
		return e.cause.Error()
	}
	return fmt.Sprintf("wait for %s, blocked by %s: %v", e.lock, e.holder, e.cause)
}

func (e *lockedError) Unwrap() error { return e.cause }

// isLocked says whether err is Postgres's end of a wait for a lock: by lock_timeout, or
// to resolve a deadlock.
func isLocked(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == "55P03" || pg.Code == "40P01")
}

// changeTables runs the statements that change adds, as one message and one transaction
// that waits for each lock no longer than lockWithin. If one is not free it returns a
// *lockedError; the caller tries again later.
func (s *Store) changeTables(ctx context.Context, change func(m *session.Message)) error {
	return s.pool.AcquireFunc(ctx, func(conn *pgxpool.Conn) error { return s.changeTablesOn(ctx, conn.Conn(), change) })
}

func (s *Store) changeTablesOn(ctx context.Context, conn *pgx.Conn, change func(m *session.Message)) error {
	var pid int
	// A pooler between us and the server gives the connection another number.
	if err := conn.QueryRow(ctx, `SELECT pg_backend_pid()`).Scan(&pid); err != nil {
		return err
	}
	var m session.Message
	begin(&m, lockWithin)
	change(&m)
	m.Add(`COMMIT`)
	var locked lockedError
	stop := s.watchLocks(ctx, pid, func(lock, holder string) { locked.lock, locked.holder = lock, holder })
	err := m.Run(ctx, conn)
	stop()
	if isLocked(err) {
		locked.cause = err
		return &locked
	}
	return err
}

// showBlockers returns the lock that a session waits for, and the sessions that block it.
// Their statements are left out: they may hold secrets.
const showBlockers = `SELECT concat_ws(' on ', l.mode, COALESCE(l.relation::regclass::text, l.locktype)),
    COALESCE((SELECT string_agg(concat_ws(' ', 'session', a.pid, NULLIF(a.application_name, ''), a.state,
                  'since ' || to_char(a.xact_start, 'YYYY-MM-DD"T"HH24:MI:SSOF')), ', ' ORDER BY a.pid)
              FROM pg_stat_activity a WHERE a.pid = ANY (pg_blocking_pids(l.pid))), 'unknown')
FROM pg_locks l WHERE l.pid = $1 AND NOT l.granted`

// watchLocks asks from another session, while pid's waits for a lock, for which and for
// whom, and calls tell with each answer. After stop it asks no more.
func (s *Store) watchLocks(ctx context.Context, pid int, tell func(lock, holder string)) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() {
		ticker := time.NewTicker(lockWithin / 4)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			var lock, holder string
			if s.pool.QueryRow(ctx, showBlockers, pid).Scan(&lock, &holder) == nil {
				tell(lock, holder)
			}
		}
	})
	return func() {
		cancel()
		wg.Wait()
	}
}

// untilUnlocked calls try until it fails for another reason than a lock, or succeeds. It
// logs each wait. In UpkeepOnce it calls try once.
func (s *Store) untilUnlocked(ctx context.Context, what string, try func() error) error {
	for {
		err := try()
		if !isLocked(err) || s.once {
			return err
		}
		var locked *lockedError
		if !errors.As(err, &locked) {
			locked = &lockedError{}
		}
		pause := s.lockPause/2 + rand.N(s.lockPause) // no regular work of others can keep us out for ever
		s.log.WarnContext(ctx, "a lock is not free, retrying", "to", what, "lock", locked.lock, "blocked_by", locked.holder, "in", pause.Round(time.Second))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}
