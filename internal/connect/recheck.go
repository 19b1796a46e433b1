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

// Recheck has a pool that is made of cfg call check again, which looked at the
// database at the start, once a statement has found no table of ours there:
// somebody has dropped the database and made it anew. Until check has returned nil
// the pool gives no connection, and its error to whoever asks for one.
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

// rechecker asks check at most once at a time.
type rechecker struct {
	check func(context.Context) error
	log   *slog.Logger
	doubt atomic.Bool // a table was missing since check last succeeded
	mu    sync.Mutex  // held while check runs
}

// prepare is a pool's PrepareConn. What check itself asks of the pool, and what
// others ask meanwhile, is let through.
func (r *rechecker) prepare(ctx context.Context, _ *pgx.Conn) (bool, error) {
	if !r.doubt.Load() || !r.mu.TryLock() {
		return true, nil
	}
	defer r.mu.Unlock()
	r.log.WarnContext(ctx, "a table of the database is missing: looking at it as at the start")
	r.doubt.Store(false) // what check finds missing itself counts
	if err := r.check(ctx); err != nil {
		r.doubt.Store(true)
		return true, fmt.Errorf("look at the database again: %w", err)
	}
	return true, nil
}
