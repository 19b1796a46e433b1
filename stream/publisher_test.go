package stream

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odastream/internal/test/machine"
	"odastream/schema"
)

// keys lists records as "key=ce_id", a tombstone with a † at its end.
func keys(records []*kgo.Record) []string {
	var out []string
	for _, r := range records {
		id, _ := header(r, headerID)
		if r.Value == nil {
			id += "†"
		}
		out = append(out, id)
	}
	return out
}

func TestPublishedChangesAreOnTheTopic(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *bench) {
		b.single(t)
		b.ensure(t, "Sag")
		p := b.publisher(t)
		acks := publish(t, p, update("Sag", 1, 1), remove("Sag", 2, 2), update("Sag", 1, 3), update("Sag", 2, 4))

		records := b.records(t, "Sag")
		// Rounds: the keys' first records, then their second, then their third.
		want := []string{"Sag:1:1", "Sag:2:2", "Sag:2:2†", "Sag:1:3", "Sag:2:4"}
		if diff := cmp.Diff(want, keys(records)); diff != "" {
			t.Errorf("topic (-want +got):\n%s", diff)
		}
		// Acks stand in the order of the changes: 1:1, 2:2, its tombstone, 1:3, 2:4.
		wantAcks := []Ack{{0, 0}, {0, 1}, {0, 2}, {0, 3}, {0, 4}}
		if diff := cmp.Diff(wantAcks, acks); diff != "" {
			t.Errorf("acks (-want +got):\n%s", diff)
		}
		if got, want := records[0].Headers, newEncoder(b.cfg).records(update("Sag", 1, 1))[0].Headers; !cmp.Equal(want, got) {
			t.Errorf("headers on the topic (-want +got):\n%s", cmp.Diff(want, got))
		}
	})
}

// TestPartitionIsThatOfAllKafkaClients checks murmur2 against Kafka's own test
// vectors, and the publisher against it.
func TestPartitionIsThatOfAllKafkaClients(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int32{"21": -973932308, "foobar": -790332482, "a-little-bit-long-string": -985981536} {
		if got := int32(murmur2([]byte(text))); got != want {
			t.Fatalf("the test's murmur2(%s) = %d, want %d", text, got, want)
		}
	}
	onBoth(t, func(t *testing.T, b *bench) {
		b.ensure(t, "Aktør")
		var changes []schema.Change
		for id := range int64(50) {
			changes = append(changes, update("Aktør", id, id+1))
		}
		for i, ack := range publish(t, b.publisher(t), changes...) {
			key := changes[i].Key()
			want := int32(murmur2([]byte(key))&0x7fffffff) % 3
			if ack.Partition != want {
				t.Errorf("%s went to partition %d, want %d", key, ack.Partition, want)
			}
			if got := PartitionOf(key, 3); got != want {
				t.Errorf("PartitionOf(%s, 3) = %d, want %d", key, got, want)
			}
		}
	})
}

// murmur2 is org.apache.kafka.common.utils.Utils.murmur2.
func murmur2(data []byte) uint32 {
	const m = 0x5bd1e995
	h := 0x9747b28c ^ uint32(len(data))
	for ; len(data) >= 4; data = data[4:] {
		k := binary.LittleEndian.Uint32(data) * m
		h = h*m ^ (k^k>>24)*m
	}
	for i, d := range slices.Backward(data) {
		h ^= uint32(d) << (8 * i)
		if i == 0 {
			h *= m
		}
	}
	h = (h ^ h>>13) * m
	return h ^ h>>15
}

// Invariant 1: a request to a broker that wrote but did not answer in time is retried,
// and the topic has each record once.
func TestARetriedPublishIsOnTheTopicOnce(t *testing.T) {
	t.Parallel()
	b := onFake(t)
	b.ensure(t, "Sag")
	written := b.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.RequestTimedOut, Count: 3})
	publish(t, b.publisher(t), update("Sag", 1, 1))
	if written.Hits() == 0 {
		t.Fatal("the fault did not come: the test shows nothing")
	}
	if got := keys(b.records(t, "Sag")); !cmp.Equal(got, []string{"Sag:1:1"}) {
		t.Errorf("topic has %v, want the record once", got)
	}
}

