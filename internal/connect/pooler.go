package connect

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"odastream/internal/session"
)

// PoolerError is the error of a database behind a pooler that lends a session of the
// server to one client for a transaction, and to another one for the next. Prepared
// statements, settings, temporary tables and locks do not survive that.
type PoolerError struct{}

// Error says what to set.
func (*PoolerError) Error() string {
	return "DATABASE_URL leads to a pooler that gives each transaction another session of Postgres: " +
		"set pool_mode = session for this database in pgbouncer.ini, or have DATABASE_URL name Postgres itself"
}

// poolerTries is how often checkPooler compares the sessions of two connections. One
// comparison suffices unless other clients of the pooler take the session in between.
const poolerTries = 5

// checkPooler returns a *PoolerError if two connections share a session of the server.
//
// A server gives a connection the number of its process as it opens. A pooler gives a
// number of its own, so on a connection without one the numbers are the same, and
// nothing else is asked.
func checkPooler(ctx context.Context, pool *pgxpool.Pool) error {
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	first := conn.Conn()
	server, err := process(ctx, first)
	if err != nil || server == first.PgConn().PID() {
		return err
	}
	second, err := pgx.ConnectConfig(ctx, pool.Config().ConnConfig)
	if err != nil {
		return fmt.Errorf("open a second session through the pooler: %w", err)
	}
	defer func() { _ = second.Close(context.WithoutCancel(ctx)) }()
	for range poolerTries {
		shared, err := shareSession(ctx, first, second)
		if err != nil {
			return fmt.Errorf("compare two sessions of the pooler: %w", err)
		}
		if shared {
			return &PoolerError{}
		}
	}
	return nil
}

// shareSession reports whether a session of the server served first, and then second or,
// while second is in a transaction, not first. Sessions that belong to one connection
// each never do that.
func shareSession(ctx context.Context, first, second *pgx.Conn) (bool, error) {
	before, err := process(ctx, first)
	if err != nil {
		return false, err
	}
	_, err = second.Exec(ctx, "BEGIN", pgx.QueryExecModeSimpleProtocol)
	if session.RefusedByPooler(err) { // pool_mode = statement allows no transactions
		return true, nil
	}
	if err != nil {
		return false, err
	}
	defer func() { _, _ = second.Exec(ctx, "ROLLBACK", pgx.QueryExecModeSimpleProtocol) }()
	held, err := process(ctx, second)
	if err != nil || held == before {
		return err == nil, err
	}
	after, err := process(ctx, first)
	return err == nil && after != before, err
}

// process returns the number of the server's process that serves the connection. It
// prepares no statement: a shared session may have one of the same name.
func process(ctx context.Context, conn *pgx.Conn) (pid uint32, err error) {
	err = conn.QueryRow(ctx, "SELECT pg_backend_pid()", pgx.QueryExecModeSimpleProtocol).Scan(&pid)
	return pid, err
}
