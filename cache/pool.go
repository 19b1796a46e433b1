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

// SinkPoolConfig sets up the configuration of a sink's pool: as many connections as its
// work, its upkeep and their watches use at once, so that none waits for another.
func SinkPoolConfig(cfg *pgxpool.Config) { cfg.MaxConns = max(cfg.MaxConns, sinkConns) }

// sinkConns are two for batches and their probes, two for each of three kinds of upkeep,
// and one for a rebuild.
const sinkConns = 9
