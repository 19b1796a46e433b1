package stream

import (
	"context"
	"errors"
	"math"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"odastream/internal/test/machine"
	"odastream/schema"
)

// configs reads settings of a topic as the broker has them.
func (b *bench) configs(t *testing.T, topic string, keys ...string) map[string]string {
	t.Helper()
	found, err := b.topics.adm.DescribeTopicConfigs(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	r, err := found.On(topic, nil)
	if err != nil || r.Err != nil {
		t.Fatalf("settings of %s: %v %v", topic, err, r.Err)
	}
	out := map[string]string{}
	for _, key := range keys {
		for _, c := range r.Configs {
			if c.Key == key {
				out[key] = c.MaybeValue()
			}
		}
	}
	return out
}

// Kafka's limit is an int32: dead letters cannot be larger than the largest record.
func TestTheLargestRecordLimitIsTaken(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *bench) {
		largest := strconv.Itoa(math.MaxInt32)
		_, err := b.topics.adm.CreateTopic(t.Context(), 3, -1, map[string]*string{configCleanup: new("compact"), configMaxMessage: &largest}, b.cfg.Topic("Sag"))
		if err != nil {
			t.Fatal(err)
		}
		b.ensure(t, "Sag")
		if got := b.configs(t, b.cfg.DeadLetterTopic("Sag"), configMaxMessage)[configMaxMessage]; got != largest {
			t.Errorf("limit of the dead letters = %s, want %s", got, largest)
		}
		b.ensure(t, "Sag") // the topics are there
		if text := b.log.String(); strings.Contains(text, "max_message_bytes") {
			t.Errorf("the largest limit is warned of:\n%s", text)
		}
		pub, err := NewPublisher(b.cfg, b.log.logger(), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer pub.Close()
		if _, err := pub.Publish(t.Context(), []schema.Change{{Entity: "Sag", ID: 1, Seq: 1, Action: schema.Create, Data: []byte(`{"id":1}`)}}); err != nil {
			t.Errorf("publish to such a topic: %v", err)
		}
	})
}

func TestNewTopicsHaveTheContractsSettings(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *bench) {
		b.ensure(t, "Sag", "Aktør")
		const days30 = "2592000000"
		for _, entity := range []string{"Sag", "Aktør"} {
			topic := b.configs(t, b.cfg.Topic(entity), configCleanup, configTombstones, configMaxMessage)
			limit, err := strconv.Atoi(topic[configMaxMessage])
			if err != nil {
				t.Fatal(err)
			}
			delete(topic, configMaxMessage)
			if diff := cmp.Diff(map[string]string{configCleanup: "compact", configTombstones: days30}, topic); diff != "" {
				t.Errorf("settings of %s (-want +got):\n%s", entity, diff)
			}
			dead := b.configs(t, b.cfg.DeadLetterTopic(entity), configCleanup, configRetention, configMaxMessage)
			want := map[string]string{configCleanup: "delete", configRetention: days30, configMaxMessage: strconv.Itoa(limit + 65536)}
			if diff := cmp.Diff(want, dead); diff != "" {
				t.Errorf("settings of the dead letters of %s (-want +got):\n%s", entity, diff)
			}
			state, err := b.topics.State(t.Context(), entity)
			if err != nil || state.Partitions() != 3 {
				t.Errorf("State(%s) = %v, %v, want 3 partitions", entity, state, err)
			}
		}
	})
}

func TestAnExistingTopicIsLeftAloneAndItsDifferencesAreLogged(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *bench) {
		old := map[string]*string{configCleanup: new("delete"), configMaxMessage: new("2000000")}
		forgetful := map[string]*string{configCleanup: new("compact"), configTombstones: new("1000")}
		dead := map[string]*string{configCleanup: new("compact")}
		for topic, config := range map[string]map[string]*string{
			b.cfg.Topic("Sag"): old, b.cfg.DeadLetterTopic("Sag"): dead, b.cfg.Topic("Stemme"): forgetful,
		} {
			if _, err := b.topics.adm.CreateTopic(t.Context(), 5, 1, config, topic); err != nil {
				t.Fatal(err)
			}
		}
		b.ensure(t, "Sag", "Stemme")
		got := b.configs(t, b.cfg.Topic("Sag"), configCleanup, configMaxMessage)
		if diff := cmp.Diff(map[string]string{configCleanup: "delete", configMaxMessage: "2000000"}, got); diff != "" {
			t.Errorf("settings afterwards (-want +got):\n%s", diff)
		}
		for _, want := range []string{
			"topic is not only compacted", "topic forgets deletes early", "topic has another number of partitions", "partitions=5 set=3",
			"dead-letter topic is compacted", "dead-letter topic has a low message limit",
		} {
			if !strings.Contains(b.log.String(), want) {
				t.Errorf("log has no %q:\n%s", want, b.log)
			}
		}
	})
}

