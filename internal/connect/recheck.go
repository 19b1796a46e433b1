package connect

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"odastream/internal/session"
)

// Recheck makes a pool of cfg call check, the check of the database at the start, again
// once a statement has missed one of our tables: somebody has dropped and recreated the
// database. Until check returns nil, the pool returns check's error instead of a
// connection.
func Recheck(cfg *pgxpool.Config, log *slog.Logger, check func(context.Context) error) {
	r := &rechecker{check: check, log: log}
	former := cfg.ConnConfig.OnPgError
	cfg.ConnConfig.OnPgError = func(conn *pgconn.PgConn, err *pgconn.PgError) bool {
		if session.Missing(err.Code) {
			r.doubt.Store(true)
		}
		return former(conn, err)
	}
	cfg.PrepareConn = r.prepare
}

// rechecker runs one check at a time.
type rechecker struct {
	check func(context.Context) error
	log   *slog.Logger
	doubt atomic.Bool // a table was missing since check last succeeded
	mu    sync.Mutex  // held while check runs
}

// prepare is a pool's PrepareConn. While check runs, it lets every connection through,
// check's own and others.
func (r *rechecker) prepare(ctx context.Context, _ *pgx.Conn) (bool, error) {
	if !r.doubt.Load() || !r.mu.TryLock() {
		return true, nil
	}
	defer r.mu.Unlock()
	r.log.WarnContext(ctx, "a table of the database is missing: looking at it as at the start")
	r.doubt.Store(false) // a table that check misses counts too
	if err := r.check(ctx); err != nil {
		r.doubt.Store(true)
		return true, fmt.Errorf("look at the database again: %w", err)
	}
	return true, nil
}
