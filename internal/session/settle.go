package session

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// EncodingError is the error of a database that cannot store every text. A person must
// make another one.
type EncodingError struct{ Encoding string } // of the database

func (e *EncodingError) Error() string {
	return fmt.Sprintf("the database stores text as %s, want UTF8: make one with CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0, and have DATABASE_URL name it", e.Encoding)
}

// Settings that a connection cannot request when it opens, since a server that does not
// know them would refuse it: transaction_timeout is new in version 17.
const atServersThatKnowIt = `SELECT pg_catalog.set_config(name, '0', false) FROM pg_catalog.pg_settings WHERE name = 'transaction_timeout'`

// watchClient makes the server check at intervals during a statement whether its client
// is still connected. On some systems the server cannot.
const watchClient = `SET client_connection_check_interval = '5s'`

// settle sets the session's settings again, by a statement: a pooler between us and the
// server drops the settings it does not know when a connection opens.
func settle(ctx context.Context, conn *pgconn.PgConn, params map[string]string) error {
	if encoding := conn.ParameterStatus("server_encoding"); encoding != "" && encoding != "UTF8" {
		return &EncodingError{Encoding: encoding}
	}
	var calls []string
	for _, name := range slices.Sorted(maps.Keys(params)) {
		if _, ours := pinned[name]; !ours {
			if _, ours = defaults[name]; !ours {
				continue
			}
		}
		calls = append(calls, fmt.Sprintf("pg_catalog.set_config(%s, %s, false)", quote(name), quote(params[name])))
	}
	if _, err := conn.Exec(ctx, "SELECT "+strings.Join(calls, ", ")+"; "+atServersThatKnowIt).ReadAll(); err != nil {
		return fmt.Errorf("settle the session: %w", err)
	}
	_, err := conn.Exec(ctx, watchClient).ReadAll()
	if _, refused := errors.AsType[*pgconn.PgError](err); refused {
		return nil
	}
	return err
}

func quote(text string) string {
	return "E'" + strings.NewReplacer("\\", "\\\\", "'", "''").Replace(text) + "'"
}
