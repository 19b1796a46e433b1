// Package session makes every session that a program has with Postgres the same,
// whatever a database, a role or a URL set: the settings that statements depend
// on, the times after which the server ends what is frozen, and a connection that
// notices when the other end is gone.
//
// It knows nothing of what is done in a session.
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

// connectWithin bounds the making of a connection to a host that says nothing.
const connectWithin = 10 * time.Second

// pinned are the settings that statements depend on; nothing else changes them.
// default_transaction_read_only is not among them: who sets it wants nothing
// written.
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
	"idle_session_timeout":           "0", // a pool's connections rest
}

// defaults are the settings that a URL may change. The idle time lies below the
// shortest lease of a poller, so that a frozen process holds its locks no longer
// than that, and so does the time in which the server notices a client that has
// vanished: 5 s + 3 · 2 s.
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

// Config returns the configuration of a pool for url, a Postgres URL or DSN,
// whose sessions are as Pin makes them. The error is that of a url that cannot be
// read; it does not show the password.
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
	return pgx.ConnectConfig(ctx, cfg)
}

// Pin settles the sessions that cfg opens: the pinned settings, and the defaults
// where the URL says nothing of them. RuntimeParams that are set afterwards count.
// A session of a database that does not store text as UTF8 is refused with an
// EncodingError.
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
}

// Spoiled reports whether a session that was answered with the SQLSTATE code can
// no longer work, so that its connection is closed: the server became a standby,
// or what the session knows of the database's tables is of another database. A new
// connection may reach another server.
func Spoiled(code string) bool { return code == readOnly || Missing(code) }

// Missing reports whether the SQLSTATE code says that a table, a schema, a column
// or a function of ours is not there.
func Missing(code string) bool { return slices.Contains(missing, code) }

const readOnly = "25006"

var missing = []string{"42P01", "3F000", "42703", "42883"}
