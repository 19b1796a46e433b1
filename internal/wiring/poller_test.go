package wiring_test

import (
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"odastream/checkpoint"
	"odastream/internal/connect"
	"odastream/internal/test/machine"
	"odastream/internal/test/pgtest"
)

// Sessions are all the same but for what a pool sets: the lock_timeout of leases is not
// lost where the others get theirs.
func TestSessionsForLeasesWaitASecondForALock(t *testing.T) {
	t.Parallel()
	url := pgtest.Empty(t)
	var pool *pgxpool.Pool
	machine.Until(t, "a first session", func() bool { // an attempt ends after ten seconds, which a starved machine may need
		var err error
		pool, err = connect.Postgres(t.Context(), url, checkpoint.LeasePoolConfig)
		return err == nil
	})
	defer pool.Close()
	var lock, statement string
	if err := pool.QueryRow(t.Context(), `SELECT current_setting('lock_timeout'), current_setting('statement_timeout')`).Scan(&lock, &statement); err != nil {
		t.Fatal(err)
	}
	if lock != "1s" || statement != "30s" {
		t.Errorf("lock_timeout = %s and statement_timeout = %s, want 1s and 30s", lock, statement)
	}
}
