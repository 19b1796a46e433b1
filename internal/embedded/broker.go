package embedded

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/twmb/franz-go/pkg/kfake"
)

const (
	// firstPort is Kafka's own, so that clients find the broker by default.
	firstPort = 9092
	// cleanEvery is how often topics are compacted, in milliseconds: in effect never. To
	// compact, this broker reads and rewrites all its data in the one loop that also
	// answers clients. At 10 s and with a few thousand small batches it answered no
	// client for longer than a produce may take, and used gigabytes of memory. Without
	// compaction a topic only grows by its changes.
	cleanEvery = "31536000000"
)

// Broker is a running fake of Kafka on 127.0.0.1.
type Broker struct {
	cluster  *kfake.Cluster
	addr     string
	previous string
}

// StartBroker starts a broker that keeps its topics in dir, which is made if it is
// missing. It listens on the port of the last start, at first on 9092. If that port is
// taken, it chooses any other and keeps it from then on.
func StartBroker(dir string, log *slog.Logger) (*Broker, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("create directory of the embedded broker: %w", err)
	}
	memory := filepath.Join(dir, "port")
	want, known := savedPort(memory)
	cluster, err := newCluster(dir, want, log)
	if errors.Is(err, syscall.EADDRINUSE) {
		cluster, err = newCluster(dir, 0, log)
	}
	if err != nil {
		return nil, fmt.Errorf("start the embedded broker on %s: %w (without that directory it starts empty)", dir, err)
	}
	b := &Broker{cluster: cluster, addr: cluster.ListenAddrs()[0]}
	if known {
		b.previous = net.JoinHostPort("127.0.0.1", strconv.Itoa(want))
	}
	_, port, _ := net.SplitHostPort(b.addr) // the address comes from a listener
	if err := os.WriteFile(memory, []byte(port+"\n"), 0o600); err != nil {
		cluster.Close()
		return nil, fmt.Errorf("save the embedded broker's port: %w", err)
	}
	return b, nil
}

// Addr returns the broker's address, for KAFKA_BROKERS.
func (b *Broker) Addr() string { return b.addr }

// PreviousAddr returns the address of the last start if it was different, else "".
func (b *Broker) PreviousAddr() string {
	if b.previous == b.addr {
		return ""
	}
	return b.previous
}

// Close flushes to disk and stops. Close clients first: those that still produce get
// errors. A second call is no error.
func (b *Broker) Close() { b.cluster.Close() }

func newCluster(dir string, port int, log *slog.Logger) (*kfake.Cluster, error) {
	return kfake.NewCluster(
		kfake.NumBrokers(1),
		kfake.Ports(port),
		kfake.DefaultNumPartitions(3),
		kfake.DataDir(filepath.Join(dir, "data")),
		kfake.BrokerConfigs(map[string]string{"log.cleaner.backoff.ms": cleanEvery}),
		kfake.WithLogger(brokerLog{log}),
	)
}

// savedPort returns the port of the last start, or the one to try first.
func savedPort(path string) (port int, known bool) {
	text, err := os.ReadFile(path)
	if err != nil {
		return firstPort, false
	}
	port, err = strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || port <= 0 || port > 65535 {
		return firstPort, false
	}
	return port, true
}

// brokerLog logs the broker's errors as warnings, since the broker continues after each.
type brokerLog struct{ log *slog.Logger }

// Logf implements kfake.Logger.
func (l brokerLog) Logf(level kfake.LogLevel, format string, args ...any) {
	if level == kfake.LogLevelError {
		l.log.Warn("embedded broker", "says", fmt.Sprintf(format, args...))
	}
}
