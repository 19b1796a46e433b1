package doctor_test

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"odastream/internal/doctor"
	"odastream/internal/test/kafkatest"
	"odastream/internal/test/stand"
	"odastream/oda"
	"odastream/schema"
	"odastream/stream"
)

// configOf returns a Config of servers for all entities.
func configOf(s *stand.Servers) doctor.Config {
	cfg := doctor.Config{
		DatabaseURL: s.DatabaseURL, Migrate: true, Kafka: s.Kafka, Group: s.Kafka.TopicPrefix + "sink", IntervalMax: 5 * time.Minute,
		Source: oda.Config{URL: s.SourceURL},
	}
	for _, e := range schema.Entities() {
		if !e.Subset {
			cfg.Entities = append(cfg.Entities, e.Name)
		}
	}
	return cfg
}

// look returns the findings of all parts, by part and name.
func look(t *testing.T, cfg doctor.Config) map[string]oda.Finding {
	t.Helper()
	found := map[string]oda.Finding{}
	for _, p := range doctor.Parts(cfg) {
		for _, f := range p.Look(t.Context(), discard()) {
			found[p.Name+" "+f.Name] = f
		}
	}
	return found
}

func client(t *testing.T, s *stand.Servers) *kgo.Client {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(s.Kafka.Brokers...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}

func TestDoctorJudgesTopicsByTheContract(t *testing.T) {
	t.Parallel()
	s := stand.NewServers(t)
	if err := stream.NewTopics(client(t, s), s.Kafka, discard()).Ensure(t.Context(), []string{"Sag"}); err != nil {
		t.Fatal(err)
	}
	want := []string{"kafka topics", "kafka leaders", "kafka compaction", "kafka tombstones", "kafka partitions", "kafka dead-letters"}
	cfg := configOf(s)
	cfg.Entities = []string{"Sag"}
	found := look(t, cfg)
	for _, name := range want {
		if found[name].Verdict != oda.VerdictOK {
			t.Errorf("%s of topics that the poller made is %+v, want ok", name, found[name])
		}
	}
	for claim, tt := range map[string]struct{ setting, value, finding, seen string }{
		"short memory":       {"delete.retention.ms", "1000", "kafka tombstones", "keeps tombstones for 1s"},
		"another number":     {"delete.retention.ms", "2592000000", "kafka partitions", "has 5, KAFKA_PARTITIONS is 3"},
		"narrow dead letter": {"max.message.bytes", "2000000", "kafka dead-letters", "has dead letters with max.message.bytes=1048588"},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			s := stand.NewServers(t)
			topic(t, s, tt.setting, tt.value)
			dead := map[string]*string{"cleanup.policy": new("delete"), "max.message.bytes": new("1048588")}
			if _, err := kadm.NewClient(client(t, s)).CreateTopic(t.Context(), 3, 1, dead, s.Kafka.DeadLetterTopic("Sag")); err != nil {
				t.Fatal(err)
			}
			cfg := configOf(s)
			cfg.Entities = []string{"Sag"}
			if f := look(t, cfg)[tt.finding]; f.Verdict != oda.VerdictNote || !strings.Contains(f.Seen, tt.seen) {
				t.Errorf("%s is %+v, want a note of %q", tt.finding, f, tt.seen)
			}
		})
	}
}

func TestDoctorSaysWhichSettingsItMayNotRead(t *testing.T) {
	t.Parallel()
	s := stand.NewServers(t)
	cluster := kafkatest.Cluster(t)
	s.Kafka.Brokers = cluster.ListenAddrs()
	topic(t, s, "cleanup.policy", "delete")
	kafkatest.HideSettings(cluster)
	cfg := configOf(s)
	cfg.Entities = []string{"Sag"}
	if f := look(t, cfg)["kafka settings"]; f.Verdict != oda.VerdictNote || !strings.Contains(f.Seen, "those of 1 topics") {
		t.Errorf("settings %+v, want a note of one topic", f)
	}
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }
