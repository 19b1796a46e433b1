package cache

import (
	"fmt"

	"github.com/jackc/pgx/v5/pgxpool"
)

// The session settings of a pool. The idle timeout lies below the poller's
// lease, so that a frozen process holds its locks no longer than that.
const (
	statementTimeout = "30s"
	idleTimeout      = "10s"
)

// PoolConfig returns the configuration of a connection pool for url, a Postgres
// URL or DSN: with a statement_timeout of 30 s and an
// idle_in_transaction_session_timeout of 10 s, unless url sets them itself. The
// error is that of a url that cannot be read; it does not show the password.
func PoolConfig(url string) (*pgxpool.Config, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("read database URL: %w", err)
	}
	params := cfg.ConnConfig.RuntimeParams
	for name, value := range map[string]string{
		"statement_timeout":                   statementTimeout,
		"idle_in_transaction_session_timeout": idleTimeout,
		"application_name":                    "odastream",
	} {
		if _, set := params[name]; !set {
			params[name] = value
		}
	}
	return cfg, nil
}
