package cache

import (
	"context"
	"sync"
	"testing"

	"odastream/internal/test/pgtest"
)

func TestMaintainIndex(t *testing.T) {
	t.Parallel()
	url := pgtest.Migrated(t)
	pool := open(t, url)
	const gins = `SELECT count(*) FROM pg_indexes WHERE indexname LIKE 'parliamentary_data%' AND indexdef LIKE '%gin (data jsonb_path_ops)%'`
	for _, step := range []struct{ gin, want string }{
		{"off", "0"},
		{"on", "107"}, // each of the 99 partitions, the 7 that are split, and the whole
		{"on", "107"},
		{"off", "0"},
	} {
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				if err := New(pool, "test", Config{GIN: step.gin}, quiet()).MaintainIndex(context.Background()); err != nil {
					t.Errorf("MaintainIndex with GIN %s: %v", step.gin, err)
				}
			})
		}
		wg.Wait()
		if got := pgtest.Lines(t, pool, gins); got != step.want {
			t.Errorf("GIN indexes with GIN %s = %s, want %s", step.gin, got, step.want)
		}
	}
}

func TestGINOfANewEntity(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	s.cfg.GIN = "on"
	if err := s.MaintainIndex(t.Context()); err != nil {
		t.Fatal(err)
	}
	mustApply(t, s, record("Ny", 1, 1, `{"a":1}`))
	if got := pgtest.Lines(t, s.pool, `SELECT count(*) FROM pg_indexes WHERE tablename = 'parliamentary_data_ny' AND indexdef LIKE '%gin%'`); got != "1" {
		t.Errorf("GIN indexes of a new entity = %s, want 1", got)
	}
}

func TestHistoryHasItsMonths(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	const months = `SELECT count(*) FROM pg_inherits WHERE inhparent = 'parliamentary_history'::regclass`
	if _, err := s.pool.Exec(t.Context(), `DO $$ DECLARE p regclass; BEGIN
FOR p IN SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent = 'parliamentary_history'::regclass LOOP EXECUTE 'DROP TABLE ' || p; END LOOP; END $$`); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.MaintainHistory(t.Context(), History{}); err != nil {
			t.Fatal(err)
		}
		if got := pgtest.Lines(t, s.pool, months); got != "4" {
			t.Errorf("months of the history = %s, want 4", got)
		}
	}
	const now = `INSERT INTO parliamentary_history (entity_type, entity_id, seq, action, recorded_at) VALUES ('Sag', 1, $1, 'delete', now() + make_interval(months => $2))`
	for ahead := range monthsAhead + 1 {
		if _, err := s.pool.Exec(t.Context(), now, ahead, ahead); err != nil {
			t.Errorf("write history %d months ahead: %v", ahead, err)
		}
	}
}

// The tests have the true settings; this is what a sink does on an unmigrated database.
func TestMaintainIndexWithoutMigrations(t *testing.T) {
	t.Parallel()
	s := New(open(t, pgtest.Empty(t)), "test", Config{GIN: "on"}, quiet())
	if err := s.MaintainIndex(t.Context()); err == nil {
		t.Error("MaintainIndex on an empty database = nil, want an error")
	}
}
