package doctor_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"odastream/apply"
	"odastream/cache"
	"odastream/capture"
	"odastream/internal/doctor"
	"odastream/internal/test/machine"
	"odastream/internal/test/pgtest"
	"odastream/internal/test/stand"
	"odastream/internal/wiring"
	"odastream/oda"
	"odastream/schema"
	"odastream/stream"
)

// follow runs a poller and a sink of Sag once.
func follow(t *testing.T, s *stand.Servers, cfg *doctor.Config) {
	t.Helper()
	sag, err := schema.Lookup("Sag")
	if err != nil {
		t.Fatal(err)
	}
	poller, err := wiring.OpenPoller(t.Context(), wiring.PollerConfig{
		DatabaseURL: s.DatabaseURL, Migrate: true, Kafka: s.Kafka, Entities: []schema.Entity{sag},
		Source:  oda.Config{URL: s.SourceURL, Concurrency: 4, Timeout: machine.AtLeast(20 * time.Second)},
		Capture: capture.Config{Interval: time.Second, IntervalMax: time.Second, Overlap: time.Minute, Lease: machine.AtLeast(15 * time.Second)},
	}, discard(), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	defer poller.Close()
	if err := poller.Once(t.Context()); err != nil {
		t.Fatal(err)
	}
	sink, err := wiring.OpenSink(t.Context(), wiring.SinkConfig{
		DatabaseURL: s.DatabaseURL, Kafka: s.Kafka, Cache: cache.Config{GIN: "off"},
		Sink: apply.Config{Group: cfg.Group, BatchRows: 5000, BatchBytes: 16 << 20, Linger: 20 * time.Millisecond},
	}, discard(), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	defer sink.Close()
	if err := sink.Once(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// within changes the tables behind a poller and a sink.
func within(sql string) func(*testing.T, *stand.Servers, *doctor.Config) {
	return func(t *testing.T, s *stand.Servers, cfg *doctor.Config) {
		follow(t, s, cfg)
		exec(t, s.DatabaseURL, sql)
	}
}

func exec(t *testing.T, address, sql string) {
	t.Helper()
	pgtest.Exec(t, address, sql)
}

// name returns the name of the address's database.
func name(t *testing.T, address string) string {
	t.Helper()
	return pgtest.Value(t, address, "SELECT current_database()::text")
}

// user returns the address for another user, and database that of another database.
func user(t *testing.T, address, name string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	query := u.Query()
	query.Set("user", name)
	u.User, u.RawQuery = nil, query.Encode()
	return u.String()
}

func database(t *testing.T, address, name string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + name
	return u.String()
}

// role makes a user who may do nothing, with options of CREATE ROLE, and returns the
// address of the database for it. Who ends with the test.
func role(t *testing.T, address, options string) string {
	t.Helper()
	name := "test_" + strings.ToLower(rand.Text()[:12])
	exec(t, address, "CREATE ROLE "+name+" LOGIN "+options)
	t.Cleanup(func() {
		conn, err := pgx.Connect(context.Background(), address)
		if err != nil {
			t.Errorf("drop role: %v", err)
			return
		}
		defer func() { _ = conn.Close(context.Background()) }()
		if _, err := conn.Exec(context.Background(), "REASSIGN OWNED BY "+name+" TO CURRENT_USER; DROP OWNED BY "+name+" CASCADE; DROP ROLE "+name); err != nil {
			t.Errorf("drop role: %v", err)
		}
	})
	return user(t, address, name)
}

// userOf returns the user of an address that role returned.
func userOf(t *testing.T, address string) string {
	t.Helper()
	cfg, err := pgx.ParseConfig(address)
	if err != nil {
		t.Fatal(err)
	}
	return cfg.User
}

// grant runs sql, with the user of to for %s.
func grant(t *testing.T, address, to, sql string) {
	t.Helper()
	exec(t, address, fmt.Sprintf(sql, userOf(t, to)))
}

// ownedBy is SQL that makes the user of to the owner of the database and all that is in
// it.
func ownedBy(t *testing.T, address, to string) string {
	t.Helper()
	owner := userOf(t, to)
	return fmt.Sprintf(`ALTER DATABASE %s OWNER TO %s; ALTER SCHEMA public OWNER TO %[2]s; ALTER SCHEMA parliament OWNER TO %[2]s;
DO $$ DECLARE t regclass; BEGIN
    FOR t IN SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') LOOP
        EXECUTE format('ALTER TABLE %%s OWNER TO %[2]s', t);
    END LOOP;
END $$`, name(t, address), owner)
}

// cut removes the records of an entity's topic, as a cleanup.policy of delete does.
func cut(t *testing.T, s *stand.Servers, entity string) {
	t.Helper()
	admin, topic := kadm.NewClient(client(t, s)), s.Kafka.Topic(entity)
	policy := func(value string) {
		if _, err := admin.AlterTopicConfigs(t.Context(), []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "cleanup.policy", Value: &value}}, topic); err != nil {
			t.Fatal(err)
		}
	}
	policy("delete")
	offsets := kadm.Offsets{}
	for partition := range int32(3) {
		offsets.Add(kadm.Offset{Topic: topic, Partition: partition, At: -1})
	}
	done, err := admin.DeleteRecords(t.Context(), offsets)
	if err == nil {
		err = done.Error()
	}
	if err != nil {
		t.Fatal(err)
	}
	policy("compact")
}

// remove deletes the topic of an entity.
func remove(t *testing.T, s *stand.Servers, entity string) {
	t.Helper()
	if _, err := kadm.NewClient(client(t, s)).DeleteTopic(t.Context(), s.Kafka.Topic(entity)); err != nil {
		t.Fatal(err)
	}
}

// record writes a change of this time to the topic of Sag, which it creates.
func record(t *testing.T, s *stand.Servers, at time.Time) (partition int32) {
	t.Helper()
	cl := client(t, s)
	if err := stream.NewTopics(cl, s.Kafka, discard()).Ensure(t.Context(), []string{"Sag"}); err != nil {
		t.Fatal(err)
	}
	c := stand.ChangeOf(1, at.UnixMicro(), `{"id":1,"titel":"gammel"}`)
	rec := &kgo.Record{
		Topic: s.Kafka.Topic("Sag"), Key: []byte(schema.Key("Sag", 1)), Value: c.AppendJSON(nil), Timestamp: at,
		Headers: []kgo.RecordHeader{{Key: "ce_id", Value: []byte(c.EventID())}},
	}
	if err := cl.ProduceSync(t.Context(), rec).FirstErr(); err != nil {
		t.Fatal(err)
	}
	return rec.Partition
}

// redirecting returns the address of a source that has moved to another host.
func redirecting(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.RedirectHandler("http://elsewhere.invalid/api", http.StatusMovedPermanently))
	t.Cleanup(server.Close)
	return server.URL + "/api"
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
