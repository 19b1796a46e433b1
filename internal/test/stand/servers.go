package stand

import (
	"net/http/httptest"
	"strings"
	"testing"

	"odastream/internal/test/kafkatest"
	"odastream/internal/test/pgtest"
	"odastream/odasim"
	"odastream/stream"
)

// Servers is a migrated database, a fake broker without topics, and a source with some
// rows of every entity.
type Servers struct {
	DatabaseURL string
	Kafka       stream.Config
	Sim         *odasim.Server
	SourceURL   string
}

// NewServers returns servers that end with the test.
func NewServers(t testing.TB) *Servers {
	t.Helper()
	s := &Servers{
		DatabaseURL: pgtest.Migrated(t),
		Kafka:       stream.Config{Brokers: kafkatest.Fake(t), TopicPrefix: kafkatest.Prefix(t), Partitions: 3},
		Sim:         odasim.New(odasim.Options{}),
	}
	s.Sim.Generate(3, 0.05)
	source := httptest.NewServer(s.Sim)
	t.Cleanup(source.Close)
	s.SourceURL = source.URL + odasim.Root
	return s
}

// Environ returns the daemons' variables for the servers, and more.
func (s *Servers) Environ(more ...string) []string {
	return append([]string{
		"ODA_URL=" + s.SourceURL, "ODA_RATE=0", "DATABASE_URL=" + s.DatabaseURL,
		"KAFKA_BROKERS=" + strings.Join(s.Kafka.Brokers, ","), "KAFKA_TOPIC_PREFIX=" + s.Kafka.TopicPrefix,
	}, more...)
}
