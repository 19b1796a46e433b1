package kafkaserver_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"odastream/internal/test/kafkaserver"
	"odastream/internal/test/kafkatest"
)

const topic = "sag"

func TestAcknowledgedRecordsSurviveKillAndStop(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := start(t, dir, nil)
	makeTopic(t, first)
	produce(t, first, "killed after")
	first.Kill()

	second := start(t, dir, nil)
	if got, want := second.Brokers(), first.Brokers(); !cmp.Equal(got, want) {
		t.Fatalf("brokers after a kill = %v, want the same %v", got, want)
	}
	produce(t, second, "stopped after")
	if err := second.Stop(); err != nil {
		t.Fatalf("Stop: %v", err)
	}
	if err := second.Stop(); err != nil {
		t.Errorf("second Stop: %v", err)
	}
	<-second.Done()

	third := start(t, dir, nil)
	want := []string{"killed after", "stopped after"}
	if diff := cmp.Diff(want, values(t, third, len(want))); diff != "" {
		t.Errorf("records after a kill and a stop (-want +got):\n%s", diff)
	}
}

func TestTopicsAreNotCreatedAutomatically(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir(), nil)
	cl := client(t, s, kgo.AllowAutoTopicCreation(), kgo.UnknownTopicRetries(0))
	if err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: "nobody-made-it"}).FirstErr(); err == nil {
		t.Error("produce to a missing topic succeeded")
	}
}

func TestStartErrorHasTheBrokersReason(t *testing.T) {
	t.Parallel()
	kafkatest.Require(t)
	_, err := kafkaserver.Start(t.Context(), kafkaserver.Options{
		Dir: t.TempDir(), Properties: map[string]string{"log.retention.ms": "no number"},
	})
	if err == nil || !strings.Contains(err.Error(), "log.retention.ms") {
		t.Errorf("Start with a bad property = %v, want the property's name", err)
	}
	if _, err := kafkaserver.Start(t.Context(), kafkaserver.Options{}); err == nil {
		t.Error("Start without a directory succeeded")
	}
}

func TestMissingJavaIsNamed(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	t.Setenv("JAVA_HOME", "")
	if _, err := kafkaserver.Install(t.Context()); !errors.Is(err, kafkaserver.ErrUnavailable) || !strings.Contains(err.Error(), "Java") {
		t.Errorf("Install without Java = %v, want ErrUnavailable that names it", err)
	}
}

func TestMissingMavenIsNamed(t *testing.T) {
	home := t.TempDir()
	if err := os.MkdirAll(filepath.Join(home, "bin"), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(home, "bin", "java"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("JAVA_HOME", home)
	t.Setenv("PATH", home)
	t.Setenv("HOME", home)
	t.Setenv("XDG_CACHE_HOME", home)
	if _, err := kafkaserver.Install(t.Context()); !errors.Is(err, kafkaserver.ErrUnavailable) || !strings.Contains(err.Error(), "Maven") {
		t.Errorf("Install without Maven and jars = %v, want ErrUnavailable that names Maven", err)
	}
}

func start(t *testing.T, dir string, properties map[string]string) *kafkaserver.Server {
	t.Helper()
	kafkatest.Require(t)
	s, err := kafkaserver.Start(t.Context(), kafkaserver.Options{Dir: dir, Properties: properties})
	if err != nil {
		t.Fatalf("Start: %v", err)
	}
	t.Cleanup(s.Kill)
	return s
}

func makeTopic(t *testing.T, s *kafkaserver.Server) {
	t.Helper()
	if _, err := kadm.NewClient(client(t, s)).CreateTopic(t.Context(), 1, 1, nil, topic); err != nil {
		t.Fatalf("create topic: %v", err)
	}
}

func produce(t *testing.T, s *kafkaserver.Server, value string) {
	t.Helper()
	record := &kgo.Record{Topic: topic, Value: []byte(value)}
	if err := client(t, s).ProduceSync(t.Context(), record).FirstErr(); err != nil {
		t.Fatalf("produce: %v", err)
	}
}

// values reads n records from the topic's start.
func values(t *testing.T, s *kafkaserver.Server, n int) []string {
	t.Helper()
	cl := client(t, s, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	var got []string
	for len(got) < n {
		fetches := cl.PollFetches(t.Context())
		if err := fetches.Err(); err != nil {
			t.Fatalf("fetch: %v", err)
		}
		for _, record := range fetches.Records() {
			got = append(got, string(record.Value))
		}
	}
	return got
}

func client(t *testing.T, s *kafkaserver.Server, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	cl, err := kgo.NewClient(append(opts, kgo.SeedBrokers(s.Brokers()...))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}
