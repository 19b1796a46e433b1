package stream

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"odastream/internal/settings"
)

func TestTopicNames(t *testing.T) {
	t.Parallel()
	cfg := Config{TopicPrefix: "parliament-"}
	for entity, want := range map[string]string{
		"Sag": "parliament-sag", "Aktør": "parliament-aktoer", "MødeAktør": "parliament-moedeaktoer", "Ålborg": "parliament-aalborg",
	} {
		if got := cfg.Topic(entity); got != want {
			t.Errorf("Topic(%s) = %s, want %s", entity, got, want)
		}
		if got := cfg.DeadLetterTopic(entity); got != want+".dlq" {
			t.Errorf("DeadLetterTopic(%s) = %s, want %s.dlq", entity, got, want)
		}
	}
}

// program is how a cmd embeds the settings.
type program struct {
	Kafka Config `envPrefix:"KAFKA_"`
}

func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	var got program
	if err := settings.Parse(nil, &got); err != nil {
		t.Fatal(err)
	}
	want := Config{Brokers: []string{"localhost:9092"}, TopicPrefix: "parliament-", Partitions: 3}
	if diff := cmp.Diff(want, got.Kafka); diff != "" {
		t.Errorf("defaults (-want +got):\n%s", diff)
	}
}

func TestFaultsAreNamedInFull(t *testing.T) {
	t.Parallel()
	password := file(t, "hunter22\n")
	empty := file(t, "\n")
	noPEM := file(t, "no certificate")
	for claim, tc := range map[string]struct{ environ, want []string }{
		"nothing is wrong with PLAIN":     {[]string{"KAFKA_SASL_MECHANISM=PLAIN", "KAFKA_SASL_USERNAME=u", "KAFKA_SASL_PASSWORD=p"}, nil},
		"nothing is wrong with a file":    {[]string{"KAFKA_SASL_MECHANISM=scram-sha-512", "KAFKA_SASL_USERNAME=u", "KAFKA_SASL_PASSWORD_FILE=" + password}, nil},
		"nothing is wrong with no prefix": {[]string{"KAFKA_TOPIC_PREFIX="}, nil},
		"a mechanism needs a user and a password": {[]string{"KAFKA_SASL_MECHANISM=PLAIN"}, []string{
			"KAFKA_SASL_USERNAME is not set, want the user to log in as with KAFKA_SASL_MECHANISM=PLAIN",
			"KAFKA_SASL_PASSWORD and KAFKA_SASL_PASSWORD_FILE: want exactly one of them",
		}},
		"two passwords": {[]string{"KAFKA_SASL_MECHANISM=PLAIN", "KAFKA_SASL_USERNAME=u", "KAFKA_SASL_PASSWORD=p", "KAFKA_SASL_PASSWORD_FILE=" + password}, []string{
			"KAFKA_SASL_PASSWORD and KAFKA_SASL_PASSWORD_FILE: want exactly one of them",
		}},
		"an empty password file": {[]string{"KAFKA_SASL_MECHANISM=PLAIN", "KAFKA_SASL_USERNAME=u", "KAFKA_SASL_PASSWORD_FILE=" + empty}, []string{
			fmt.Sprintf("KAFKA_SASL_PASSWORD_FILE is %q, no password in the file", empty),
		}},
		"a password file that is not there": {[]string{"KAFKA_SASL_MECHANISM=PLAIN", "KAFKA_SASL_USERNAME=u", "KAFKA_SASL_PASSWORD_FILE=/none"}, []string{
			`KAFKA_SASL_PASSWORD_FILE is "/none", open /none: no such file or directory`,
		}},
		"a user without a mechanism": {[]string{"KAFKA_SASL_USERNAME=u"}, []string{
			"KAFKA_SASL_MECHANISM is not set, want PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512 with a user or a password",
		}},
		"an unknown mechanism": {[]string{"KAFKA_SASL_MECHANISM=GSSAPI"}, []string{
			`KAFKA_SASL_MECHANISM is "GSSAPI", want one of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512`,
		}},
		"authorities without TLS": {[]string{"KAFKA_CA_FILE=" + noPEM, "KAFKA_TLS=true"}, []string{
			fmt.Sprintf("KAFKA_CA_FILE is %q, no certificate in the file, want PEM", noPEM),
		}},
		"an empty broker": {[]string{"KAFKA_BROKERS=a:1,,b:2"}, []string{`KAFKA_BROKERS is "a:1,,b:2", want host:port, comma-separated, none of them empty`}},
		"a broker with a password": {[]string{"KAFKA_BROKERS=a:1,me:hunter22@b:2"}, []string{
			"KAFKA_BROKERS is set, but not right, want host:port, comma-separated; KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD say who logs in",
		}},
		"a broker that is a URL, and none": {[]string{"KAFKA_BROKERS=,sasl://me:hunter22/x"}, []string{
			"KAFKA_BROKERS is set, but not right, want host:port, comma-separated; KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD say who logs in",
		}},
		"a prefix that Kafka refuses":    {[]string{"KAFKA_TOPIC_PREFIX=å/"}, []string{`KAFKA_TOPIC_PREFIX is "å/", want at most 180 letters of a-z A-Z 0-9 . _ -`}},
		"no partitions":                  {[]string{"KAFKA_PARTITIONS=0"}, []string{"KAFKA_PARTITIONS is 0, want 1 to 1000"}},
		"replicas below none":            {[]string{"KAFKA_REPLICATION=-1"}, []string{"KAFKA_REPLICATION is -1, want 0 to 100"}},
		"TLS that is neither on nor off": {[]string{"KAFKA_TLS=yes please"}, []string{`KAFKA_TLS is "yes please", want true or false`}},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			want := strings.Join(tc.want, "\n")
			got := ""
			if err := settings.Parse(tc.environ, new(program)); err != nil {
				got = err.Error()
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("Parse(%v) (-want +got):\n%s", tc.environ, diff)
			}
		})
	}
}

func TestASecretIsNeverShown(t *testing.T) {
	t.Parallel()
	cfg := Config{SASLPassword: "hunter22"}
	log := &logBuffer{}
	log.logger().Info("with hunter", "config", cfg, "password", cfg.SASLPassword, "any", slog.AnyValue(cfg.SASLPassword))
	text, err := cfg.SASLPassword.MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	for how, got := range map[string]string{
		"log": log.String(), "%v": fmt.Sprint(cfg), "%+v": fmt.Sprintf("%+v", cfg), "%#v": fmt.Sprintf("%#v", cfg), "text": string(text),
	} {
		if strings.Contains(got, "hunter22") {
			t.Errorf("%s shows the password: %s", how, got)
		}
	}
	if got := string(cfg.SASLPassword); got != "hunter22" {
		t.Errorf("string(secret) = %q, want the secret", got)
	}
	if got := Secret("").String(); got != "" {
		t.Errorf("an empty secret prints %q, want nothing", got)
	}
}
