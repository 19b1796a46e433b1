package replay_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"odastream/cache"
	"odastream/internal/test/kafkatest"
	"odastream/internal/test/stand"
	"odastream/replay"
	"odastream/schema"
)

func TestReplayOverACompleteCacheChangesNothing(t *testing.T) {
	t.Parallel()
	n := newNewsroom(t, kafkatest.Fake(t))
	records := n.publish(t, 100)
	if err := n.sinkOnce(t.Context(), 50); err != nil {
		t.Fatal(err)
	}
	before := n.state(t)
	for range 2 {
		got := n.replay(t, request{})
		if want := (replay.Report{Entity: "Sag", Read: records, Chosen: records, Stale: got.Stale, Superseded: got.Superseded}); got != want || got.Stale+got.Superseded != records {
			t.Errorf("replay = %+v, want all %d records stale or superseded", got, records)
		}
	}
	if after := n.state(t); after != before {
		t.Errorf("a replay changed the cache:\n%s\nwas:\n%s", after, before)
	}
}

func TestReplayRestoresRowsThatTheCacheLost(t *testing.T) {
	t.Parallel()
	n := newNewsroom(t, kafkatest.Fake(t))
	records := n.publish(t, 100)
	first := n.replay(t, request{})
	if first.Inserted != 90 || first.Deleted != 10 || first.Read != records {
		t.Fatalf("replay into an empty cache = %+v, want 90 inserted, 10 deleted of %d", first, records)
	}
	n.Exec(t, `DELETE FROM parliamentary_data WHERE entity_id BETWEEN 21 AND 49`)
	broken := n.state(t)
	if got := n.replay(t, request{dry: true}); got.Would != 27 || !got.DryRun || got.Inserted != 0 {
		t.Errorf("dry run = %+v, want 27 rows that would be written", got)
	}
	if n.state(t) != broken {
		t.Error("a dry run changed the cache")
	}
	if got := n.replay(t, request{first: 21, last: 21}); got.Inserted != 1 || got.Chosen != 5 {
		t.Errorf("replay of row 21 = %+v, want 1 inserted of 5 chosen", got)
	}
	if got := n.replay(t, request{first: 22, last: 22}); got.Inserted != 1 || got.Read >= records {
		t.Errorf("replay of row 22 = %+v, want 1 inserted, and one partition read", got)
	}
	if got := n.replay(t, request{first: 20, last: 30}); got.Inserted != 7 {
		t.Errorf("replay of rows 20 to 30 = %+v, want the 7 lost ones of 23 to 29", got)
	}
	if got := n.replay(t, request{}); got.Inserted != 18 {
		t.Errorf("replay of the rest = %+v, want 18 inserted", got)
	}
}

func TestReplayNeverReplacesANewerRow(t *testing.T) {
	t.Parallel()
	n := newNewsroom(t, kafkatest.Fake(t))
	n.publish(t, 30)
	newer := time.Now().UnixMicro()
	for id := int64(1); id <= 5; id++ {
		c := stand.ChangeOf(id, newer, `{"titel":"newer than the topic"}`)
		if id == 5 {
			c.Action, c.Data = schema.Delete, nil
		}
		if _, err := n.Store.Apply(t.Context(), cache.Batch{Records: []cache.Record{{TopicPartition: schema.TopicPartition{Topic: n.topic()}, Change: c}}}); err != nil {
			t.Fatal(err)
		}
	}
	before := n.state(t)
	if got := n.replay(t, request{first: 1, last: 5}); got.Inserted+got.Updated+got.Deleted+got.Unchanged != 0 || got.Chosen != 25 {
		t.Errorf("replay of older records = %+v, want none of 25 applied", got)
	}
	if n.state(t) != before {
		t.Error("a replay took rows back")
	}
}

// A record of another entity is none of this topic's.
func TestReplayAppliesNoRecordOfAnotherEntity(t *testing.T) {
	t.Parallel()
	n := newNewsroom(t, kafkatest.Fake(t))
	foreign := stand.ChangeOf(7, 10, `{}`)
	foreign.Entity = "Stemme"
	n.produce(t, n.recordOf(foreign))
	before := n.state(t)
	if got := n.replay(t, request{}); got.Unreadable != 1 || got.Chosen != 0 {
		t.Errorf("replay of a record of Stemme on the topic of Sag = %+v, want 1 unreadable", got)
	}
	if n.state(t) != before {
		t.Error("a replay of Sag changed another entity")
	}
}