func TestAnErrorNeverLetsALaterRecordOfItsKeyPass(t *testing.T) {
	t.Parallel()
	for claim, changes := range map[string][]schema.Change{
		"an update after an update": {update("Sag", 1, 1), update("Sag", 1, 2), update("Sag", 1, 3)},
		"a tombstone after delete":  {remove("Sag", 1, 1)},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			b := onFake(t)
			b.ensure(t, "Sag")
			p := b.publisher(t)
			// The first produce request fails for good; the next ones would succeed.
			sent := make(chan uint32, 10)
			b.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Observe: true, Count: -1, When: func(req kmsg.Request) bool {
				sent <- recordsOf(req)
				return true
			}})
			b.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.InvalidRecord})
			acks, err := p.Publish(t.Context(), changes)
			if !errors.Is(err, kerr.InvalidRecord) || acks != nil {
				t.Fatalf("Publish = %v, %v, want the broker's error and no acks", acks, err)
			}
			if got := keys(b.records(t, "Sag")); got != nil {
				t.Errorf("topic has %v, want nothing", got)
			}
			if n := <-sent; n != 1 || len(sent) > 0 {
				t.Errorf("the first request had %d records of the key and %d requests followed, want one record and no more", n, len(sent))
			}
			publish(t, p, changes...) // and the publisher still works
		})
	}
}

// recordsOf counts the records of a produce request's first batch: four bytes at
// offset 57 of a record batch.
func recordsOf(req kmsg.Request) uint32 {
	return binary.BigEndian.Uint32(req.(*kmsg.ProduceRequest).Topics[0].Partitions[0].Records[57:])
}

func TestPublishReturnsWhenItsContextEnds(t *testing.T) {
	t.Parallel()
	b := onFake(t)
	b.ensure(t, "Sag")
	p := b.publisher(t)
	publish(t, p, update("Sag", 1, 1))
	asked, answer := make(chan struct{}, 100), make(chan struct{})
	b.fake.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		b.fake.KeepControl()
		asked <- struct{}{}
		b.fake.SleepControl(func() { <-answer })
		return nil, nil, false
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-asked; cancel() }() // in flight, and nobody answers
	begin := machine.Served()
	_, err := p.Publish(ctx, []schema.Change{update("Sag", 2, 2)})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Publish = %v, want that its context ended", err)
	}
	if took := machine.Served() - begin; took > DeliveryTimeout/2 {
		t.Errorf("Publish took %s after its context ended", took)
	}
	close(answer)
	b.fake.DropControl()
}

func TestPublishGivesUpOnASilentBroker(t *testing.T) {
	t.Parallel()
	b := onFake(t)
	b.ensure(t, "Sag")
	p := b.publisher(t)
	publish(t, p, update("Sag", 1, 1))
	answer := make(chan struct{})
	defer close(answer)
	b.fake.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		b.fake.KeepControl()
		b.fake.SleepControl(func() { <-answer })
		return nil, nil, false
	})
	begin := machine.Served()
	_, err := p.Publish(t.Context(), []schema.Change{update("Sag", 2, 2)})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Publish = %v, want that it gave up", err)
	}
	if took := machine.Served() - begin; took > DeliveryTimeout+time.Second {
		t.Errorf("Publish took %s, want at most DeliveryTimeout %s", took, DeliveryTimeout)
	}
}

func TestPublishNamesAMissingTopic(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *bench) {
		_, err := b.publisher(t).Publish(t.Context(), []schema.Change{update("Sag", 1, 1)})
		if !errors.Is(err, ErrNoTopic) || !strings.Contains(err.Error(), b.cfg.Topic("Sag")) {
			t.Errorf("Publish to no topic = %v, want ErrNoTopic and its name", err)
		}
	})
}

