package session_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"odastream/internal/session"
	"odastream/internal/test/pgtest"
)

// plain returns a connection with the settings of the database.
func plain(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func pool(t *testing.T, url string) *pgxpool.Pool {
	t.Helper()
	cfg, err := session.Config(url)
	if err != nil {
		t.Fatal(err)
	}
	p, err := pgxpool.NewWithConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func and(url, parameters string) string {
	if strings.Contains(url, "?") {
		return url + "&" + parameters
	}
	return url + "?" + parameters
}

func TestASessionHasOurSettings(t *testing.T) {
	t.Parallel()
	spoilt := pgtest.Hostile(t)
	if _, err := plain(t, spoilt).Exec(t.Context(), "SELECT pg_sleep(0.1)"); err == nil {
		t.Fatal("the hostile settings have no effect on others")
	}
	const settings = `SELECT string_agg(name || '=' || setting || COALESCE(unit, ''), ' ' ORDER BY lower(name)) FROM pg_settings WHERE name = ANY ($1)`
	names := []string{
		"client_encoding", "DateStyle", "TimeZone", "default_transaction_isolation", "search_path",
		"standard_conforming_strings", "statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout",
	}
	const usual = "client_encoding=UTF8 DateStyle=ISO, MDY default_transaction_isolation=read committed " +
		`idle_in_transaction_session_timeout=10000ms lock_timeout=0ms search_path="$user", public standard_conforming_strings=on statement_timeout=30000ms TimeZone=UTC`
	for claim, tc := range map[string]struct{ url, want string }{
		"in a usual database":                  {pgtest.Empty(t), usual},
		"in a database with others":            {spoilt, usual},
		"but for what the URL may set":         {and(spoilt, "statement_timeout=5000&lock_timeout=7"), strings.NewReplacer("lock_timeout=0", "lock_timeout=7", "30000", "5000").Replace(usual)},
		"also where the URL sets what is ours": {and(pgtest.Empty(t), "client_encoding=LATIN1&TimeZone=Asia/Kolkata"), usual},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			var got string
			if err := pool(t, tc.url).QueryRow(t.Context(), settings, names).Scan(&got); err != nil {
				t.Fatal(err)
			}
			if got != tc.want {
				t.Errorf("settings are\n%s\nwant\n%s", got, tc.want)
			}
		})
	}
}

// A pooler drops a connection's settings that it does not know: they are set again once
// it is open.
func TestSettingsSurviveAPoolerThatDropsThem(t *testing.T) {
	t.Parallel()
	url := pgtest.Empty(t)
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	session.Pin(cfg)
	dropped := cfg.Copy()
	clear(dropped.RuntimeParams) // what the connection asks for; Pin keeps what it wants
	conn, err := pgx.ConnectConfig(t.Context(), dropped)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	var idle, zone string
	if err := conn.QueryRow(t.Context(), `SELECT current_setting('idle_in_transaction_session_timeout'), current_setting('TimeZone')`).Scan(&idle, &zone); err != nil {
		t.Fatal(err)
	}
	if idle != "10s" || zone != "UTC" {
		t.Errorf("idle_in_transaction_session_timeout, TimeZone = %s, %s, want 10s, UTC", idle, zone)
	}
}

func TestADatabaseThatStoresNoUTF8IsRefused(t *testing.T) {
	t.Parallel()
	_, err := session.Connect(t.Context(), pgtest.Latin1(t))
	if bad, ok := errors.AsType[*session.EncodingError](err); !ok || bad.Encoding != "LATIN1" {
		t.Errorf("connect to a LATIN1 database = %v, want an EncodingError", err)
	}
}

// After an error that means that a session cannot work any more, it is closed, and the
// pool opens another.
func TestASpoiledSessionIsClosed(t *testing.T) {
	t.Parallel()
	for claim, tc := range map[string]struct {
		sql    string
		closed bool
	}{
		"the server has become a standby":   {"DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '25006'; END $$", true},
		"the database has lost its tables":  {"SELECT FROM poller_leases", true},
		"the database has lost its schemas": {"CREATE TABLE nowhere.x ()", true},
		"a mistake of a statement is none":  {"SELECT 1/0", false},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			p := pool(t, pgtest.Empty(t))
			conn, err := p.Acquire(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Release()
			_, err = conn.Exec(t.Context(), tc.sql)
			if _, ok := errors.AsType[*pgconn.PgError](err); !ok {
				t.Fatalf("%s = %v, want an error of the server", tc.sql, err)
			}
			if got := conn.Conn().IsClosed(); got != tc.closed {
				t.Errorf("after %v the connection is closed: %v, want %v", err, got, tc.closed)
			}
		})
	}
}
