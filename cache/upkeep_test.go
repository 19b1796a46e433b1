package cache

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"odastream/internal/test/machine"
	"odastream/internal/test/pgtest"
	"odastream/schema"
)

// newExpiring returns a Store that keeps Omtryk for an hour and Sag for ever.
func newExpiring(t *testing.T) *Store {
	t.Helper()
	return New(open(t, pgtest.Migrated(t)), "test", Config{GIN: "off", TTL: TTL{"Omtryk": time.Hour}}, quiet())
}

func omtryk(id, seq int64, data string) Record { return record("Omtryk", id, seq, data) }

// lapse sets an entity's rows to have expired.
func lapse(t *testing.T, s *Store) {
	t.Helper()
	mustExec(t, s, `UPDATE parliamentary_data SET expires_at = now() - interval '1s' WHERE expires_at IS NOT NULL`)
}

func mustExpire(t *testing.T, s *Store, want int) {
	t.Helper()
	if got, err := s.Expire(t.Context()); err != nil || got != want {
		t.Fatalf("Expire = %d, %v, want %d", got, err, want)
	}
}

func TestExpire(t *testing.T) {
	t.Parallel()
	s := newExpiring(t)
	mustApply(t, s, omtryk(1, 10, `{"a":1}`), omtryk(2, 10, `{"a":1}`), sag(1, 10, `{"a":1}`))
	mustExpire(t, s, 0) // none is over
	lapse(t, s)
	mustExpire(t, s, 2)
	for claim, tt := range map[string]struct {
		batch []Record
		want  Result
		state string
	}{
		"a replay does not bring an expired row back": {
			batch: []Record{omtryk(1, 9, `{"a":0}`), omtryk(1, 10, `{"a":1}`)},
			want:  Result{Stale: 1, Superseded: 1}, state: "-Omtryk:1 10 \n-Omtryk:2 10 \nSag:1 10 {\"a\": 1}",
		},
		"a newer change brings it back": {
			batch: []Record{omtryk(1, 11, `{"a":2}`)},
			want:  Result{Inserted: 1}, state: "Omtryk:1 11 {\"a\": 2}\n-Omtryk:2 10 \nSag:1 10 {\"a\": 1}",
		},
		"its delete is a deletion": {
			batch: []Record{omtryk(1, 11, "")},
			want:  Result{Deleted: 1}, state: "-Omtryk:1 11 \n-Omtryk:2 10 \nSag:1 10 {\"a\": 1}",
		},
	} {
		t.Run(claim, func(t *testing.T) {
			empty(t, s.pool)
			mustApply(t, s, omtryk(1, 10, `{"a":1}`), omtryk(2, 10, `{"a":1}`), sag(1, 10, `{"a":1}`))
			lapse(t, s)
			mustExpire(t, s, 2)
			if got := mustApply(t, s, tt.batch...); got != tt.want {
				t.Errorf("Apply = %+v, want %+v", got, tt.want)
			}
			if diff := cmp.Diff(tt.state, state(t, s.pool)); diff != "" {
				t.Errorf("the cache (-want +got):\n%s", diff)
			}
		})
	}
}

func TestExpiredRowsAreCountedSeparately(t *testing.T) {
	t.Parallel()
	s := newExpiring(t)
	mustApply(t, s, omtryk(1, 10, `{"a":1}`), omtryk(2, 10, `{"a":1}`), omtryk(3, 10, `{}`), omtryk(4, 10, ""))
	mustExpire(t, s, 0)
	lapse(t, s)
	mustExpire(t, s, 3)
	mustApply(t, s, omtryk(2, 11, ""), omtryk(3, 11, `{"a":2}`))
	if got, want := pgtest.Lines(t, s.pool, `SELECT * FROM parliamentary_expired`), "Omtryk 1"; got != want {
		t.Errorf("expired rows, one deleted and one changed since = %q, want %q", got, want)
	}
	if got, want := pgtest.Lines(t, s.pool, `SELECT entity_id, action FROM parliamentary_history`), "3 create"; got != want {
		t.Errorf("history of expired rows = %q, want %q: expiry is not a change of the source", got, want)
	}
	if got := asOf(t, s, "Omtryk", 1, 10) + asOf(t, s, "Omtryk", 3, 10) + asOf(t, s, "Omtryk", 3, 11); got != `<nil><nil>{"a": 2}` {
		t.Errorf("as_of of expired rows = %s", got)
	}
}

// More rows than one transaction takes.
func TestExpireInBatches(t *testing.T) {
	t.Parallel()
	s := newExpiring(t)
	var records []Record
	for id := range int64(2*expireRows + 5) {
		records = append(records, omtryk(id, 1, `{}`).as(schema.Snapshot))
	}
	mustApply(t, s, records...)
	lapse(t, s)
	mustExpire(t, s, len(records))
	mustExpire(t, s, 0)
	if got := mustApply(t, s, records...); got != (Result{Stale: len(records)}) {
		t.Errorf("Apply of all once more = %+v, want all stale", got)
	}
}

// The expiry waits for a batch that has begun: that batch has checked the deleted rows
// before the expiry writes its own, so an older change could come back.
func TestExpireWaitsForABatch(t *testing.T) {
	t.Parallel()
	s := newExpiring(t)
	mustApply(t, s, omtryk(1, 10, `{"a":1}`))
	lapse(t, s)
	release := hold(t, s, lockExpiryShared)
	var wg sync.WaitGroup
	wg.Go(func() {
		if got, err := s.Expire(context.WithoutCancel(t.Context())); err != nil || got != 1 {
			t.Errorf("Expire = %d, %v, want 1", got, err)
		}
	})
	const waiting = `SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`
	machine.Until(t, "Expire to wait for the batch", func() bool { return pgtest.Lines(t, s.pool, waiting) == "1" })
	if got := pgtest.Lines(t, s.pool, `SELECT count(*) FROM parliamentary_data`); got != "1" {
		t.Errorf("rows while a batch is written = %s, want 1", got)
	}
	release()
	wg.Wait()
}

