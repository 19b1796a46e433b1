package doctor_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"odastream/internal/doctor"
	"odastream/internal/test/kafkatest"
	"odastream/internal/test/pgtest"
	"odastream/internal/test/stand"
	"odastream/oda"
	"odastream/odasim"
	"odastream/schema"
	"odastream/stream"
)

// configOf returns a Config of servers for all entities.
func configOf(s *stand.Servers) doctor.Config {
	cfg := doctor.Config{DatabaseURL: s.DatabaseURL, Migrate: true, Kafka: s.Kafka, Source: oda.Config{URL: s.SourceURL}}
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

// troubles returns the findings that are trouble.
func troubles(t *testing.T, found map[string]oda.Finding) map[string]bool {
	t.Helper()
	out := map[string]bool{}
	for name, l := range found {
		if l.Seen == "" || l.Means == "" {
			t.Errorf("%s does not say what was seen and what it means: %+v", name, l)
		}
		if l.Verdict == oda.VerdictTrouble {
			out[name] = true
			if l.Remedy == "" {
				t.Errorf("%s is trouble and does not say what to do: %+v", name, l)
			}
		}
	}
	return out
}

func TestDoctorNamesTroubleAndWhatToDo(t *testing.T) {
	t.Parallel()
	for claim, tt := range map[string]struct {
		arrange func(t *testing.T, s *stand.Servers, cfg *doctor.Config)
		want    []string
	}{
		"filters ignored": {func(_ *testing.T, s *stand.Servers, _ *doctor.Config) {
			s.Sim.SetFaults(odasim.Faults{UnfilteredRate: 1})
		}, []string{"source filter-by-id", "source filter-by-stamp", "source null-stamps"}},
		"no source": {func(_ *testing.T, s *stand.Servers, cfg *doctor.Config) {
			s.Sim.SetFaults(odasim.Faults{ErrorRate: 1, ErrorStatus: 403})
			cfg.Entities = []string{"Sag"}
		}, []string{"source metadata", "source page-cap"}},
		"no Postgres": {func(_ *testing.T, _ *stand.Servers, cfg *doctor.Config) {
			cfg.DatabaseURL = "postgres://u:secret@127.0.0.1:1/x"
		}, []string{"postgres reachable"}},
		"no database is named": {func(_ *testing.T, _ *stand.Servers, cfg *doctor.Config) { cfg.DatabaseURL = "" }, []string{"postgres settings"}},
		"a database that cannot store every text": {func(t *testing.T, _ *stand.Servers, cfg *doctor.Config) {
			cfg.DatabaseURL = pgtest.Latin1(t)
		}, []string{"postgres encoding"}},
		"tables left to a person": {func(t *testing.T, _ *stand.Servers, cfg *doctor.Config) {
			cfg.DatabaseURL, cfg.Migrate = pgtest.Empty(t), false
		}, []string{"postgres migrations"}},
		"tables of a newer version": {func(t *testing.T, s *stand.Servers, _ *doctor.Config) { newer(t, s.DatabaseURL) }, []string{"postgres migrations"}},
		"a lease in the future": {func(t *testing.T, s *stand.Servers, _ *doctor.Config) {
			exec(t, s.DatabaseURL, `INSERT INTO poller_leases (entity_type, epoch, holder, expires_at) VALUES ('Sag', 1, 'a', now() + interval '1 month')`)
		}, []string{"postgres leases"}},
		"no Kafka": {func(_ *testing.T, _ *stand.Servers, cfg *doctor.Config) {
			cfg.Kafka.Brokers = []string{"127.0.0.1:1"}
		}, []string{"kafka reachable"}},
		"a topic that loses rows by age": {func(t *testing.T, s *stand.Servers, _ *doctor.Config) {
			topic(t, s, "cleanup.policy", "delete")
		}, []string{"kafka compaction"}},
		"two clocks": {func(t *testing.T, s *stand.Servers, _ *doctor.Config) {
			s.Sim.SetNow(at(t, "2011-01-01T00:00:00Z"))
		}, []string{"source clock"}},
		"healthy, rather": {func(*testing.T, *stand.Servers, *doctor.Config) {}, nil},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			s := stand.NewServers(t)
			cfg := configOf(s)
			tt.arrange(t, s, &cfg)
			found := look(t, cfg)
			want := map[string]bool{}
			for _, name := range tt.want {
				want[name] = true
			}
			if diff := cmp.Diff(want, troubles(t, found)); diff != "" {
				t.Errorf("troubles (-want +got):\n%s\n%+v", diff, found)
			}
			if strings.Contains(found["postgres reachable"].Seen, "secret") {
				t.Errorf("the password is shown: %+v", found["postgres reachable"])
			}
		})
	}
}

// newer marks the database as migrated by a later version.
func newer(t *testing.T, url string) {
	t.Helper()
	exec(t, url, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, true)")
}

func exec(t *testing.T, url, sql string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}

// topic creates the topic of Sag with one setting, as if by hand.
func topic(t *testing.T, s *stand.Servers, setting, value string) {
	t.Helper()
	adm := kadm.NewClient(client(t, s))
	config := map[string]*string{"cleanup.policy": new("compact"), setting: &value}
	if _, err := adm.CreateTopic(t.Context(), 5, 1, config, s.Kafka.Topic("Sag")); err != nil {
		t.Fatal(err)
	}
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

func at(t *testing.T, text string) time.Time {
	t.Helper()
	when, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return when
}
