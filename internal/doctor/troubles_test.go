package doctor_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"

	"odastream/internal/doctor"
	"odastream/internal/test/kafkatest"
	"odastream/internal/test/pgtest"
	"odastream/internal/test/stand"
	"odastream/oda"
	"odastream/odasim"
)

// injected is a trouble that a test makes in healthy servers.
type injected struct {
	make func(t *testing.T, s *stand.Servers, cfg *doctor.Config)
	want map[string]string // by the trouble's name, what its line says
}

// Each trouble is named, none is found that is not there, and on healthy servers none.
func TestDoctorNamesEachTrouble(t *testing.T) {
	t.Parallel()
	all := map[string]injected{
		"none, on servers that are new":        {func(*testing.T, *stand.Servers, *doctor.Config) {}, nil},
		"none, behind a poller and a sink":     {follow, nil},
		"none, while a poller rests for hours": {within(`UPDATE poller_watermarks SET updated_at = now() - interval '20 hours'`), nil},
	}
	for _, more := range []map[string]injected{refusedSessions(), databaseTroubles(), kafkaTroubles(), topicTroubles(), programTroubles(), sourceTroubles()} {
		maps.Copy(all, more)
	}
	for claim, tt := range all {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			s := stand.NewServers(t)
			cfg := configOf(s)
			tt.make(t, s, &cfg)
			found := look(t, cfg)
			got := troubles(t, found)
			if diff := cmp.Diff(slices.Sorted(maps.Keys(tt.want)), slices.Sorted(maps.Keys(got))); diff != "" {
				t.Errorf("troubles (-want +got):\n%s\n%+v", diff, found)
			}
			for name, says := range tt.want {
				if !strings.Contains(got[name], says) {
					t.Errorf("%s is %q, want it to say %q", name, got[name], says)
				}
			}
			if strings.Contains(found["postgres reachable"].Seen, "secret") {
				t.Errorf("the password is shown: %+v", found["postgres reachable"])
			}
		})
	}
}

// troubles returns what the lines of the findings say that are trouble, by name.
func troubles(t *testing.T, found map[string]oda.Finding) map[string]string {
	t.Helper()
	out := map[string]string{}
	for name, l := range found {
		if l.Seen == "" || l.Means == "" {
			t.Errorf("%s does not say what was seen and what it means: %+v", name, l)
		}
		if l.Verdict != oda.VerdictTrouble {
			continue
		}
		out[name] = l.Seen + ": " + l.Means + ": " + l.Remedy
		if l.Remedy == "" {
			t.Errorf("%s is trouble and does not say what to do: %+v", name, l)
		}
	}
	return out
}

func refusedSessions() map[string]injected {
	on := func(address string) func(*testing.T, *stand.Servers, *doctor.Config) {
		return func(_ *testing.T, _ *stand.Servers, cfg *doctor.Config) { cfg.DatabaseURL = address }
	}
	return map[string]injected{
		"no database is named": {on(""), map[string]string{"postgres settings": "DATABASE_URL is not set"}},
		"no Postgres":          {on("postgres://u:secret@127.0.0.1:1/x"), map[string]string{"postgres reachable": "start Postgres"}},
		"no such database": {func(t *testing.T, s *stand.Servers, cfg *doctor.Config) {
			cfg.DatabaseURL = database(t, s.DatabaseURL, "none")
		}, map[string]string{"postgres database": "create it"}},
		"no such user": {func(t *testing.T, s *stand.Servers, cfg *doctor.Config) {
			cfg.DatabaseURL = user(t, s.DatabaseURL, "nobody_here")
		}, map[string]string{"postgres login": "correct user and password"}},
		"a database that cannot store every text": {func(t *testing.T, _ *stand.Servers, cfg *doctor.Config) {
			cfg.DatabaseURL = pgtest.Latin1(t)
		}, map[string]string{"postgres encoding": "LATIN1"}},
		"no session is left for the user": {func(t *testing.T, s *stand.Servers, cfg *doctor.Config) {
			cfg.DatabaseURL = role(t, s.DatabaseURL, "CONNECTION LIMIT 0")
		}, map[string]string{"postgres connections": "too many connections"}},
		"a pooler that shares sessions": {func(t *testing.T, s *stand.Servers, cfg *doctor.Config) {
			cfg.DatabaseURL = pgtest.Pooler(t, s.DatabaseURL, "transaction")
		}, map[string]string{"postgres pooler": "pool_mode = session"}},
		"none, behind a pooler that does not": {func(t *testing.T, s *stand.Servers, cfg *doctor.Config) {
			cfg.DatabaseURL = pgtest.Pooler(t, s.DatabaseURL, "session")
		}, nil},
	}
}

