package query

import (
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/pgxpool"
)

// PoolConfig sets up the configuration of a pool for a Reader: sessions that can only read,
// and whose statements end after timeout, or once nobody waits for them.
func PoolConfig(cfg *pgxpool.Config, connections int, timeout time.Duration) {
	cfg.MaxConns = int32(connections)
	params := cfg.ConnConfig.RuntimeParams
	params["application_name"] = "odastream gateway"
	params["default_transaction_read_only"] = "on"
	params["statement_timeout"] = strconv.FormatInt(timeout.Milliseconds(), 10)
	cfg.ConnConfig.BuildContextWatcherHandler = func(conn *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.CancelRequestContextWatcherHandler{Conn: conn, DeadlineDelay: cancelWithin}
	}
}

// cancelWithin is how long a statement that nobody waits for has to end before its
// connection is closed.
const cancelWithin = time.Second
