// Package stand provides a broker with topics and a database with the cache of a sink,
// for tests of code between the two.
//
// Invariant: no two stands share a database. The package knows nothing of the code under
// test.
package stand

import (
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/twmb/franz-go/pkg/kgo"

	"odastream/cache"
	"odastream/internal/test/kafkatest"
	"odastream/internal/test/pgtest"
	"odastream/schema"
	"odastream/stream"
)

// Stand is a broker with topics and a database with the cache of a sink's group.
type Stand struct {
	URL       string // of the database
	Group     string // of the sink
	Kafka     stream.Config
	Client    *kgo.Client
	Topics    *stream.Topics
	Publisher *stream.Publisher
	Pool      *pgxpool.Pool
	Store     *cache.Store
}

// Fake returns a stand on a fake broker, with the default names of topics and group.
// Each topic has one partition.
func Fake(t testing.TB, entities ...string) *Stand {
	t.Helper()
	kafka := stream.Config{Brokers: kafkatest.Fake(t), TopicPrefix: "parliament-", Partitions: 1}
	return New(t, kafka, "parliament-sink", entities...)
}

// New returns a stand with the topics of entities, which ends with the test.
func New(t testing.TB, kafka stream.Config, group string, entities ...string) *Stand {
	t.Helper()
	s := &Stand{URL: pgtest.Migrated(t), Group: group, Kafka: kafka}
	cfg, err := cache.PoolConfig(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	if s.Pool, err = pgxpool.NewWithConfig(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Pool.Close)
	s.Store = cache.New(s.Pool, group, cache.Config{GIN: "off"}, Quiet())
	if s.Client, err = stream.NewClient(kafka, Quiet()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Client.Close)
	s.Topics = stream.NewTopics(s.Client, kafka, Quiet())
	if err := s.Topics.Ensure(t.Context(), entities); err != nil {
		t.Fatal(err)
	}
	if s.Publisher, err = stream.NewPublisher(kafka, Quiet(), nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Publisher.Close)
	return s
}

// Quiet returns a logger that discards everything.
func Quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// Environ returns the daemons' variables for this stand.
func (s *Stand) Environ() []string {
	return []string{
		"DATABASE_URL=" + s.URL, "KAFKA_BROKERS=" + strings.Join(s.Kafka.Brokers, ","), "KAFKA_TOPIC_PREFIX=" + s.Kafka.TopicPrefix,
		"SINK_GROUP=" + s.Group,
	}
}

// publishAtOnce is how many changes are published in one call. A call must end within
// stream.PublishTimeout on a slow machine too; a poller's has a page of 100.
const publishAtOnce = 500

// Publish writes changes to their topics.
func (s *Stand) Publish(t testing.TB, changes ...schema.Change) {
	t.Helper()
	for some := range slices.Chunk(changes, publishAtOnce) {
		if _, err := s.Publisher.Publish(t.Context(), some); err != nil {
			t.Fatal(err)
		}
	}
}

// Apply writes a batch as a sink would.
func (s *Stand) Apply(t testing.TB, b cache.Batch) {
	t.Helper()
	if _, err := s.Store.Apply(t.Context(), b); err != nil {
		t.Fatal(err)
	}
}

// Value returns the result of a query as text.
func (s *Stand) Value(t testing.TB, query string) string {
	t.Helper()
	var text string
	if err := s.Pool.QueryRow(t.Context(), "SELECT COALESCE(("+query+")::text, '')").Scan(&text); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return text
}

// Exec runs a statement on the database.
func (s *Stand) Exec(t testing.TB, sql string) {
	t.Helper()
	if _, err := s.Pool.Exec(t.Context(), sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// Want fails the test unless a query returns the wanted value.
func (s *Stand) Want(t testing.TB, query, want string) {
	t.Helper()
	if diff := cmp.Diff(want, s.Value(t, query)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", query, diff)
	}
}

// Queries of the tables' content for Value and Holds.
const (
	Rows             = `SELECT string_agg(entity_id || ' ' || seq || ' ' || data::text, ', ' ORDER BY entity_id) FROM parliamentary_data`
	DeadLetterStates = `SELECT string_agg("offset" || ' ' || state, ', ' ORDER BY "offset") FROM dead_letters`
)

// ForbidBad makes Postgres refuse rows with a member "bad".
const ForbidBad = `ALTER TABLE parliamentary_data ADD CONSTRAINT no_bad CHECK (NOT data ? 'bad')`