func databaseTroubles() map[string]injected {
	return map[string]injected{
		"tables left to a person": {func(t *testing.T, _ *stand.Servers, cfg *doctor.Config) {
			cfg.DatabaseURL, cfg.Migrate = pgtest.Empty(t), false
		}, map[string]string{"postgres migrations": "run odastream migrate"}},
		"tables of a newer version": {
			within(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, true)`),
			map[string]string{"postgres migrations": "newer version"},
		},
		"a lease in the future": {
			within(`UPDATE poller_leases SET holder = 'a', expires_at = now() + interval '1 month'`),
			map[string]string{"postgres leases": "Sag"},
		},
		"a server that takes no writes": {func(t *testing.T, s *stand.Servers, _ *doctor.Config) {
			exec(t, s.DatabaseURL, "ALTER DATABASE "+name(t, s.DatabaseURL)+" SET default_transaction_read_only = on")
		}, map[string]string{"postgres writable": "default_transaction_read_only"}},
		"a user without a right": {func(t *testing.T, s *stand.Servers, cfg *doctor.Config) {
			cfg.DatabaseURL = role(t, s.DatabaseURL, "")
			grant(t, s.DatabaseURL, cfg.DatabaseURL, "GRANT ALL ON ALL TABLES IN SCHEMA public TO %s; REVOKE INSERT, UPDATE ON dead_letters FROM %[1]s")
		}, map[string]string{"postgres rights": "INSERT, UPDATE on dead_letters"}},
		"a user who cannot create": {func(t *testing.T, _ *stand.Servers, cfg *doctor.Config) {
			empty := pgtest.Empty(t)
			cfg.DatabaseURL = role(t, empty, "")
		}, map[string]string{"postgres rights": "CREATE in a schema of the search path"}},
		"few sessions are left for the user": {func(t *testing.T, s *stand.Servers, cfg *doctor.Config) {
			cfg.DatabaseURL = role(t, s.DatabaseURL, "CONNECTION LIMIT 5")
			exec(t, s.DatabaseURL, ownedBy(t, s.DatabaseURL, cfg.DatabaseURL))
		}, map[string]string{"postgres connections": "may have 5"}},
		"none, as the tables' owner": {func(t *testing.T, s *stand.Servers, cfg *doctor.Config) {
			cfg.DatabaseURL = role(t, s.DatabaseURL, "CONNECTION LIMIT 20")
			exec(t, s.DatabaseURL, ownedBy(t, s.DatabaseURL, cfg.DatabaseURL))
		}, nil},
	}
}

func kafkaTroubles() map[string]injected {
	return map[string]injected{
		"no Kafka": {func(_ *testing.T, _ *stand.Servers, cfg *doctor.Config) {
			cfg.Kafka.Brokers = []string{"127.0.0.1:1"}
		}, map[string]string{"kafka reachable": "start Kafka"}},
		"a broker's address does not resolve": {func(t *testing.T, _ *stand.Servers, cfg *doctor.Config) {
			cluster := kafkatest.Cluster(t)
			kafkatest.Advertise(cluster, 7, "kafka-7.invalid", 9092)
			cfg.Kafka.Brokers = cluster.ListenAddrs()
		}, map[string]string{"kafka brokers": "broker 7 at kafka-7.invalid:9092 does not answer"}},
		"a topic that loses rows by age": {func(t *testing.T, s *stand.Servers, _ *doctor.Config) {
			topic(t, s, "cleanup.policy", "delete")
		}, map[string]string{"kafka compaction": "cleanup.policy=delete"}},
	}
}

func topicTroubles() map[string]injected {
	return map[string]injected{
		"a topic was cut at its front": {func(t *testing.T, s *stand.Servers, cfg *doctor.Config) {
			follow(t, s, cfg)
			cut(t, s, "Sag")
		}, map[string]string{"programs topics": "the poller fills such a topic again"}},
		"a topic was deleted": {func(t *testing.T, s *stand.Servers, cfg *doctor.Config) {
			follow(t, s, cfg)
			remove(t, s, "Sag")
		}, map[string]string{"programs topics": "it was deleted"}},
		"a topic was recreated": {func(t *testing.T, s *stand.Servers, cfg *doctor.Config) {
			follow(t, s, cfg)
			remove(t, s, "Sag")
			if _, err := kadm.NewClient(client(t, s)).CreateTopic(t.Context(), 3, 1, map[string]*string{"cleanup.policy": new("compact")}, s.Kafka.Topic("Sag")); err != nil {
				t.Fatal(err)
			}
		}, map[string]string{"programs topics": "it was recreated"}},
		"a topic got more partitions": {func(t *testing.T, s *stand.Servers, cfg *doctor.Config) {
			follow(t, s, cfg)
			if _, err := kadm.NewClient(client(t, s)).CreatePartitions(t.Context(), 1, s.Kafka.Topic("Sag")); err != nil {
				t.Fatal(err)
			}
		}, map[string]string{"programs spread": "has 4, its keys were spread over 3"}},
		"no sink applies what is old": {func(t *testing.T, s *stand.Servers, cfg *doctor.Config) {
			record(t, s, time.Now().Add(-time.Hour))
			follow(t, s, cfg)
			exec(t, s.DatabaseURL, `UPDATE sink_offsets SET next_offset = 0, updated_at = now() - interval '1 hour'`)
		}, map[string]string{"programs sink": "1 records wait"}},
		"the sink's offset is past its topic": {
			within(`UPDATE sink_offsets SET next_offset = 1000000 WHERE partition = 1`),
			map[string]string{"programs offsets": "/1 at 1000000"},
		},
		"the sink's offset was stored in the future": {
			within(`UPDATE sink_offsets SET updated_at = now() + interval '1 day'`),
			map[string]string{"programs offsets": "stored in the future"},
		},
	}
}

func programTroubles() map[string]injected {
	return map[string]injected{
		"a watermark in the future": {
			within(`UPDATE poller_watermarks SET watermark = now() + interval '1 month'`),
			map[string]string{"programs watermarks": "in the future: Sag at "},
		},
		"no poller for days": {
			within(`UPDATE poller_watermarks SET updated_at = now() - interval '2 days'`),
			map[string]string{"programs poller": "start the poller"},
		},
		"a poller that gets no further": {
			within(`UPDATE poller_watermarks SET updated_at = now() - interval '2 hours'; UPDATE poller_leases SET holder = 'a', expires_at = now() + interval '5 minutes'`),
			map[string]string{"programs poller": "gets no further"},
		},
		"deletes that are held back": {
			within(`INSERT INTO poller_vanished (entity_type, entity_id, scan_id) VALUES ('Sag', 1, 1), ('Sag', 2, 1)`),
			map[string]string{"programs deletes": "2 rows of Sag"},
		},
		"dead letters": {
			within(`INSERT INTO dead_letters (topic, partition, "offset", class, error, failed_at) VALUES ('parliament-sag', 0, 1, 'data', 'refused', now())`),
			map[string]string{"programs dead-letters": "1 of parliament-sag"},
		},
	}
}

func sourceTroubles() map[string]injected {
	faulty := func(f odasim.Faults) func(*testing.T, *stand.Servers, *doctor.Config) {
		return func(_ *testing.T, s *stand.Servers, cfg *doctor.Config) {
			s.Sim.SetFaults(f)
			cfg.Entities = []string{"Sag"}
		}
	}
	return map[string]injected{
		"filters ignored": {func(_ *testing.T, s *stand.Servers, _ *doctor.Config) {
			s.Sim.SetFaults(odasim.Faults{UnfilteredRate: 1})
		}, map[string]string{"source filter-by-id": "", "source filter-by-stamp": "", "source stamp-comparison": "", "source null-stamps": ""}},
		"a source that refuses": {
			faulty(odasim.Faults{ErrorRate: 1, ErrorStatus: 403}),
			map[string]string{"source metadata": "ODA_CONTACT", "source page-cap": "ODA_CONTACT"},
		},
		"a source that answers no OData": {
			faulty(odasim.Faults{HTMLRate: 1}),
			map[string]string{"source metadata": "check what answers at ODA_URL", "source page-cap": "check what answers at ODA_URL"},
		},
		"no source": {func(_ *testing.T, _ *stand.Servers, cfg *doctor.Config) {
			cfg.Source.URL = "http://127.0.0.1:1/api"
		}, map[string]string{"source reachable": "ODA_URL is right"}},
		"a source that redirects": {func(t *testing.T, _ *stand.Servers, cfg *doctor.Config) {
			cfg.Source.URL = redirecting(t)
		}, map[string]string{"source reachable": "redirect"}},
		"a clock a day off": {func(_ *testing.T, s *stand.Servers, _ *doctor.Config) {
			s.Sim.Advance(24 * time.Hour)
		}, map[string]string{"source clock": "set this machine's clock"}},
	}
}
