package verify_test

import (
	"fmt"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"odastream/cache"
	"odastream/checkpoint"
	"odastream/internal/test/pgtest"
	"odastream/oda"
	"odastream/odasim"
	"odastream/schema"
	"odastream/verify"
)

// oldStamp lies before every verification of a test.
const oldStamp = "2024-03-01T10:00:00.123"

// world is a simulated parliament and a real Postgres with a copy of it, written
// through the stores of poller and sink.
type world struct {
	t      *testing.T
	sim    *odasim.Server
	client *oda.Client
	pool   *pgxpool.Pool
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, sim: odasim.New(odasim.Options{})}
	server := httptest.NewServer(w.sim)
	t.Cleanup(server.Close)
	var err error
	if w.client, err = oda.New(oda.Config{URL: server.URL + odasim.Root, Concurrency: 8}, nil, nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.client.Close)
	if w.pool, err = pgxpool.New(t.Context(), pgtest.Migrated(t)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.pool.Close)
	return w
}

// put adds rows with ids first, first+step, … to the parliament.
func (w *world) put(entity string, n int, first, step int64) {
	w.t.Helper()
	for i := range int64(n) {
		w.row(entity, fmt.Sprintf(`{"id":%d,"type":"no. %d","opdateringsdato":"%s"}`, first+i*step, i, oldStamp))
	}
}

func (w *world) row(entity, data string) {
	w.t.Helper()
	if err := w.sim.Put(entity, []byte(data)); err != nil {
		w.t.Fatal(err)
	}
}

// copied makes ledger and cache equal to the parliament's current rows.
func (w *world) copied(entity string) {
	w.t.Helper()
	var entries []checkpoint.Entry
	var records []cache.Record
	now := time.Now()
	at := schema.TopicPartition{Topic: "t-" + schema.Suffix(entity)}
	for i, data := range w.sim.Rows(entity) {
		hash, err := schema.ContentHash(data)
		if err != nil {
			w.t.Fatal(err)
		}
		var id int64
		if _, err := fmt.Sscanf(string(data), `{"id":%d`, &id); err != nil {
			w.t.Fatal(err)
		}
		seq := now.UnixMicro() - 1_000_000 + int64(i)
		entries = append(entries, checkpoint.Entry{ID: id, Seq: seq, Hash: hash, Stamp: oldStamp})
		records = append(records, cache.Record{TopicPartition: at, Offset: int64(i), Change: schema.Change{
			Entity: entity, ID: id, Action: schema.Snapshot, Seq: seq, Timestamp: now, Opdateringsdato: oldStamp, Origin: schema.OriginScan, Data: data,
		}})
	}
	store := checkpoint.New(w.pool)
	lease, err := store.Acquire(w.t.Context(), entity, "test", time.Minute)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := store.Save(w.t.Context(), lease, checkpoint.Progress{
		Entries: entries, Seq: now.UnixMicro(), Watermark: now, WallClock: oda.Wall(now), LoadedAt: now, ScannedAt: now, ConsistentThrough: now,
	}); err != nil {
		w.t.Fatal(err)
	}
	sink := cache.New(w.pool, "test", cache.Config{}, slog.New(slog.DiscardHandler))
	if _, err := sink.Apply(w.t.Context(), cache.Batch{Records: records}); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) exec(sql string, args ...any) {
	w.t.Helper()
	if _, err := w.pool.Exec(w.t.Context(), sql, args...); err != nil {
		w.t.Fatalf("%s: %v", sql, err)
	}
}

func (w *world) verifier() *verify.Verifier {
	return verify.New(w.client, checkpoint.New(w.pool), cache.NewReader(w.pool))
}

func (w *world) verify(o verify.Options, entities ...string) verify.Report {
	w.t.Helper()
	if o.Patience == 0 {
		o.Patience = 20 * time.Millisecond
	}
	report, err := w.verifier().Verify(w.t.Context(), lookup(w.t, entities...), o)
	if err != nil {
		w.t.Fatalf("Verify: %v", err)
	}
	return report
}

func lookup(t *testing.T, names ...string) []schema.Entity {
	t.Helper()
	var list []schema.Entity
	for _, name := range names {
		e, err := schema.Lookup(name)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, e)
	}
	return list
}

// found returns a report's differences, a line each.
func found(r verify.Report) string {
	var lines []string
	for _, e := range r.Entities {
		for _, d := range e.Differences {
			lines = append(lines, fmt.Sprintf("%s/%d %s", e.Name, d.ID, d))
		}
	}
	return strings.Join(lines, "\n")
}

// hashAgain makes the ledger agree with row 1 of the source.
func hashAgain(w *world, entity string) {
	w.t.Helper()
	hash, err := schema.ContentHash(w.sim.Row(entity, 1))
	if err != nil {
		w.t.Fatal(err)
	}
	w.exec(`UPDATE poller_ledger SET hash = $1 WHERE entity_type = $2 AND entity_id = 1`, hash[:], entity)
}
