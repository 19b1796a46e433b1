package stream

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odastream/internal/test/machine"
	"odastream/schema"
)

// single gives the bench topics of one partition, so that a test knows offsets.
func (b *bench) single(t *testing.T) {
	t.Helper()
	b.cfg.Partitions = 1
	b.topics = NewTopics(b.cl, b.cfg, b.log.logger())
}

func changes(entity string, from, to int64) []schema.Change {
	var out []schema.Change
	for id := from; id <= to; id++ {
		out = append(out, update(entity, id, id))
	}
	return out
}

// read gives the offsets that ReadLog showed, and where it says to go on.
func (b *bench) read(t *testing.T, from []int64) (offsets, next []int64) {
	t.Helper()
	next, err := b.topics.ReadLog(t.Context(), "Sag", from, func(rs []*kgo.Record) error {
		for _, r := range rs {
			offsets = append(offsets, r.Offset)
		}
		return nil
	})
	if err != nil {
		t.Fatalf("ReadLog from %v = %v", from, err)
	}
	return offsets, next
}

func TestReadLogReadsFromAnOffsetToTheEnd(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *bench) {
		b.single(t)
		b.ensure(t, "Sag")
		p := b.publisher(t)
		offsets, next := b.read(t, nil)
		if offsets != nil || !cmp.Equal(next, []int64{0}) {
			t.Errorf("an empty topic gives %v, goes on from %v", offsets, next)
		}
		publish(t, p, changes("Sag", 1, 5)...)
		for _, from := range [][]int64{nil, {0}, {-1}} {
			offsets, next = b.read(t, from)
			if diff := cmp.Diff([]int64{0, 1, 2, 3, 4}, offsets); diff != "" || !cmp.Equal(next, []int64{5}) {
				t.Errorf("from %v: offsets (-want +got):\n%s goes on from %v, want 5", from, diff, next)
			}
		}
		publish(t, p, changes("Sag", 6, 7)...)
		offsets, next = b.read(t, next)
		if diff := cmp.Diff([]int64{5, 6}, offsets); diff != "" || !cmp.Equal(next, []int64{7}) {
			t.Errorf("offsets (-want +got):\n%s goes on from %v, want 7", diff, next)
		}
		if offsets, next = b.read(t, next); offsets != nil || !cmp.Equal(next, []int64{7}) {
			t.Errorf("at the end: %v, goes on from %v, want nothing", offsets, next)
		}
	})
}

func TestReadLogReadsEachPartitionInOrder(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *bench) {
		b.ensure(t, "Sag")
		p := b.publisher(t)
		for page := range int64(10) {
			publish(t, p, changes("Sag", page*100, page*100+99)...)
		}
		want := make([]int64, 3)
		seen := 0
		next, err := b.topics.ReadLog(t.Context(), "Sag", nil, func(rs []*kgo.Record) error {
			for _, r := range rs {
				if r.Offset != want[r.Partition] {
					return fmt.Errorf("partition %d shows offset %d, want %d", r.Partition, r.Offset, want[r.Partition])
				}
				want[r.Partition]++
				seen++
			}
			return nil
		})
		if err != nil || seen != 1000 || !cmp.Equal(next, want) {
			t.Errorf("ReadLog = %v, %v, saw %d records, want 1000 up to %v", next, err, seen, want)
		}
	})
}

func TestReadLogReturnsErrOutOfRange(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *bench) {
		b.single(t)
		// Kafka cuts nothing off a topic that is only compacted.
		config := map[string]*string{configCleanup: new("compact,delete")}
		if _, err := b.topics.adm.CreateTopic(t.Context(), 1, 1, config, b.cfg.Topic("Sag")); err != nil {
			t.Fatal(err)
		}
		b.ensure(t, "Sag")
		publish(t, b.publisher(t), changes("Sag", 1, 5)...)
		cutOff := kadm.Offsets{}
		cutOff.Add(kadm.Offset{Topic: b.cfg.Topic("Sag"), Partition: 0, At: 2})
		cut, err := b.topics.adm.DeleteRecords(t.Context(), cutOff)
		if err == nil {
			err = cut.Error()
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, at := range []int64{6, 100, 0, 1} {
			next, err := b.topics.ReadLog(t.Context(), "Sag", []int64{at}, never(t))
			var out *ErrOutOfRange
			if !errors.As(err, &out) {
				t.Fatalf("ReadLog from %d = %v, want ErrOutOfRange", at, err)
			}
			want := &ErrOutOfRange{Topic: b.cfg.Topic("Sag"), Offset: at, Start: 2, End: 5}
			if diff := cmp.Diff(want, out); diff != "" || next[0] != at {
				t.Errorf("ReadLog from %d goes on from %v (-want +got):\n%s", at, next, diff)
			}
		}
		if offsets, _ := b.read(t, []int64{-1}); !cmp.Equal(offsets, []int64{2, 3, 4}) {
			t.Errorf("from the start: %v, want what is left", offsets)
		}
	})
}