func TestTopicsAsInTheContractLogNothing(t *testing.T) {
	t.Parallel()
	b := onFake(t)
	b.ensure(t, "Sag")
	b.ensure(t, "Sag")
	if strings.Contains(b.log.String(), "level=WARN") {
		t.Errorf("log complains:\n%s", b.log)
	}
}

func TestManyProcessesEnsureAtOnce(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *bench) {
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				if err := b.topics.Ensure(t.Context(), []string{"Sag", "Stemme"}); err != nil {
					t.Errorf("Ensure = %v", err)
				}
			})
		}
		wg.Wait()
	})
}

func TestATopicThatCannotBeCreatedIsNamed(t *testing.T) {
	t.Parallel()
	b := onFake(t)
	b.cfg.Replication = 3
	err := NewTopics(b.cl, b.cfg, b.log.logger()).Ensure(t.Context(), []string{"Sag"})
	if err == nil || !strings.Contains(err.Error(), "create topic "+b.cfg.Topic("Sag")) {
		t.Errorf("Ensure with 3 replicas on one broker = %v, want the topic's name in the error", err)
	}
}

func TestStateHasTheEndsAndTheTopicID(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *bench) {
		if _, err := b.topics.State(t.Context(), "Sag"); !errors.Is(err, ErrNoTopic) {
			t.Errorf("State before the topic is made = %v, want ErrNoTopic", err)
		}
		b.ensure(t, "Sag")
		p := b.publisher(t)
		acks := publish(t, p, update("Sag", 1, 1), update("Sag", 2, 2), update("Sag", 3, 3))
		before, err := b.topics.State(t.Context(), "Sag")
		if err != nil {
			t.Fatal(err)
		}
		want := make([]int64, 3)
		for _, a := range acks {
			want[a.Partition] = max(want[a.Partition], a.Offset+1)
		}
		if diff := cmp.Diff(want, before.End); diff != "" {
			t.Errorf("ends (-want +got):\n%s", diff)
		}
		b.recreate(t, "Sag")
		after, err := b.topics.State(t.Context(), "Sag")
		if err != nil || after.ID == before.ID || after.ID == ([16]byte{}) {
			t.Errorf("State of the topic made recreated = %v, %v, want another id than %v", after, err, before.ID)
		}
	})
}

// recreate deletes the topic of an entity, and creates it once that is seen: until then a
// broker may still tell of the deleted one.
func (b *bench) recreate(t *testing.T, entity string) {
	t.Helper()
	if _, err := b.topics.adm.DeleteTopic(t.Context(), b.cfg.Topic(entity)); err != nil {
		t.Fatal(err)
	}
	b.awaitNoTopic(t, entity)
	b.ensure(t, entity)
}

// awaitNoTopic waits until a deletion is seen.
func (b *bench) awaitNoTopic(t *testing.T, entity string) {
	t.Helper()
	machine.Until(t, "the end of the topic", func() bool {
		_, err := b.topics.State(t.Context(), entity)
		return errors.Is(err, ErrNoTopic)
	})
}

func TestPingSaysWhatToDo(t *testing.T) {
	t.Parallel()
	cfg := Config{Brokers: []string{"127.0.0.1:1"}}
	log := &logBuffer{}
	cl, err := NewClient(cfg, log.logger())
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	err = Ping(ctx, cl, cfg)
	if err == nil || !strings.Contains(err.Error(), "reach Kafka at 127.0.0.1:1") || !strings.Contains(err.Error(), "KAFKA_BROKERS") {
		t.Errorf("Ping of nobody = %v, want where and what to do", err)
	}
	if n := strings.Count(log.String(), "\n"); n > 3 {
		t.Errorf("the client complained %d times in a second:\n%s", n, log)
	}
}
