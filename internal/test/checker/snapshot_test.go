package checker_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgxpool"

	"odastream/cache"
	"odastream/internal/test/checker"
	"odastream/internal/test/machine"
	"odastream/internal/test/pgtest"
	"odastream/schema"
)

func open(t *testing.T, url string) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.New(context.Background(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// A snapshot shows what the sink's own store writes, and nothing of other histories.
func TestTakeSnapshotReadsWhatTheStoreWrote(t *testing.T) {
	t.Parallel()
	pool := open(t, pgtest.Migrated(t))
	scope := checker.Scope{Group: "g", FirstID: 1, LastID: 9, TopicPrefix: "t-"}
	write := func(group, topic string, first int64) {
		t.Helper()
		tp := schema.TopicPartition{Topic: topic}
		record := func(id, seq int64, action schema.Action, data string) cache.Record {
			return cache.Record{Change: schema.Change{Entity: "Sag", ID: first + id, Action: action, Seq: seq, Data: []byte(data), Timestamp: time.Now()}}
		}
		b := cache.Batch{
			Records: []cache.Record{
				record(0, 3, schema.Create, `{"v":1}`), record(1, 4, schema.Snapshot, `{"v":2}`), record(1, 5, schema.Delete, ""),
			},
			Moves:       []cache.Move{{TopicPartition: tp, TopicID: [16]byte{1}, From: schema.NoOffset, To: 4}},
			DeadLetters: []cache.DeadLetter{{TopicPartition: tp, Offset: 3, Class: "decode", Error: "bad", FailedAt: time.Now()}},
		}
		if _, err := cache.New(pool, group, cache.Config{}, slog.New(slog.DiscardHandler)).Apply(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	write("g", "t-sag", 1)
	write("another", "another-sag", 11)
	got, err := checker.TakeSnapshot(t.Context(), pool, scope)
	if err != nil {
		t.Fatal(err)
	}
	want := checker.Snapshot{
		Offsets:     map[checker.Partition]int64{sag: 4},
		Rows:        map[checker.Key]checker.Row{one: {Seq: 3, Data: `{"v": 1}`}},
		Deleted:     map[checker.Key]int64{two: 5},
		History:     []checker.Entry{{Key: one, Seq: 3, Action: "create"}, {Key: two, Seq: 5, Action: "delete"}},
		DeadLetters: map[checker.Place]bool{at(sag, 3): true},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Take (-want +got):\n%s", diff)
	}
}

// Watch continues until it is stopped, and keeps each state once.
func TestWatchKeepsEachStateOnce(t *testing.T) {
	t.Parallel()
	url := pgtest.Migrated(t)
	pool, watched := open(t, url), open(t, url)
	end := checker.Watch(t.Context(), watched, checker.Scope{Group: "g", TopicPrefix: "t-"}, time.Millisecond)
	defer end()
	store := cache.New(pool, "g", cache.Config{}, slog.New(slog.DiscardHandler))
	for next := range int64(3) {
		from := schema.Position{TopicID: [16]byte{1}, Next: next}
		if next == 0 {
			from = schema.Position{}
		}
		if err := store.Reset(t.Context(), schema.TopicPartition{Topic: "t-sag"}, from, schema.Position{TopicID: [16]byte{1}, Next: next + 1}); err != nil {
			t.Fatal(err)
		}
	}
	// The next snapshot sees the last state, and has ended when the one after it begins.
	begun := watched.Stat().AcquireCount()
	machine.Until(t, "two snapshots more", func() bool { return watched.Stat().AcquireCount() >= begun+2 })
	snapshots := end()
	for i := 1; i < len(snapshots); i++ {
		if snapshots[i].Offsets[sag] <= snapshots[i-1].Offsets[sag] {
			t.Errorf("snapshot %d is at %d, the one before at %d", i, snapshots[i].Offsets[sag], snapshots[i-1].Offsets[sag])
		}
	}
	if len(snapshots) == 0 || snapshots[len(snapshots)-1].Offsets[sag] != 3 {
		t.Errorf("the last of %d snapshots is not at 3", len(snapshots))
	}
}