func never(t *testing.T) func([]*kgo.Record) error {
	return func(rs []*kgo.Record) error {
		t.Errorf("%d records were shown, want none", len(rs))
		return nil
	}
}

func TestReadLogNamesWhatStopsAnEntity(t *testing.T) {
	t.Parallel()
	b := onFake(t)
	if _, err := b.topics.ReadLog(t.Context(), "Sag", nil, never(t)); !errors.Is(err, ErrNoTopic) {
		t.Errorf("ReadLog of no topic = %v, want ErrNoTopic", err)
	}
	b.ensure(t, "Sag")
	if _, err := b.topics.ReadLog(t.Context(), "Sag", []int64{0, 0}, never(t)); !errors.Is(err, ErrPartitionsChanged) {
		t.Errorf("ReadLog of 3 partitions from 2 = %v, want ErrPartitionsChanged", err)
	}
}

// A transaction's last offset is its marker, which no reader is shown: an end
// without a record, as compaction leaves it too.
func TestReadLogPassesAnEndWithoutARecord(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *bench) {
		b.single(t)
		b.ensure(t, "Sag")
		b.transaction(t, "Sag:1", "Sag:2")
		b.awaitEnd(t, 3)
		offsets, next := b.read(t, nil)
		if diff := cmp.Diff([]int64{0, 1}, offsets); diff != "" || !cmp.Equal(next, []int64{3}) {
			t.Errorf("offsets (-want +got):\n%s goes on from %v, want 3", diff, next)
		}
		if offsets, next := b.read(t, []int64{2}); offsets != nil || !cmp.Equal(next, []int64{3}) {
			t.Errorf("from the marker: %v, goes on from %v, want nothing and 3", offsets, next)
		}
	})
}

// awaitEnd waits until the topic has an offset: Kafka confirms a transaction
// before its marker is written.
func (b *bench) awaitEnd(t *testing.T, end int64) {
	t.Helper()
	machine.Until(t, "the transaction's marker", func() bool {
		s, err := b.topics.State(t.Context(), "Sag")
		if err != nil {
			t.Fatal(err)
		}
		return s.End[0] >= end
	})
}

