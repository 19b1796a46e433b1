package connect_test

import (
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"odastream/internal/connect"
	"odastream/internal/test/pgtest"
)

func TestAPoolerThatSharesSessionsIsRefused(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"transaction", "statement"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			pool, err := connect.Postgres(t.Context(), pgtest.Pooler(t, pgtest.Empty(t), mode), nil)
			if err == nil {
				pool.Close()
			}
			if _, ok := errors.AsType[*connect.PoolerError](err); !ok || !strings.Contains(err.Error(), "set pool_mode = session") {
				t.Errorf("Postgres through pgbouncer in %s mode = %v, want a PoolerError that says what to set", mode, err)
			}
		})
	}
}

// A pooler that keeps a session for each connection is as good as the server itself, with
// others beside us too.
func TestAPoolerInSessionModeWorks(t *testing.T) {
	t.Parallel()
	url := pgtest.Pooler(t, pgtest.Empty(t), "session")
	if err := connect.Tables(t.Context(), url, true, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			pool, err := connect.Postgres(t.Context(), url, nil)
			if err != nil {
				t.Errorf("Postgres through pgbouncer in session mode: %v", err)
				return
			}
			defer pool.Close()
			var timeout string
			err = pool.QueryRow(t.Context(), "SELECT current_setting('idle_in_transaction_session_timeout')").Scan(&timeout)
			if err != nil || timeout != "10s" {
				t.Errorf("idle_in_transaction_session_timeout = %q, %v, want our own", timeout, err)
			}
		})
	}
	all.Wait()
}
