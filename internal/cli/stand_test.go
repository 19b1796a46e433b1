package cli

import (
	"log/slog"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/twmb/franz-go/pkg/kgo"

	"odastream/cache"
	"odastream/internal/test/pgtest"
	"odastream/stream"
)

// stand is a broker with topics and a database with the cache of a sink's group.
type stand struct {
	url    string
	kafka  stream.Config
	cl     *kgo.Client
	topics *stream.Topics
	pool   *pgxpool.Pool
	store  *cache.Store
}

func newStand(t testing.TB, kafka stream.Config, group string, entities ...string) stand {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	s := stand{url: pgtest.Migrated(t), kafka: kafka}
	cfg, err := cache.PoolConfig(s.url)
	if err != nil {
		t.Fatal(err)
	}
	if s.pool, err = pgxpool.NewWithConfig(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.pool.Close)
	s.store = cache.New(s.pool, group, cache.Config{GIN: "off"}, log)
	if s.cl, err = stream.NewClient(kafka, log); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.cl.Close)
	s.topics = stream.NewTopics(s.cl, kafka, log)
	if err := s.topics.Ensure(t.Context(), entities); err != nil {
		t.Fatal(err)
	}
	return s
}

// publisher is one to the stand's topics.
func (s stand) publisher(t testing.TB) *stream.Publisher {
	t.Helper()
	p, err := stream.NewPublisher(s.kafka, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// apply writes a batch as a sink would.
func (s stand) apply(t testing.TB, b cache.Batch) {
	t.Helper()
	if _, err := s.store.Apply(t.Context(), b); err != nil {
		t.Fatal(err)
	}
}

// value is what a query gives, as text.
func (s stand) value(t *testing.T, query string) string {
	t.Helper()
	var text string
	if err := s.pool.QueryRow(t.Context(), "SELECT COALESCE(("+query+")::text, '')").Scan(&text); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return text
}

func (s stand) exec(t *testing.T, sql string) {
	t.Helper()
	if _, err := s.pool.Exec(t.Context(), sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// holds fails unless a query gives what is wanted.
func (s stand) holds(t *testing.T, query, want string) {
	t.Helper()
	if diff := cmp.Diff(want, s.value(t, query)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", query, diff)
	}
}