// transaction writes records of the keys in one transaction.
func (b *bench) transaction(t *testing.T, keys ...string) {
	t.Helper()
	cl, err := NewClient(b.cfg, b.log.logger(), kgo.TransactionalID(b.cfg.TopicPrefix), kgo.DefaultProduceTopic(b.cfg.Topic("Sag")))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	if err := cl.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	for _, key := range keys {
		if err := cl.ProduceSync(t.Context(), &kgo.Record{Key: []byte(key), Value: []byte("x")}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	if err := cl.EndTransaction(t.Context(), kgo.TryCommit); err != nil {
		t.Fatal(err)
	}
}

// compactNow makes a broker compact a topic as soon as it can.
func compactNow() map[string]*string {
	return map[string]*string{
		configCleanup: new("compact"), "segment.ms": new("100"), "segment.bytes": new("1048576"),
		"min.cleanable.dirty.ratio": new("0"), "max.compaction.lag.ms": new("100"), configTombstones: new("0"),
	}
}

// TestReadLogOverACompactedTopic reads past gaps, and past an end without records.
func TestReadLogOverACompactedTopic(t *testing.T) {
	t.Parallel()
	b := onFake(t, kfake.BrokerConfigs(map[string]string{"log.cleaner.backoff.ms": "100"}))
	b.single(t)
	if _, err := b.topics.adm.CreateTopic(t.Context(), 1, 1, compactNow(), b.cfg.Topic("Sag")); err != nil {
		t.Fatal(err)
	}
	b.ensure(t, "Sag")
	p := b.publisher(t)
	for seq := range int64(20) {
		publish(t, p, update("Sag", 1, 2*seq+1), update("Sag", 2, 2*seq+2))
	}
	publish(t, p, remove("Sag", 1, 100), remove("Sag", 2, 101))
	state, err := b.topics.State(t.Context(), "Sag")
	if err != nil {
		t.Fatal(err)
	}
	offsets := b.awaitCompaction(t)
	_, next := b.read(t, nil)
	if len(offsets) >= 44 || !cmp.Equal(next, state.End) {
		t.Errorf("%d records are left, goes on from %v, want fewer than 44 and the end %v", len(offsets), next, state.End)
	}
	if !slices.IsSorted(offsets) {
		t.Errorf("offsets %v are out of order", offsets)
	}
}

func (b *bench) awaitCompaction(t *testing.T) (offsets []int64) {
	t.Helper()
	wait := machine.Wait{For: "the topic to be compacted", Details: func() string { return fmt.Sprint("offsets ", offsets) }}
	wait.Until(t, func() bool {
		b.fake.Compact()
		offsets, _ = b.read(t, nil)
		return len(offsets) < 44
	})
	return offsets
}

// answerEmpty answers every fetch without records and with the high watermark hw.
func (b *bench) answerEmpty(hw int64, throttle func() int32) (asked *atomic.Int32) {
	asked = new(atomic.Int32)
	b.fake.ControlKey(int16(kmsg.Fetch), func(req kmsg.Request) (kmsg.Response, error, bool) {
		b.fake.KeepControl()
		asked.Add(1)
		fetch := req.(*kmsg.FetchRequest)
		resp := fetch.ResponseKind().(*kmsg.FetchResponse)
		resp.ThrottleMillis = throttle()
		topic := kmsg.NewFetchResponseTopic()
		topic.Topic, topic.TopicID = fetch.Topics[0].Topic, fetch.Topics[0].TopicID
		part := kmsg.NewFetchResponseTopicPartition()
		part.HighWatermark, part.LastStableOffset = hw, hw
		topic.Partitions = append(topic.Partitions, part)
		resp.Topics = append(resp.Topics, topic)
		return resp, nil, true
	})
	return asked
}

func TestReadLogPassesAnEndThatWasCompactedAway(t *testing.T) {
	t.Parallel()
	b := onFake(t)
	b.single(t)
	b.ensure(t, "Sag")
	publish(t, b.publisher(t), changes("Sag", 1, 5)...)
	b.answerEmpty(5, func() int32 { return 0 })
	if offsets, next := b.read(t, []int64{3}); offsets != nil || !cmp.Equal(next, []int64{5}) {
		t.Errorf("ReadLog shows %v and goes on from %v, want nothing and 5", offsets, next)
	}
}

func TestReadLogDoesNotTakeAThrottledAnswerForTheEnd(t *testing.T) {
	t.Parallel()
	b := onFake(t)
	b.single(t)
	b.ensure(t, "Sag")
	publish(t, b.publisher(t), changes("Sag", 1, 5)...)
	var asked *atomic.Int32
	throttled := int32(4)
	asked = b.answerEmpty(5, func() int32 {
		if asked.Load() > throttled {
			b.fake.DropControl() // from now on the broker answers itself
			return 1
		}
		return 1
	})
	if offsets, _ := b.read(t, nil); !cmp.Equal(offsets, []int64{0, 1, 2, 3, 4}) {
		t.Errorf("ReadLog shows %v, want all five", offsets)
	}
	if got := asked.Load(); got <= throttled {
		t.Errorf("%d answers were throttled, want %d: the test shows nothing", got, throttled+1)
	}
}

func TestReadLogContinuesWhereItsReaderFailed(t *testing.T) {
	t.Parallel()
	b := onFake(t)
	b.ensure(t, "Sag")
	p := b.publisher(t)
	publish(t, p, changes("Sag", 1, 100)...)
	full := errors.New("disk full")
	calls := 0
	next, err := b.topics.ReadLog(t.Context(), "Sag", nil, func(rs []*kgo.Record) error {
		if calls++; calls == 2 {
			return full
		}
		return nil
	})
	if !errors.Is(err, full) {
		t.Fatalf("ReadLog = %v, want the reader's error", err)
	}
	state, err := b.topics.State(t.Context(), "Sag")
	if err != nil {
		t.Fatal(err)
	}
	if want := []int64{state.End[0], 0, 0}; !cmp.Equal(next, want) {
		t.Errorf("goes on from %v, want %v: what its reader took, and no more", next, want)
	}
}

func TestReadLogStopsAtTheEndAsOfItsCall(t *testing.T) {
	t.Parallel()
	b := onFake(t)
	b.single(t)
	b.ensure(t, "Sag")
	p := b.publisher(t)
	publish(t, p, changes("Sag", 1, 5)...)
	// More is written between the request for the end and the first fetch.
	b.fake.ControlKey(int16(kmsg.Fetch), func(kmsg.Request) (kmsg.Response, error, bool) {
		b.fake.SleepControl(func() { publish(t, p, changes("Sag", 6, 9)...) })
		return nil, nil, false
	})
	if offsets, next := b.read(t, nil); !cmp.Equal(offsets, []int64{0, 1, 2, 3, 4}) || !cmp.Equal(next, []int64{5}) {
		t.Errorf("ReadLog shows %v and goes on from %v, want the first five", offsets, next)
	}
	if offsets, next := b.read(t, []int64{5}); len(offsets) != 4 || !cmp.Equal(next, []int64{9}) {
		t.Errorf("ReadLog shows %v and goes on from %v, want the other four", offsets, next)
	}
}

func TestReadLogReturnsTheBrokersError(t *testing.T) {
	t.Parallel()
	b := onFake(t)
	b.single(t)
	b.ensure(t, "Sag")
	publish(t, b.publisher(t), changes("Sag", 1, 5)...)
	b.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Err: kerr.NotLeaderForPartition})
	next, err := b.topics.ReadLog(t.Context(), "Sag", nil, never(t))
	if !errors.Is(err, kerr.NotLeaderForPartition) || !cmp.Equal(next, []int64{0}) {
		t.Errorf("ReadLog = %v, %v, want the broker's error and nothing read", next, err)
	}
}
