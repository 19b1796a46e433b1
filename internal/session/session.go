// Package session opens sessions with Postgres.
//
// Invariant: all sessions of a program are the same, whatever a database, a role or a
// URL sets. They have the settings that statements depend on, the timeouts after which
// the server ends frozen work, and connections that notice when the other end is gone.
//
// It knows nothing of what sessions are used for.
package session

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// connectWithin bounds connecting to a host that does not answer.
const connectWithin = 10 * time.Second

// pinned are the settings that statements depend on; nothing else changes them.
// default_transaction_read_only is not among them: whoever sets it wants to prevent
// writes.
var pinned = map[string]string{
	"client_encoding":                "UTF8",
	"DateStyle":                      "ISO, MDY",
	"IntervalStyle":                  "postgres",
	"TimeZone":                       "UTC",
	"bytea_output":                   "hex",
	"extra_float_digits":             "1",
	"standard_conforming_strings":    "on",
	"default_transaction_isolation":  "read committed",
	"default_transaction_deferrable": "off",
	"idle_session_timeout":           "0", // a pool's connections are idle between uses
}

// defaults are the settings that a URL may change. The idle timeout is shorter than the
// shortest lease of a poller, so that a frozen process does not hold its locks longer.
// The time in which the server notices a vanished client, 5 s + 3 · 2 s, is shorter too.
var defaults = map[string]string{
	"application_name":                    "odastream",
	"search_path":                         `"$user", public`,
	"statement_timeout":                   "30s",
	"lock_timeout":                        "0",
	"idle_in_transaction_session_timeout": "10s",
	"tcp_keepalives_idle":                 "5",
	"tcp_keepalives_interval":             "2",
	"tcp_keepalives_count":                "3",
	"tcp_user_timeout":                    "10000",
}

// Config returns the configuration of a pool for url, a Postgres URL or DSN, with
// sessions as Pin makes them. The error means that url is invalid; it does not show the
// password.
func Config(url string) (*pgxpool.Config, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("read database URL: %w", err)
	}
	Pin(cfg.ConnConfig)
	return cfg, nil
}

// Connect opens one connection to url, with a session as Pin makes it.
func Connect(ctx context.Context, url string) (*pgx.Conn, error) {
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("read database URL: %w", err)
	}
	Pin(cfg)
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if RefusedByPooler(err) {
		return pgx.ConnectConfig(ctx, cfg)
	}
	return conn, err
}

// Pin sets up the sessions that cfg opens, with the pinned settings, and the defaults
// that the URL does not set. RuntimeParams that are set later still apply. If the
// database does not store text as UTF8, connecting fails with an EncodingError.
func Pin(cfg *pgx.ConnConfig) {
	params := cfg.RuntimeParams
	for name, value := range defaults {
		if _, set := params[name]; !set {
			params[name] = value
		}
	}
	maps.Copy(params, pinned)
	if cfg.ConnectTimeout == 0 {
		cfg.ConnectTimeout = connectWithin
	}
	cfg.DialFunc = newDialer().DialContext
	cfg.AfterConnect = func(ctx context.Context, conn *pgconn.PgConn) error { return settle(ctx, conn, params) }
	former := cfg.OnPgError
	cfg.OnPgError = func(conn *pgconn.PgConn, err *pgconn.PgError) bool {
		return former(conn, err) && !Spoiled(err.Code)
	}
	askLessOfPoolers(cfg)
}

// Spoiled reports whether the SQLSTATE code means that the session can no longer work,
// and its connection must be closed. Either the server became a standby, or the session's
// knowledge of the tables is of another database. A new connection may reach another
// server.
func Spoiled(code string) bool { return code == readOnly || Missing(code) }

// Missing reports whether the SQLSTATE code means that one of our tables, schemas,
// columns or functions does not exist.
func Missing(code string) bool { return slices.Contains(missing, code) }

const readOnly = "25006"

var missing = []string{"42P01", "3F000", "42703", "42883"}