// A replay and a sink that apply the same partitions both end at the topic's last
// versions.
func TestReplayBesideARunningSink(t *testing.T) {
	t.Parallel()
	n := newNewsroom(t, kafkatest.Fake(t))
	n.publish(t, 60)
	done := make(chan error, 1)
	go func() { done <- n.sinkOnce(t.Context(), 7) }()
	for running := true; running; {
		n.replay(t, request{})
		select {
		case err := <-done:
			if err != nil {
				t.Fatalf("sink beside a replay: %v", err)
			}
			running = false
		default:
		}
	}
	var got string
	if err := n.Pool.QueryRow(t.Context(), `SELECT format('%s rows, %s of the last version, %s deleted, %s offsets', count(*),
count(*) FILTER (WHERE data->>'titel' = 'version 4'), (SELECT count(*) FROM parliamentary_deleted), (SELECT sum(next_offset) FROM sink_offsets)) FROM parliamentary_data`).Scan(&got); err != nil {
		t.Fatal(err)
	}
	if want := "54 rows, 54 of the last version, 6 deleted, 306 offsets"; got != want {
		t.Errorf("cache = %s, want %s", got, want)
	}
}

func TestReplayStartsAtItsPlace(t *testing.T) {
	t.Parallel()
	n := newNewsroom(t, kafkatest.Fake(t))
	n.publish(t, 50) // the last round begins 200 s after the first
	last := published.Add(200 * time.Second)
	if got := n.replay(t, request{from: replay.AtTime(last)}); got.Read != 55 {
		t.Errorf("replay from %s = %+v, want the 55 records of the last round", last, got)
	}
	if got := n.replay(t, request{from: replay.AtTime(time.Now().Add(-3 * time.Hour)), dry: true}); got.Read != 255 {
		t.Errorf("replay from 3 hours ago = %+v, want all 255 records", got)
	}
	if got := n.replay(t, request{from: replay.AtTime(time.Now().Add(-time.Second))}); got.Read != 0 {
		t.Errorf("replay from a second ago = %+v, want no record", got)
	}
	all := n.replay(t, request{from: replay.AtOffset(0), partition: 1, dry: true}).Read
	if got := n.replay(t, request{from: replay.AtOffset(10), partition: 1, dry: true}); got.Read != all-10 || all == 0 {
		t.Errorf("replay from offset 10 of one partition = %+v, want %d records", got, all-10)
	}
	n.cut(t, 1, 5)
	for claim, tt := range map[string]struct {
		from      replay.Place
		ids       schema.IDRange
		partition int
		want      string
	}{
		"what is gone":         {replay.AtOffset(4), replay.AllRows(), 1, "offset 4 of topic " + n.topic() + " partition 1 is gone: it holds 5 to "},
		"what is yet to come":  {replay.AtOffset(1000), replay.AllRows(), 1, "is yet to come: it holds 5 to "},
		"no such partition":    {replay.AtOffset(0), replay.AllRows(), 7, "has no partition 7"},
		"a row is not in here": {replay.Start(), schema.OneID(1), otherThan(1), "row 1 of Sag is in partition"},
	} {
		if _, err := n.replayer().Plan(t.Context(), "Sag", tt.ids, tt.from, tt.partition); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: Plan = %v, want %q", claim, err, tt.want)
		}
	}
}

// An unreadable record and one that Postgres refuses are reported, and stop no others.
func TestReplayContinuesAfterABadRecord(t *testing.T) {
	t.Parallel()
	n := newNewsroom(t, kafkatest.Fake(t))
	n.publish(t, 20)
	n.produce(t, n.recordOf(stand.ChangeOf(21, 10, `{"titel":"\u0000"}`)), &kgo.Record{Topic: n.topic(), Key: []byte("Sag:22"), Value: []byte("{")})
	n.produce(t, n.recordOf(stand.ChangeOf(23, 10, `{"titel":"good"}`)))
	r := n.replayer()
	left := map[string]int{}
	r.LeftOut = func(_ cache.TopicPartitionOffset, what string, _ error) { left[what]++ }
	plan, err := r.Plan(t.Context(), "Sag", replay.AllRows(), replay.Start(), replay.AllPartitions)
	if err != nil {
		t.Fatal(err)
	}
	got, err := r.Run(t.Context(), plan, false)
	if err != nil || got.Inserted != 19 || got.Refused != 1 || got.Unreadable != 1 {
		t.Errorf("replay with two bad records = %+v, %v, want 19 inserted, 1 refused, 1 unreadable", got, err)
	}
	if diff := cmp.Diff(map[string]int{"refused": 1, "unreadable": 1}, left); diff != "" {
		t.Errorf("left out (-want +got):\n%s", diff)
	}
}
