package checkpoint_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgxpool"

	"odastream/checkpoint"
	"odastream/internal/test/pgtest"
	"odastream/schema"
)

// filled is a store whose tables hold what sql makes.
func filled(t *testing.T, sql string) (*checkpoint.Store, *pgxpool.Pool) {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), pgtest.Migrated(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	if _, err := pool.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
	return checkpoint.New(pool), pool
}

func TestOverviewHasEachEntityThatHadALease(t *testing.T) {
	t.Parallel()
	s, _ := filled(t, `INSERT INTO poller_leases (entity_type, holder, expires_at) VALUES ('Sag', 'host:1', now() + interval '5m'), ('Aktør', 'gone', now() - interval '1s');
INSERT INTO poller_watermarks (entity_type, watermark, loaded_at, updated_at) VALUES ('Sag', '2026-11-24T12:00:00Z', '2026-11-24T10:00:00Z', '2026-11-24T12:00:01Z')`)
	list, err := s.Overview(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]checkpoint.Overview{}
	for _, o := range list {
		got[o.Entity] = o
	}
	want := map[string]checkpoint.Overview{
		"Sag": {
			Entity: "Sag", Holder: "host:1", Watermark: time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC),
			LoadedAt: time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC), SavedAt: time.Date(2026, 11, 24, 12, 0, 1, 0, time.UTC),
		},
		"Aktør": {Entity: "Aktør"}, // its lease ran out, and nothing was ever saved
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Overview (-want +got):\n%s", diff)
	}
}

func TestEndAllLeasesLeavesTheEntitiesToTheNextPoller(t *testing.T) {
	t.Parallel()
	s, pool := filled(t, `SELECT`)
	if _, err := s.Acquire(t.Context(), "Sag", "killed", time.Hour); err != nil {
		t.Fatal(err)
	}
	if _, err := pool.Exec(t.Context(), `INSERT INTO poller_members (holder, expires_at) VALUES ('killed', now() + interval '5m')`); err != nil {
		t.Fatal(err)
	}
	if err := s.EndAllLeases(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Acquire(t.Context(), "Sag", "next", time.Minute); err != nil {
		t.Errorf("Acquire by the next poller: %v", err)
	}
	if got := pgtest.Lines(t, pool, `SELECT count(*) FROM poller_members`); got != "0" {
		t.Errorf("%s members are left, want none", got)
	}
}

func TestRowsAreThoseThatTheTopicHolds(t *testing.T) {
	t.Parallel()
	// Of 1 to 10 rows 3 and 6 are deleted, 5 is dirty; Aktør is another entity.
	s, _ := filled(t, `INSERT INTO poller_ledger (entity_type, entity_id, seq, hash)
SELECT 'Sag', i, i, CASE WHEN i IN (3, 6) THEN NULL WHEN i = 5 THEN ''::bytea ELSE '\x00112233445566778899aabbccddeeff'::bytea END FROM generate_series(1, 10) i;
INSERT INTO poller_ledger (entity_type, entity_id, seq, hash) VALUES ('Aktør', 4, 1, '\x00112233445566778899aabbccddeeff')`)
	ctx := t.Context()
	if n, err := s.CountRows(ctx, "Sag", schema.IDRange{Low: 2, High: 7}); n != 3 || err != nil {
		t.Errorf("CountRows(2, 7] = %d, %v, want the 3 rows 4, 5 and 7", n, err)
	}
	if ids, err := s.RowIDs(ctx, "Sag", schema.IDRange{Low: 2, High: 7}); !cmp.Equal(ids, []int64{4, 5, 7}) || err != nil {
		t.Errorf("RowIDs(2, 7] = %v, %v, want 4 5 7", ids, err)
	}
	if ids, err := s.EveryNth(ctx, "Sag", 3); !cmp.Equal(ids, []int64{4, 8}) || err != nil {
		t.Errorf("EveryNth(3) = %v, %v, want 4 and 8 of 1 2 4 5 7 8 9 10", ids, err)
	}
	if low, high, ok, err := s.IDBounds(ctx, "Sag"); low != 1 || high != 10 || !ok || err != nil {
		t.Errorf("IDBounds = %d, %d, %v, %v, want 1, 10, true", low, high, ok, err)
	}
	if _, _, ok, err := s.IDBounds(ctx, "Fil"); ok || err != nil {
		t.Errorf("IDBounds of an entity without entries = %v, %v, want false", ok, err)
	}
}
