package cli

import (
	"bytes"
	"flag"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"odastream/internal/settings"
	"odastream/internal/test/kafkatest"
	"odastream/internal/test/pgtest"
	"odastream/internal/trial"
)

// callOf has a complete call of each command that takes --dir for a running trial.
var callOf = map[string]string{
	"status": "status", "tail": "tail Sag", "doctor": "doctor", "verify": "verify", "scan": "scan Sag", "explain": "explain Sag/1",
	"rebuild": "rebuild Sag", "replay": "replay Sag --from start", "export": "export Sag",
	"dlq list": "dlq list", "dlq show": "dlq show parliament-sag/0@1", "dlq retry": "dlq retry", "dlq discard": "dlq discard --key Sag:1",
}

func TestAWrongDirIsAnErrorOfEveryCommandThatTakesDir(t *testing.T) {
	t.Parallel()
	for _, c := range commands() {
		set := flag.NewFlagSet(c.name, flag.ContinueOnError)
		set.SetOutput(io.Discard)
		c.flags(set)
		if set.Lookup("dir") == nil || c.name == "up" { // up creates its directory
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			line, known := callOf[c.name]
			if !known {
				t.Fatalf("callOf has no call of %s", c.name)
			}
			dir := t.TempDir()
			// A wrong --dir stays an error even if the variables name something else.
			environ := []string{"DATABASE_URL=postgres://127.0.0.1:1/x", "KAFKA_BROKERS=127.0.0.1:1", "ODA_URL=http://127.0.0.1:1/api"}
			var out bytes.Buffer
			status := Run(t.Context(), append(strings.Fields(line), "--dir", dir), environ, &out, &out)
			want(t, status, out.String(), 1, `no "odastream up" runs in `+dir)
		})
	}
}

func TestADatabaseWithoutTablesSaysWhatToDo(t *testing.T) {
	t.Parallel()
	brokers, url := kafkatest.Fake(t), pgtest.Empty(t)
	for name, line := range callOf {
		switch name {
		case "tail", "doctor", "replay": // tail uses no database, doctor has findings, replay looks for the topic first
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			environ := []string{"DATABASE_URL=" + url, "KAFKA_BROKERS=" + strings.Join(brokers, ","), "ODA_URL=http://127.0.0.1:1/api"}
			var out bytes.Buffer
			status := Run(t.Context(), strings.Fields(line), environ, &out, &out)
			want(t, status, out.String(), 1, "the database has no tables of odastream", "odastream migrate")
		})
	}
}

func TestNoDatabaseIsABadSetting(t *testing.T) {
	t.Parallel()
	for name, line := range callOf {
		if name == "tail" || name == "doctor" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			status := Run(t.Context(), strings.Fields(line), []string{"KAFKA_BROKERS=127.0.0.1:1"}, &out, &out)
			want(t, status, out.String(), 2, "DATABASE_URL is not set")
		})
	}
}

func TestTheVariablesOfATrialConnectToIt(t *testing.T) {
	t.Parallel()
	to := ofTrial([]string{
		"KAFKA_BROKERS=elsewhere:9092", "KAFKA_SASL_PASSWORD=secret", "KAFKA_TOPIC_PREFIX=x-", "DATABASE_URL=postgres://elsewhere",
		"ODA_URL=https://elsewhere", "CACHE_TTL=Sag=24h", "SINK_GROUP=g",
	}, trial.Place{Brokers: "127.0.0.1:1", DatabaseURL: "postgres://trial", Source: "http://127.0.0.1:2/api", Poller: "127.0.0.1:3"})
	var s struct {
		sinkSettings
		sourceSettings
	}
	if err := settings.Parse(to.environ, &s); err != nil {
		t.Fatal(err)
	}
	got := []string{s.Kafka.Brokers[0], s.Kafka.TopicPrefix, s.Kafka.SASLMechanism, to.databaseURL(), s.Source.URL, s.Sink.Group, to.poller, to.sink}
	want := []string{"127.0.0.1:1", "parliament-", "", "postgres://trial", "http://127.0.0.1:2/api", "g", "127.0.0.1:3", ""}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("settings of the trial (-want +got):\n%s", diff)
	}
	if s.Cache.TTL["Sag"] == 0 {
		t.Errorf("CACHE_TTL = %v, want that of the environment", s.Cache.TTL)
	}
}

// Every command that opens the database refuses a pooler in front of it on which it could
// not work, and works behind one on which it can.
func TestCommandsBehindAPooler(t *testing.T) {
	t.Parallel()
	for mode, want := range map[string]int{"transaction": 1, "session": 0} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			pooler := pgtest.Pooler(t, pgtest.Migrated(t), mode)
			for _, command := range []string{"status", "migrate", "dlq list"} {
				var out, errs bytes.Buffer
				environ := []string{"DATABASE_URL=" + pooler, "KAFKA_BROKERS=127.0.0.1:1"}
				status := Run(t.Context(), strings.Fields(command), environ, &out, &errs)
				if refused := strings.Contains(errs.String(), "set pool_mode = session"); status != want || refused != (want == 1) {
					t.Errorf("%s behind pgbouncer in %s mode = %d, %q, want %d", command, mode, status, errs.String(), want)
				}
			}
		})
	}
}
