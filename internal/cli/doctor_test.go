package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odastream/internal/test/kafkatest"
	"odastream/internal/test/pgtest"
	"odastream/oda"
	"odastream/odasim"
	"odastream/stream"
)

// ward is what a doctor can look at.
type ward struct {
	sim      *odasim.Server
	source   string
	database string
	brokers  []string
	prefix   string
}

func newWard(t *testing.T, o odasim.Options) *ward {
	t.Helper()
	w := &ward{sim: odasim.New(o), database: pgtest.Migrated(t), brokers: kafkatest.Fake(t), prefix: kafkatest.Prefix(t)}
	w.sim.Generate(3, 0.05)
	server := httptest.NewServer(w.sim)
	t.Cleanup(server.Close)
	w.source = server.URL + odasim.Root
	return w
}

func (w *ward) environ(more ...string) []string {
	return append([]string{
		"ODA_URL=" + w.source, "ODA_RATE=0", "DATABASE_URL=" + w.database,
		"KAFKA_BROKERS=" + strings.Join(w.brokers, ","), "KAFKA_TOPIC_PREFIX=" + w.prefix,
	}, more...)
}

func (w *ward) kafka() stream.Config {
	return stream.Config{Brokers: w.brokers, TopicPrefix: w.prefix, Partitions: 3}
}

func (w *ward) client(t *testing.T) *kgo.Client {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(w.brokers...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}

// runDoctor runs the command and gives its exit status and output.
func runDoctor(t *testing.T, environ []string, args ...string) (int, string) {
	t.Helper()
	var out, errs bytes.Buffer
	status := Run(t.Context(), append([]string{"doctor"}, args...), environ, &out, &errs)
	return status, out.String() + errs.String()
}

// line is one of doctor --json.
type line struct {
	Part string
	oda.Finding
}

// lines runs doctor --json and gives its findings by part and name.
func lines(t *testing.T, environ []string, args ...string) (int, map[string]line) {
	t.Helper()
	status, out := runDoctor(t, environ, append(args, "--json")...)
	found := map[string]line{}
	for text := range strings.Lines(out) {
		var l line
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			t.Fatalf("line %q: %v", text, err)
		}
		found[l.Part+" "+l.Name] = l
	}
	return status, found
}

// troubles gives what is trouble.
func troubles(t *testing.T, found map[string]line) map[string]bool {
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

func TestDoctorFindsAHealthyWorldHealthy(t *testing.T) {
	t.Parallel()
	w := newWard(t, odasim.Options{})
	status, out := runDoctor(t, w.environ("ODA_ENTITIES=Sag,Stemme"))
	if status != 0 {
		t.Fatalf("doctor = %d:\n%s", status, out)
	}
	for _, want := range []string{
		"postgres postgres", "all are applied", "kafka 127.0.0.1", "4 of 4 are missing: " + w.prefix + "sag", "source http://127.0.0.1",
		"page-cap", "stamps are compared as ticks", " 0 trouble\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("output lacks %q:\n%s", want, out)
		}
	}
	if n := w.sim.Requests(); n > 12 {
		t.Errorf("%d requests to the source, want about ten", n)
	}
}

func TestDoctorFullAsksEverySet(t *testing.T) {
	t.Parallel()
	w := newWard(t, odasim.Options{})
	status, found := lines(t, w.environ(), "--full")
	if status != 0 || !strings.Contains(found["source filter-by-stamp"].Seen, "sets asked: 45") {
		t.Errorf("doctor --full = %d, %+v, want 0 and 45 sets asked", status, found["source filter-by-stamp"])
	}
	if n := w.sim.Requests(); n < 3*45 {
		t.Errorf("%d requests, want three for each set", n)
	}
}

func TestDoctorNamesTroubleAndWhatToDo(t *testing.T) {
	t.Parallel()
	for claim, tt := range map[string]struct {
		arrange func(t *testing.T, w *ward) (more []string)
		want    []string
	}{
		"filters ignored": {func(_ *testing.T, w *ward) []string {
			w.sim.SetFaults(odasim.Faults{UnfilteredRate: 1})
			return nil
		}, []string{"source filter-by-id", "source filter-by-stamp", "source null-stamps"}},
		"no source": {func(_ *testing.T, w *ward) []string {
			w.sim.SetFaults(odasim.Faults{ErrorRate: 1, ErrorStatus: 403})
			return []string{"ODA_ENTITIES=Sag"}
		}, []string{
			"source metadata", "source page-cap",
		}},
		"no Postgres": {func(*testing.T, *ward) []string {
			return []string{"DATABASE_URL=postgres://u:secret@127.0.0.1:1/x"}
		}, []string{"postgres reachable"}},
		"no DATABASE_URL": {func(*testing.T, *ward) []string { return []string{"DATABASE_URL="} }, []string{"postgres settings"}},
		"tables left to a person": {func(t *testing.T, _ *ward) []string {
			return []string{"DATABASE_URL=" + pgtest.Empty(t), "MIGRATE=off"}
		}, []string{"postgres migrations"}},
		"tables of a newer version": {func(t *testing.T, w *ward) []string {
			newer(t, w.database)
			return nil
		}, []string{"postgres migrations"}},
		"no Kafka":        {func(*testing.T, *ward) []string { return []string{"KAFKA_BROKERS=127.0.0.1:1"} }, []string{"kafka reachable"}},
		"an aged topic":   {func(t *testing.T, w *ward) []string { return topic(t, w, "cleanup.policy", "delete") }, []string{"kafka compaction"}},
		"two clocks":      {func(_ *testing.T, w *ward) []string { w.sim.SetNow(at(t, "2011-01-01T00:00:00Z")); return nil }, []string{"source clock"}},
		"healthy, rather": {func(*testing.T, *ward) []string { return nil }, nil},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			w := newWard(t, odasim.Options{})
			status, found := lines(t, w.environ(tt.arrange(t, w)...))
			want := map[string]bool{}
			for _, name := range tt.want {
				want[name] = true
			}
			if diff := cmp.Diff(want, troubles(t, found)); diff != "" {
				t.Errorf("troubles (-want +got):\n%s\n%+v", diff, found)
			}
			if wantStatus := min(1, len(tt.want)); status != wantStatus {
				t.Errorf("exit status %d, want %d", status, wantStatus)
			}
			if strings.Contains(found["postgres reachable"].Seen, "secret") {
				t.Errorf("the password is shown: %+v", found["postgres reachable"])
			}
		})
	}
}

