package follow_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"odastream/internal/follow"
	"odastream/internal/test/kafkatest"
	"odastream/internal/test/machine"
	"odastream/schema"
	"odastream/stream"
)

func TestReaderReturnsWhatIsWrittenAfterOpen(t *testing.T) {
	t.Parallel()
	cfg, publish := topics(t, "Sag", "Aktør")
	publish("Sag", 1)
	r := open(t, cfg, follow.End)
	publish("Sag", 2)
	publish("Aktør", 3)
	want := map[string]bool{"Sag:2": true, "Aktør:3": true}
	for len(want) > 0 {
		for _, key := range next(t, r) {
			if !want[key] {
				t.Fatalf("read %s, which was there before or was read already", key)
			}
			delete(want, key)
		}
	}
}

func TestReaderFromStartReturnsEverything(t *testing.T) {
	t.Parallel()
	cfg, publish := topics(t, "Sag", "Aktør")
	publish("Sag", 1)
	publish("Aktør", 2)
	r := open(t, cfg, follow.Start)
	var got []string
	for len(got) < 2 {
		got = append(got, next(t, r)...)
	}
	if all := strings.Join(got, " "); !strings.Contains(all, "Sag:1") || !strings.Contains(all, "Aktør:2") {
		t.Errorf("read %s, want Sag:1 and Aktør:2", all)
	}
}

func TestMissingTopicIsNamed(t *testing.T) {
	t.Parallel()
	cfg, _ := topics(t, "Sag")
	_, err := follow.Open(t.Context(), cfg, []string{"Sag", "Møde"}, follow.End, quiet())
	if !errors.Is(err, stream.ErrNoTopic) || !strings.Contains(err.Error(), cfg.Topic("Møde")) {
		t.Errorf("Open of a missing topic = %v, want ErrNoTopic with its name", err)
	}
}

func TestUnreachableBrokerIsNamed(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, err := follow.Open(ctx, stream.Config{Brokers: []string{"127.0.0.1:1"}}, []string{"Sag"}, follow.End, quiet())
	if err == nil || !strings.Contains(err.Error(), "127.0.0.1:1") {
		t.Errorf("Open without a broker = %v, want its address", err)
	}
}

func TestNextEndsWithItsContext(t *testing.T) {
	t.Parallel()
	cfg, _ := topics(t, "Sag", "Aktør")
	r := open(t, cfg, follow.End)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Next(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Next of an ended context = %v, want context.Canceled", err)
	}
}

// topics creates topics on a fake broker, and returns a function that publishes a row.
func topics(t *testing.T, entities ...string) (stream.Config, func(entity string, id int64)) {
	t.Helper()
	cfg := stream.Config{Brokers: kafkatest.Fake(t), TopicPrefix: kafkatest.Prefix(t), Partitions: 3}
	cl, err := stream.NewClient(cfg, quiet())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	if err := stream.NewTopics(cl, cfg, quiet()).Ensure(t.Context(), entities); err != nil {
		t.Fatal(err)
	}
	p, err := stream.NewPublisher(cfg, quiet(), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return cfg, func(entity string, id int64) {
		t.Helper()
		change := schema.Change{
			Entity: entity, ID: id, Action: schema.Create, Seq: id, Timestamp: time.Now(),
			Origin: schema.OriginTail, Data: []byte(`{"id":1}`),
		}
		if _, err := p.Publish(t.Context(), []schema.Change{change}); err != nil {
			t.Fatal(err)
		}
	}
}

func open(t *testing.T, cfg stream.Config, from follow.From) *follow.Reader {
	t.Helper()
	r, err := follow.Open(t.Context(), cfg, []string{"Sag", "Aktør"}, from, quiet())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

func next(t *testing.T, r *follow.Reader) (keys []string) {
	t.Helper()
	ctx := machine.Context(t, "the next record")
	records, err := r.Next(ctx)
	if err != nil {
		t.Fatalf("Next: %v (%v)", err, context.Cause(ctx))
	}
	for _, rec := range records {
		keys = append(keys, string(rec.Key))
	}
	return keys
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }
