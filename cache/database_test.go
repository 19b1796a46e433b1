package cache

import (
	"context"
	"log/slog"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"odastream/internal/test/pgtest"
	"odastream/schema"
)

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// open returns a pool on the database at url, closed with the test.
func open(tb testing.TB, url string) *pgxpool.Pool {
	tb.Helper()
	cfg, err := PoolConfig(url)
	if err != nil {
		tb.Fatal(err)
	}
	pool, err := pgxpool.NewWithConfig(context.Background(), cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(pool.Close)
	return pool
}

// newStore returns a Store on a migrated database of its own.
func newStore(tb testing.TB) *Store {
	tb.Helper()
	return New(open(tb, pgtest.Migrated(tb)), "test", Config{GIN: "off"}, quiet())
}

func mustApply(tb testing.TB, s *Store, records ...Record) Result {
	tb.Helper()
	result, err := s.Apply(tb.Context(), Batch{Records: records})
	if err != nil {
		tb.Fatalf("Apply(%d records): %v", len(records), err)
	}
	return result
}

// sag makes records of Sag; data "" makes a delete.
func sag(id, seq int64, data string) Record { return record("Sag", id, seq, data) }

func record(entity string, id, seq int64, data string) Record {
	r := Record{
		TopicPartition: schema.TopicPartition{Topic: "parliament-" + schema.Suffix(entity), Partition: int32(id % 2)},
		Offset:         seq,
		Change:         schema.Change{Entity: entity, ID: id, Seq: seq, Action: schema.Update, Data: []byte(data)},
	}
	if data == "" {
		r.Change.Action, r.Change.Data = schema.Delete, nil
	}
	return r
}

func tombstone(id, seq int64) Record {
	r := sag(id, seq, "")
	r.Tombstone, r.Change.Action = true, schema.Delete
	return r
}

// state shows the cache: each key with its seq and content, the deleted ones after a
// minus.
func state(tb testing.TB, pool *pgxpool.Pool) string {
	tb.Helper()
	return pgtest.Lines(tb, pool, `SELECT line FROM (
    SELECT entity_type, entity_id, format('%s:%s %s %s', entity_type, entity_id, seq, data) AS line FROM parliamentary_data
    UNION ALL
    SELECT entity_type, entity_id, format('-%s:%s %s %s', entity_type, entity_id, seq, data) FROM parliamentary_deleted
) x ORDER BY entity_type, entity_id`)
}

// empty empties the cache for the next case, which is faster than a new database.
func empty(tb testing.TB, pool *pgxpool.Pool) {
	tb.Helper()
	if _, err := pool.Exec(context.Background(), `DELETE FROM parliamentary_data; DELETE FROM parliamentary_deleted;
DELETE FROM parliamentary_history; DELETE FROM dead_letters; DELETE FROM sink_offsets`); err != nil {
		tb.Fatal(err)
	}
}