// newer marks the database as migrated by a version to come.
func newer(t *testing.T, url string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	if _, err := conn.Exec(t.Context(), "INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, true)"); err != nil {
		t.Fatal(err)
	}
}

// topic makes the topic of Sag with one setting, as somebody did by hand.
func topic(t *testing.T, w *ward, setting, value string) []string {
	t.Helper()
	adm := kadm.NewClient(w.client(t))
	config := map[string]*string{"cleanup.policy": new("compact"), setting: &value}
	if _, err := adm.CreateTopic(t.Context(), 5, 1, config, w.kafka().Topic("Sag")); err != nil {
		t.Fatal(err)
	}
	return nil
}

func TestDoctorJudgesTopicsByTheContract(t *testing.T) {
	t.Parallel()
	w := newWard(t, odasim.Options{})
	if err := stream.NewTopics(w.client(t), w.kafka(), discard()).Ensure(t.Context(), []string{"Sag"}); err != nil {
		t.Fatal(err)
	}
	want := []string{"kafka topics", "kafka leaders", "kafka compaction", "kafka tombstones", "kafka partitions", "kafka dead-letters"}
	_, found := lines(t, w.environ("ODA_ENTITIES=Sag"))
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
			w := newWard(t, odasim.Options{})
			topic(t, w, tt.setting, tt.value)
			dead := map[string]*string{"cleanup.policy": new("delete"), "max.message.bytes": new("1048588")}
			if _, err := kadm.NewClient(w.client(t)).CreateTopic(t.Context(), 3, 1, dead, w.kafka().DeadLetterTopic("Sag")); err != nil {
				t.Fatal(err)
			}
			status, found := lines(t, w.environ("ODA_ENTITIES=Sag"))
			if f := found[tt.finding]; f.Verdict != oda.VerdictNote || !strings.Contains(f.Seen, tt.seen) || status != 0 {
				t.Errorf("%s is %+v with status %d, want a note of %q and 0", tt.finding, f, status, tt.seen)
			}
		})
	}
}

func TestDoctorSaysWhichSettingsItMayNotRead(t *testing.T) {
	t.Parallel()
	w := newWard(t, odasim.Options{})
	cluster := kafkatest.Cluster(t)
	w.brokers = cluster.ListenAddrs()
	topic(t, w, "cleanup.policy", "delete")
	cluster.ControlKey(int16(kmsg.DescribeConfigs), func(req kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		resp := req.ResponseKind().(*kmsg.DescribeConfigsResponse)
		for _, asked := range req.(*kmsg.DescribeConfigsRequest).Resources {
			r := kmsg.NewDescribeConfigsResponseResource()
			r.ResourceType, r.ResourceName, r.ErrorCode = asked.ResourceType, asked.ResourceName, kerr.TopicAuthorizationFailed.Code
			resp.Resources = append(resp.Resources, r)
		}
		return resp, nil, true
	})
	status, found := lines(t, w.environ("ODA_ENTITIES=Sag"))
	if f := found["kafka settings"]; status != 0 || f.Verdict != oda.VerdictNote || !strings.Contains(f.Seen, "those of 1 topics") {
		t.Errorf("doctor = %d, settings %+v, want 0 and a note of one topic", status, f)
	}
}

func TestDoctorRefusesBadSettings(t *testing.T) {
	t.Parallel()
	status, out := runDoctor(t, []string{"ODA_RATE=fast", "MIGRATE=maybe", "KAFKA_BROKERS=127.0.0.1:1"})
	if status != 2 || !strings.Contains(out, "ODA_RATE is ") || !strings.Contains(out, "MIGRATE is ") {
		t.Errorf("doctor = %d, %q, want 2 and both variables", status, out)
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
