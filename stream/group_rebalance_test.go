package stream_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"odastream/internal/test/kafkatest"
	"odastream/schema"
	"odastream/stream"
)

// slowStore answers once it is released, with the offsets as of the call.
type slowStore struct {
	*offsetsInMemory
	asked   chan struct{} // gets one for each call of positions
	release chan struct{}
}

func newSlowStore(o *offsetsInMemory) slowStore {
	return slowStore{offsetsInMemory: o, asked: make(chan struct{}, 100), release: make(chan struct{})}
}

func (s slowStore) positions(ctx context.Context) (map[schema.TopicPartition]schema.Position, error) {
	stored, err := s.offsetsInMemory.positions(ctx)
	s.asked <- struct{}{}
	select {
	case <-s.release:
		return stored, err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// member joins with heartbeats so close to each other that a rebalance takes no
// time, nor does a partition that joins the others in a fetch.
func (b bench) member(positions func(context.Context) (map[schema.TopicPartition]schema.Position, error), o *offsetsInMemory) *stream.GroupConsumer {
	b.t.Helper()
	cc := b.config(o)
	cc.Positions = positions
	c, err := stream.NewGroupConsumer(b.cfg, cc, slog.New(slog.DiscardHandler), nil,
		kgo.HeartbeatInterval(50*time.Millisecond), kgo.FetchMaxWait(100*time.Millisecond))
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(c.Close)
	return c
}

// joined polls until the consumer is in its group: then every other member has
// taken part in the rebalance.
func (b bench) joined(c *stream.GroupConsumer) {
	b.t.Helper()
	for {
		if _, err := c.Poll(b.t.Context(), 1, 10*time.Millisecond); err != nil {
			b.t.Fatalf("Poll of a member that has no partition: %v", err)
		}
		if _, trouble := c.State(); trouble == "" {
			return
		}
	}
}

func TestRebalancesDoNotRestartALookUp(t *testing.T) {
	t.Parallel()
	b, o := newBench(t, kafkatest.Fake(t)), &offsetsInMemory{}
	topic := b.topic("sag", 1)
	b.produce(topic, 0, 3)
	slow := newSlowStore(o)
	first := b.member(slow.positions, o)
	<-slow.asked
	for range 4 {
		other := b.member(o.positions, o)
		b.joined(other)
		other.Close()
	}
	close(slow.release)
	if diff := cmp.Diff(map[string][]int64{topic + "/0": {0, 1, 2}}, b.read(first, o, total(3))); diff != "" {
		t.Errorf("offsets read (-want +got):\n%s", diff)
	}
	if again := len(slow.asked); again > 0 {
		t.Errorf("the store was asked %d times more, want one look-up for the partition", again)
	}
}

// Invariant 2: the offset that was found before the other member is behind what
// that member has applied.
func TestAPartitionThatComesBackIsLookedUpAgain(t *testing.T) {
	t.Parallel()
	b, o := newBench(t, kafkatest.Fake(t)), &offsetsInMemory{}
	topic := b.topic("sag", 2)
	b.produce(topic, 0, 3)
	b.produce(topic, 1, 3)
	slow := newSlowStore(o)
	first := b.member(slow.positions, o)
	<-slow.asked
	other := b.member(o.positions, o)
	taken := b.read(other, o, total(3))
	if len(taken) != 1 {
		t.Fatalf("the other member has read %v, want one partition", taken)
	}
	other.Close()
	close(slow.release)
	want := map[string][]int64{topic + "/0": {0, 1, 2}, topic + "/1": {0, 1, 2}}
	for p := range int32(2) {
		tp := schema.TopicPartition{Topic: topic, Partition: p}.String()
		if taken[tp] != nil {
			want[tp] = []int64{3, 4}
			b.produce(topic, p, 2)
		}
	}
	if diff := cmp.Diff(want, b.read(first, o, total(5))); diff != "" {
		t.Errorf("offsets read once the partition came back (-want +got):\n%s", diff)
	}
}
