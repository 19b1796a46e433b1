package wiring_test

import (
	"testing"

	"odastream/checkpoint"
	"odastream/internal/connect"
	"odastream/internal/test/pgtest"
)

// Sessions are all the same but for what a pool sets: the lock_timeout of leases is not
// lost where the others get theirs.
func TestSessionsForLeasesWaitASecondForALock(t *testing.T) {
	t.Parallel()
	pool, err := connect.Postgres(t.Context(), pgtest.Empty(t), checkpoint.LeasePoolConfig)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	var lock, statement string
	if err := pool.QueryRow(t.Context(), `SELECT current_setting('lock_timeout'), current_setting('statement_timeout')`).Scan(&lock, &statement); err != nil {
		t.Fatal(err)
	}
	if lock != "1s" || statement != "30s" {
		t.Errorf("lock_timeout = %s and statement_timeout = %s, want 1s and 30s", lock, statement)
	}
}