// A batch that waits for the history's tables does not keep the expiry waiting, and many
// such batches do not keep it out for ever.
func TestExpireDoesNotWaitForABatchThatWaits(t *testing.T) {
	t.Parallel()
	s := newExpiring(t)
	mustApply(t, s, omtryk(1, 10, `{"a":1}`))
	lapse(t, s)
	release := hold(t, s, `LOCK TABLE parliamentary_history`)
	applied := make(chan error, 1)
	go func() {
		_, err := s.Apply(context.WithoutCancel(t.Context()), Batch{Records: []Record{sag(1, 10, `{"a":1}`)}})
		applied <- err
	}()
	machine.Until(t, "the batch to wait", func() bool { return pgtest.Lines(t, s.pool, lockWaits) != "0" })
	once := *s
	once.once = true
	if got, err := once.Expire(t.Context()); err != nil || got != 1 {
		t.Errorf("Expire beside a batch that waits = %d, %v, want 1", got, err)
	}
	release()
	if err := machine.Recv(t, "the batch", applied); err != nil {
		t.Errorf("the batch after all: %v", err)
	}
}

// Upkeep runs for as long as the sink does, and an error does not end it.
func TestUpkeepContinuesAfterErrors(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 48*time.Hour+time.Second)
		defer cancel()
		var rows, months int
		tick(ctx, func(context.Context) { rows++ }, func(context.Context) { months++ })
		if rows != 48*60+1 || months != 3 {
			t.Errorf("in two days rows were checked %d times and months %d times, want %d and 3", rows, months, 48*60+1)
		}
	})
	s := newExpiring(t)
	s.pool.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s.RunUpkeep(ctx, History{}) // returns
}

// On a real database Upkeep removes expired rows, creates months and builds the GIN index
// when it starts.
func TestUpkeepStartsAtOnce(t *testing.T) {
	t.Parallel()
	s := newExpiring(t)
	mustApply(t, s, omtryk(1, 10, `{"a":1}`))
	lapse(t, s)
	for _, name := range historyMonths(t, s) {
		mustExec(t, s, "DROP TABLE "+pgx.Identifier{name}.Sanitize())
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	s.cfg.GIN = "on"
	wg.Go(func() { s.RunUpkeep(ctx, History{}) })
	machine.Until(t, "Upkeep to expire the row, to create the months and to build the index", func() bool {
		return len(historyMonths(t, s)) == monthsAhead+1 && pgtest.Lines(t, s.pool, `SELECT count(*) FROM parliamentary_data`) == "0" &&
			pgtest.Lines(t, s.pool, hasGIN) == "true"
	})
	cancel()
	wg.Wait()
}

// A sink that ends by itself waits for nobody in its upkeep: what lacks a lock is left to
// the next run.
func TestUpkeepOnceWaitsForNobody(t *testing.T) {
	t.Parallel()
	for claim, c := range map[string]struct{ held, gin, left string }{
		"a reader of the cache":            {`SELECT count(*) FROM parliamentary_data`, "off", "index"},
		"a writer of the cache":            {`UPDATE parliamentary_data SET seq = seq WHERE entity_type = 'Sag'`, "on", "index"},
		"a batch that is frozen":           {lockFrozen, "off", "rows"},
		"who changes the history's months": {`SELECT pg_advisory_xact_lock(hashtextextended('odastream parliamentary_history_ahead', 0))`, "off", "history"},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			s := newExpiring(t)
			var log logged
			s.log = slog.New(slog.NewTextHandler(&log, nil))
			mustApply(t, s, omtryk(1, 10, `{"a":1}`), sag(1, 10, `{"a":1}`))
			lapse(t, s)
			if err := prepared(map[string]string{"on": "off", "off": "on"}[c.gin])(s); err != nil {
				t.Fatal(err)
			}
			s.cfg.GIN = c.gin
			release := hold(t, s, c.held)
			began, most := time.Now(), machine.AtLeast(4*lockWithin)
			ctx, cancel := context.WithTimeout(t.Context(), 2*most)
			defer cancel()
			if err := s.UpkeepOnce(ctx, History{}); err != nil {
				t.Errorf("UpkeepOnce beside %s = %v", claim, err)
			}
			if took := time.Since(began); took > most {
				t.Errorf("UpkeepOnce took %s, want %s at most", took, most)
			}
			if got := log.String(); !strings.Contains(got, "of="+c.left) || strings.Count(got, "to the next run") != 1 {
				t.Errorf("the log says\n%s\nwant the one upkeep of %s to be left", got, c.left)
			}
			release()
			log.text.Reset()
			if err := s.UpkeepOnce(t.Context(), History{}); err != nil || strings.Contains(log.String(), "next run") {
				t.Errorf("UpkeepOnce after it = %v, and says\n%s", err, &log)
			}
			if got, want := pgtest.Lines(t, s.pool, hasGIN), map[string]string{"on": "true", "off": "false"}[c.gin]; got != want {
				t.Errorf("the GIN index is there = %s, want %s", got, want)
			}
		})
	}
}
