package migrate_test

import (
	"errors"
	"testing"

	"odastream/internal/migrate"
	"odastream/internal/test/pgtest"
)

func TestPendingChangesNothing(t *testing.T) {
	t.Parallel()
	url := pgtest.Empty(t)
	pending, err := migrate.Pending(t.Context(), url)
	if err != nil || len(pending) < 3 || pending[0] != "migrations/00001_cache.sql" {
		t.Fatalf("Pending of an empty database = %v, %v, want all, the first first", pending, err)
	}
	if got := pgtest.Value(t, url, "SELECT count(*)::text FROM pg_tables WHERE schemaname = 'public'"); got != "0" {
		t.Errorf("tables after Pending = %s, want none", got)
	}
}

func TestNothingIsPendingAfterUp(t *testing.T) {
	t.Parallel()
	url := pgtest.Migrated(t)
	if pending, err := migrate.Pending(t.Context(), url); err != nil || len(pending) > 0 {
		t.Errorf("Pending of a migrated database = %v, %v, want nothing", pending, err)
	}
	pgtest.Value(t, url, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, true) RETURNING '1'")
	if _, err := migrate.Pending(t.Context(), url); !errors.Is(err, migrate.ErrNewer) {
		t.Errorf("Pending of a newer database = %v, want ErrNewer", err)
	}
}
