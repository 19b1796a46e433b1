package connect_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"odastream/internal/connect"
	"odastream/internal/test/pgtest"
)

const leases = "SELECT count(*) FROM poller_leases"

// watched returns a pool that calls check again when a table is missing.
func watched(t *testing.T, url string, check func(context.Context, *pgxpool.Pool) error) *pgxpool.Pool {
	t.Helper()
	var pool *pgxpool.Pool
	pool, err := connect.Postgres(t.Context(), url, func(cfg *pgxpool.Config) {
		connect.Recheck(cfg, slog.New(slog.DiscardHandler), func(ctx context.Context) error { return check(ctx, pool) })
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// empty leaves the database as if somebody had dropped and recreated it.
func empty(t *testing.T, url string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if _, err := conn.Exec(t.Context(), "DROP SCHEMA public, parliament CASCADE; CREATE SCHEMA public"); err != nil {
		t.Fatal(err)
	}
}

func TestARecreatedDatabaseGetsItsTables(t *testing.T) {
	t.Parallel()
	url := pgtest.Migrated(t)
	pool := watched(t, url, func(ctx context.Context, pool *pgxpool.Pool) error {
		if err := connect.Tables(ctx, url, true, slog.New(slog.DiscardHandler)); err != nil {
			return err
		}
		_, err := pool.Exec(ctx, leases) // the check may itself use the pool
		return err
	})
	empty(t, url)
	if _, err := pool.Exec(t.Context(), leases); err == nil {
		t.Fatal("the tables are there before anybody has looked")
	}
	if _, err := pool.Exec(t.Context(), leases); err != nil {
		t.Errorf("the second statement after the database was made anew: %v", err)
	}
}

func TestADatabaseThatStaysEmptyIsNamed(t *testing.T) {
	t.Parallel()
	url := pgtest.Migrated(t)
	pool := watched(t, url, func(ctx context.Context, _ *pgxpool.Pool) error {
		return connect.Tables(ctx, url, false, slog.New(slog.DiscardHandler))
	})
	empty(t, url)
	_, _ = pool.Exec(t.Context(), leases) // finds that a table is missing
	for range 2 {
		_, err := pool.Exec(t.Context(), leases)
		if err == nil || !strings.Contains(err.Error(), "run odastream migrate") {
			t.Errorf("a statement in the empty database = %v, want what to do", err)
		}
	}
}

func TestNothingIsCheckedAgainWithoutAReason(t *testing.T) {
	t.Parallel()
	pool := watched(t, pgtest.Migrated(t), func(context.Context, *pgxpool.Pool) error { return errors.New("checked") })
	for _, sql := range []string{"SELECT 1/0", leases, leases} {
		if _, err := pool.Exec(t.Context(), sql); err != nil && strings.Contains(err.Error(), "checked") {
			t.Errorf("%s = %v", sql, err)
		}
	}
}
