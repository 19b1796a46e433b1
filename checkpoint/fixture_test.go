package checkpoint

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"odastream/internal/session"
	"odastream/internal/test/machine"
	"odastream/internal/test/pgtest"
	"odastream/schema"
)

const (
	entity = "Sag"
	ttl    = LongestLease // no lease expires by itself
)

// open returns a store on a database of the test's own.
func open(t testing.TB) *Store {
	t.Helper()
	return openAt(t, pgtest.Migrated(t))
}

func openAt(t testing.TB, url string) *Store {
	t.Helper()
	config, err := session.Config(url)
	if err != nil {
		t.Fatal(err)
	}
	config.MaxConns = 12
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return New(pool)
}

// exec runs SQL directly.
func exec(t testing.TB, s *Store, sql string, args ...any) {
	t.Helper()
	if _, err := s.pool.Exec(t.Context(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func acquire(t testing.TB, s *Store, entity, holder string) Lease {
	t.Helper()
	lease, err := s.Acquire(t.Context(), entity, holder, ttl)
	if err != nil {
		t.Fatalf("Acquire(%s, %s) = %v", entity, holder, err)
	}
	return lease
}

// expire makes every lease expire, as waiting does to a silent poller's.
func expire(t testing.TB, s *Store) {
	t.Helper()
	exec(t, s, "UPDATE poller_leases SET expires_at = clock_timestamp()")
}

// stale returns a lease that another poller has taken.
func stale(t testing.TB, s *Store, entity string) (lost, held Lease) {
	t.Helper()
	lost = acquire(t, s, entity, "previous")
	expire(t, s)
	return lost, acquire(t, s, entity, "present")
}

func mustSave(t testing.TB, s *Store, lease Lease, p Progress) {
	t.Helper()
	if err := s.Save(t.Context(), lease, p); err != nil {
		t.Fatalf("Save(%+v) = %v", p, err)
	}
}

func mustFold(t testing.TB, s *Store, lease Lease, p Progress) {
	t.Helper()
	if err := s.Fold(t.Context(), lease, p); err != nil {
		t.Fatalf("Fold(%+v) = %v", p, err)
	}
}

func load(t testing.TB, s *Store, entity string) Checkpoint {
	t.Helper()
	c, err := s.Load(t.Context(), entity)
	if err != nil {
		t.Fatalf("Load(%s) = %v", entity, err)
	}
	return c
}

func entries(t testing.TB, s *Store, entity string, ids ...int64) map[int64]Entry {
	t.Helper()
	known, err := s.Entries(t.Context(), entity, ids, nil)
	if err != nil {
		t.Fatalf("Entries(%s, %d) = %v", entity, ids, err)
	}
	return known
}

// live returns an entry whose hash and checksum are made of its seq.
func live(id, seq int64) Entry {
	return Entry{ID: id, Seq: seq, Hash: hashOf(seq), Checksum: schema.Checksum(-seq)}
}

func hashOf(n int64) schema.Hash {
	var h schema.Hash
	copy(h[:], fmt.Sprintf("hash %d", n))
	return h
}

// dump returns the rows of the poller's tables, one a line, without the time of
// the last write.
func dump(t testing.TB, s *Store) []string {
	t.Helper()
	tables := column(t, s, `
SELECT relname FROM pg_class WHERE relname LIKE 'poller\_%' AND relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY relname`)
	if len(tables) < 5 {
		t.Fatalf("the poller's tables are %v, want at least five", tables)
	}
	var all []string
	for _, table := range tables {
		all = append(all, column(t, s, fmt.Sprintf(`SELECT '%[1]s ' || (to_jsonb(r) - 'updated_at')::text FROM %[1]s r ORDER BY 1`, table))...)
	}
	return all
}

func column(t testing.TB, s *Store, sql string) []string {
	t.Helper()
	rows, err := s.pool.Query(t.Context(), sql)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return list
}

// tablesOf returns the names of the tables that have rows in a dump.
func tablesOf(dump []string) map[string]bool {
	names := map[string]bool{}
	for _, line := range dump {
		name, _, _ := strings.Cut(line, " ")
		names[name] = true
	}
	return names
}

// waitBlocked returns once n connections of the test's database wait for a lock.
func waitBlocked(t testing.TB, s *Store, n int) {
	t.Helper()
	machine.Until(t, fmt.Sprintf("%d connections to wait for a lock", n), func() bool {
		var waiting int
		err := s.pool.QueryRow(t.Context(), `
SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`).Scan(&waiting)
		if err != nil {
			t.Fatal(err)
		}
		return waiting == n
	})
}

// together runs n functions at once and returns their errors.
func together(n int, f func(i int) error) []error {
	errs := make([]error, n)
	start := make(chan struct{})
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() {
			<-start
			errs[i] = f(i)
		})
	}
	close(start)
	group.Wait()
	return errs
}

func wantLost(t testing.TB, call string, err error) {
	t.Helper()
	if !errors.Is(err, ErrLeaseLost) {
		t.Errorf("%s = %v, want ErrLeaseLost", call, err)
	}
}
