package wiring_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"odastream/apply"
	"odastream/cache"
	"odastream/capture"
	"odastream/internal/test/machine"
	"odastream/internal/test/pgtest"
	"odastream/internal/test/stand"
	"odastream/internal/wiring"
	"odastream/oda"
	"odastream/schema"
)

// openPoller opens a poller of Sag on a database.
func openPoller(t *testing.T, s *stand.Servers, database string) (*wiring.Poller, error) {
	t.Helper()
	sag, err := schema.Lookup("Sag")
	if err != nil {
		t.Fatal(err)
	}
	return wiring.OpenPoller(t.Context(), wiring.PollerConfig{
		DatabaseURL: database, Migrate: true, Kafka: s.Kafka, Entities: []schema.Entity{sag},
		Source:  oda.Config{URL: s.SourceURL, Concurrency: 4, Timeout: machine.AtLeast(20 * time.Second)},
		Capture: capture.Config{Interval: time.Second, IntervalMax: time.Second, Overlap: time.Minute, Lease: machine.AtLeast(15 * time.Second)},
	}, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
}

// openSink opens a sink on a database.
func openSink(ctx context.Context, s *stand.Servers, database string) (*wiring.Sink, error) {
	return wiring.OpenSink(ctx, wiring.SinkConfig{
		DatabaseURL: database, Migrate: true, Kafka: s.Kafka, Cache: cache.Config{GIN: "off"},
		Sink: apply.Config{Group: s.Kafka.TopicPrefix + "sink", BatchRows: 5000, BatchBytes: 16 << 20, Linger: 20 * time.Millisecond},
	}, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
}

func TestPollerAndSinkWorkBehindAPoolerInSessionMode(t *testing.T) {
	t.Parallel()
	s := stand.NewServers(t)
	pooler := pgtest.Pooler(t, pgtest.Empty(t), "session")
	poller, err := openPoller(t, s, pooler)
	if err != nil {
		t.Fatal(err)
	}
	defer poller.Close()
	if err := poller.Once(t.Context()); err != nil {
		t.Fatalf("poller --once: %v", err)
	}
	sink, err := openSink(t.Context(), s, pooler)
	if err != nil {
		t.Fatal(err)
	}
	defer sink.Close()
	if err := sink.Once(t.Context()); err != nil {
		t.Fatalf("sink --once: %v", err)
	}
	if got := pgtest.Value(t, pooler, "SELECT count(*)::text FROM parliamentary_data"); got == "0" {
		t.Error("no row arrived in the cache")
	}
}

func TestPollerAndSinkRefuseAPoolerThatSharesSessions(t *testing.T) {
	t.Parallel()
	s := stand.NewServers(t)
	pooler := pgtest.Pooler(t, s.DatabaseURL, "transaction")
	_, poller := openPoller(t, s, pooler)
	_, sink := openSink(t.Context(), s, pooler)
	for name, err := range map[string]error{"poller": poller, "sink": sink} {
		if err == nil || !strings.Contains(err.Error(), "set pool_mode = session") {
			t.Errorf("%s behind pgbouncer in transaction mode = %v, want what to set", name, err)
		}
	}
}
