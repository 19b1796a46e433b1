package cache

import (
	"github.com/jackc/pgx/v5/pgxpool"

	"odastream/internal/session"
)

// PoolConfig returns the configuration of a connection pool for url, a Postgres
// URL or DSN. Its sessions have the settings that the statements depend on,
// whatever the database or the role set; and, unless url sets them itself, a
// statement_timeout of 30 s, an idle_in_transaction_session_timeout of 10 s, and
// keepalives by which either end notices within 11 s that the other has vanished.
// The error is that of a url that cannot be read; it does not show the password.
func PoolConfig(url string) (*pgxpool.Config, error) { return session.Config(url) }
