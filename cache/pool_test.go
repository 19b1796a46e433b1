package cache

import (
	"strings"
	"testing"
	"time"

	"odastream/internal/test/pgtest"
)

func TestPoolConfig(t *testing.T) {
	t.Parallel()
	url := pgtest.Empty(t)
	sep := "?"
	if strings.Contains(url, "?") {
		sep = "&"
	}
	for claim, tt := range map[string]struct{ url, want string }{
		"sessions have timeouts":  {url, "30s 10s"},
		"settings of the URL win": {url + sep + "statement_timeout=5000&idle_in_transaction_session_timeout=3000", "5s 3s"},
	} {
		t.Run(claim, func(t *testing.T) {
			got := pgtest.Lines(t, open(t, tt.url), `SELECT current_setting('statement_timeout'), current_setting('idle_in_transaction_session_timeout')`)
			if got != tt.want {
				t.Errorf("statement_timeout, idle_in_transaction_session_timeout = %s, want %s", got, tt.want)
			}
		})
	}
	if _, err := PoolConfig("postgres://me:hunter2@[::1/x"); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("PoolConfig of a bad URL = %v, want an error without the password", err)
	}
}

// A process that freezes in its transaction holds the partition's lock until the
// server ends its session; then the next writer continues.
func TestFrozenWriterBlocksNobodyForLong(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	conn, err := s.pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	if _, err := conn.Exec(t.Context(), `SET idle_in_transaction_session_timeout = '300ms'; BEGIN`); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(t.Context(), lockPartitions, []int64{lockKey(sagZero)}); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	if got := mustApply(t, s, sag(2, 1, `{}`)); got.Inserted != 1 {
		t.Errorf("Apply behind a frozen writer = %+v, want 1 inserted", got)
	}
	if waited := time.Since(start); waited < 100*time.Millisecond {
		t.Errorf("Apply waited %s: it did not take the frozen writer's lock", waited)
	}
	if _, err = conn.Exec(t.Context(), `COMMIT`); err == nil {
		t.Error("commit of the frozen writer = nil, want an error: its session was ended")
	}
}