func TestDataLossIsReturned(t *testing.T) {
	t.Parallel()
	b := onFake(t)
	b.ensure(t, "Sag", "Stemme")
	p := b.publisher(t)
	publish(t, p, update("Sag", 1, 1))
	p.noteLoss(b.cfg.Topic("Sag"), 0)
	publish(t, p, update("Stemme", 1, 1)) // is of no concern
	if _, err := p.Publish(t.Context(), []schema.Change{update("Sag", 1, 2)}); !errors.Is(err, ErrDataLoss) {
		t.Errorf("Publish = %v, want ErrDataLoss", err)
	}
	publish(t, p, update("Sag", 1, 3)) // told once
}

func TestMetricsCountWhatWasPublished(t *testing.T) {
	t.Parallel()
	b := onFake(t)
	b.ensure(t, "Sag")
	reg := prometheus.NewRegistry()
	p, err := NewPublisher(b.cfg, b.log.logger(), reg)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	publish(t, p, update("Sag", 1, 1), update("Sag", 2, 2), remove("Sag", 1, 3))
	got := samples(t, reg)
	for series, want := range map[string]float64{
		"odastream_published_changes_total delete Sag": 1,
		"odastream_published_changes_total update Sag": 2,
	} {
		if got[series] != want {
			t.Errorf("%s = %v, want %v", series, got[series], want)
		}
	}
	if _, ok := got["odastream_kafka_produce_bytes_total publisher 0 "+b.cfg.Topic("Sag")]; !ok {
		t.Errorf("the client's own metrics are missing: %v", got)
	}
	if _, err := NewPublisher(b.cfg, b.log.logger(), nil); err != nil {
		t.Errorf("NewPublisher without a registry = %v", err)
	}
}

// samples gives the counters of a registry by name and label values.
func samples(t *testing.T, reg *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := f.GetName()
			for _, l := range m.GetLabel() {
				name += " " + l.GetValue()
			}
			out[name] = m.GetCounter().GetValue()
		}
	}
	return out
}

func TestEntitiesArePublishedConcurrently(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *bench) {
		b.ensure(t, "Sag", "Stemme", "Aktør")
		p := b.publisher(t)
		failed := make(chan error, 3)
		for _, entity := range []string{"Sag", "Stemme", "Aktør"} {
			go func() {
				var err error
				for page := range int64(5) {
					var changes []schema.Change
					for i := range int64(100) {
						changes = append(changes, update(entity, page*100+i, page*100+i+1))
					}
					if _, err = p.Publish(t.Context(), changes); err != nil {
						break
					}
				}
				failed <- err
			}()
		}
		for range 3 {
			if err := <-failed; err != nil {
				t.Fatal(err)
			}
		}
		for _, entity := range []string{"Sag", "Stemme", "Aktør"} {
			if got := len(b.records(t, entity)); got != 500 {
				t.Errorf("%s has %d records, want 500", entity, got)
			}
		}
	})
}

// setLimit changes a topic's max.message.bytes.
func (b *bench) setLimit(t *testing.T, topic string, limit int) {
	t.Helper()
	value := fmt.Sprint(limit)
	rs, err := b.topics.adm.AlterTopicConfigs(t.Context(), []kadm.AlterConfig{{Op: kadm.SetConfig, Name: configMaxMessage, Value: &value}}, topic)
	if err != nil || rs[0].Err != nil {
		t.Fatalf("set limit of %s: %v %v", topic, err, rs)
	}
}

// Invariant 4: many rounds, each just within its timeout, do not outlast the lease.
func TestManySlowRoundsEndWithinPublishTimeout(t *testing.T) {
	t.Parallel()
	b := onFake(t)
	b.ensure(t, "Sag")
	p := b.publisher(t)
	publish(t, p, update("Sag", 1, 1))
	b.fake.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		b.fake.KeepControl()
		b.fake.SleepControl(func() { <-time.After(DeliveryTimeout * 3 / 4) })
		return nil, nil, false
	})
	begin := machine.Served()
	_, err := p.Publish(t.Context(), []schema.Change{update("Sag", 1, 2), update("Sag", 1, 3), update("Sag", 1, 4), update("Sag", 1, 5)})
	if took := machine.Served() - begin; !errors.Is(err, context.DeadlineExceeded) || took > PublishTimeout+time.Second {
		t.Errorf("Publish = %v after %s, want that it gave up after %s", err, took, PublishTimeout)
	}
}
