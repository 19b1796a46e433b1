package session

import (
	"context"
	"errors"
	"maps"
	"net"
	"slices"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// protocolViolation is the SQLSTATE with which pgbouncer refuses whatever it does not
// support: a setting that a connection asks for as it opens, for instance. Postgres
// refuses none of ours with it.
const protocolViolation = "08P01"

// poolersKnow are the settings that every pooler accepts as a connection opens.
var poolersKnow = []string{"application_name", "client_encoding", "DateStyle", "TimeZone", "standard_conforming_strings"}

// RefusedByPooler reports whether err is a pooler's refusal. If it was of a connection
// that Pin has set up, the next one asks for less as it opens, and has all settings once
// it is open: try again.
func RefusedByPooler(err error) bool {
	refused, ok := errors.AsType[*pgconn.PgError](err)
	return ok && refused.Code == protocolViolation
}

// askLessOfPoolers makes connections ask only for the settings that poolers know, from
// the first that a pooler has refused. settle sets the others.
func askLessOfPoolers(cfg *pgx.ConnConfig) {
	var refused atomic.Bool
	former := cfg.OnPgError
	cfg.OnPgError = func(conn *pgconn.PgConn, err *pgconn.PgError) bool {
		if err.Code == protocolViolation {
			refused.Store(true)
		}
		return former(conn, err)
	}
	cfg.AfterNetConnect = func(_ context.Context, of *pgconn.Config, conn net.Conn) (net.Conn, error) {
		if refused.Load() { // of is this connection's own
			maps.DeleteFunc(of.RuntimeParams, func(name, _ string) bool { return !slices.Contains(poolersKnow, name) })
		}
		return conn, nil
	}
}
