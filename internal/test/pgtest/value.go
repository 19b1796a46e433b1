package pgtest

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
)

// Value returns the one text that a query returns, over a connection of its own.
func Value(t testing.TB, url, query string) (text string) {
	t.Helper()
	connected(t, url, query, func(conn *pgx.Conn) error { return conn.QueryRow(t.Context(), query).Scan(&text) })
	return text
}

// Exec runs statements, over a connection of their own.
func Exec(t testing.TB, url, sql string) {
	t.Helper()
	connected(t, url, sql, func(conn *pgx.Conn) error {
		_, err := conn.Exec(t.Context(), sql)
		return err
	})
}

// connected calls do with a connection that is closed after it.
func connected(t testing.TB, url, sql string, do func(*pgx.Conn) error) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	if err := do(conn); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}
