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
	// firstPort is Kafka's own, so that clients find the broker without being
	// told where it is.
	firstPort = 9092
	// cleanEvery is how often topics are compacted, in milliseconds: in effect
	// never. This broker compacts by reading and writing anew all that it holds,
	// in the one loop that also answers its clients. At 10 s and a few thousand
	// small batches it answered nobody for longer than a produce may take, and took
	// gigabytes for it. Without compaction a topic only grows, by its changes.
	cleanEvery = "31536000000"
)

// Broker is a running fake of Kafka on 127.0.0.1.
type Broker struct {
	cluster *kfake.Cluster
	addr    string
	was     string
}

// StartBroker starts a broker that keeps its topics in dir, which is made where
// missing. It listens where it did at the last start, at first on port 9092; if
// that port is taken, on any other, which it keeps from then on.
func StartBroker(dir string, log *slog.Logger) (*Broker, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make directory of the embedded broker: %w", err)
	}
	memory := filepath.Join(dir, "port")
	want, known := rememberedPort(memory)
	cluster, err := newCluster(dir, want, log)
	if errors.Is(err, syscall.EADDRINUSE) {
		cluster, err = newCluster(dir, 0, log)
	}
	if err != nil {
		return nil, fmt.Errorf("start the embedded broker on %s: %w (without that directory it starts empty)", dir, err)
	}
	b := &Broker{cluster: cluster, addr: cluster.ListenAddrs()[0]}
	if known {
		b.was = net.JoinHostPort("127.0.0.1", strconv.Itoa(want))
	}
	_, port, _ := net.SplitHostPort(b.addr) // it is the address of a listener
	if err := os.WriteFile(memory, []byte(port+"\n"), 0o600); err != nil {
		cluster.Close()
		return nil, fmt.Errorf("remember the embedded broker's port: %w", err)
	}
	return b, nil
}

// Addr is the broker's address, for KAFKA_BROKERS.
func (b *Broker) Addr() string { return b.addr }

// MovedFrom is the address of the last start, if it was another one; else "".
func (b *Broker) MovedFrom() string {
	if b.was == b.addr {
		return ""
	}
	return b.was
}

// Close writes what is left to write and stops. Whoever still produces gets
// errors, so clients are closed before. A second call is no error.
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

// rememberedPort is the port of the last start, or the one to try first.
func rememberedPort(path string) (port int, known bool) {
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

// brokerLog passes on the broker's errors, as warnings: it goes on after each.
type brokerLog struct{ log *slog.Logger }

// Logf implements kfake.Logger.
func (l brokerLog) Logf(level kfake.LogLevel, format string, args ...any) {
	if level == kfake.LogLevelError {
		l.log.Warn("embedded broker", "says", fmt.Sprintf(format, args...))
	}
}
