package embedded

import (
	"context"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

func TestBrokerKeepsItsRecordsAndItsAddress(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "kafka")
	first := startBroker(t, dir)
	if first.PreviousAddr() != "" {
		t.Errorf("PreviousAddr of a first start = %q, want none", first.PreviousAddr())
	}
	cl := brokerClient(t, first)
	if _, err := kadm.NewClient(cl).CreateTopic(t.Context(), 1, -1, nil, "kept"); err != nil {
		t.Fatal(err)
	}
	id := topicID(t, cl)
	if err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: "kept", Value: []byte("x")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	cl.Close()
	first.Close()
	first.Close() // a second call is no error

	again := startBroker(t, dir)
	if again.Addr() != first.Addr() || again.PreviousAddr() != "" {
		t.Errorf("address after a restart = %s (previous %q), want %s", again.Addr(), again.PreviousAddr(), first.Addr())
	}
	cl = brokerClient(t, again)
	ends, err := kadm.NewClient(cl).ListEndOffsets(t.Context(), "kept")
	if err != nil {
		t.Fatal(err)
	}
	if o, _ := ends.Lookup("kept", 0); o.Offset != 1 {
		t.Errorf("end of the topic after a restart = %d, want 1", o.Offset)
	}
	if got := topicID(t, cl); got != id {
		t.Errorf("topic id after a restart = %v, want %v: readers would start over", got, id)
	}
}

func TestBrokerUsesAnotherPortIfItsOwnIsInUse(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "kafka")
	first := startBroker(t, dir)
	first.Close()
	var lc net.ListenConfig
	stranger, err := lc.Listen(t.Context(), "tcp", first.Addr())
	if err != nil {
		t.Skipf("another process took the port: %v", err)
	}
	t.Cleanup(func() { _ = stranger.Close() })
	again := startBroker(t, dir)
	if again.Addr() == first.Addr() || again.PreviousAddr() != first.Addr() {
		t.Errorf("address = %s, previous %q, want another than %s, which is the previous one", again.Addr(), again.PreviousAddr(), first.Addr())
	}
	again.Close()
	third := startBroker(t, dir)
	if third.Addr() != again.Addr() {
		t.Errorf("third address = %s, want the second, %s, kept", third.Addr(), again.Addr())
	}
}

func TestStartBrokerNamesADirectoryThatItCannotUse(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := StartBroker(filepath.Join(file, "kafka"), slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("StartBroker below a file = %v, want an error that names it", err)
	}
}

func startBroker(t *testing.T, dir string) *Broker {
	t.Helper()
	b, err := StartBroker(dir, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

func brokerClient(t *testing.T, b *Broker) *kgo.Client {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}

func topicID(t *testing.T, cl *kgo.Client) [16]byte {
	t.Helper()
	topics, err := kadm.NewClient(cl).ListTopics(context.WithoutCancel(t.Context()), "kept")
	if err != nil {
		t.Fatal(err)
	}
	return topics["kept"].ID
}
