package kafkatest

import (
	"crypto/rand"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Fake starts a fake Kafka of one broker in this process, for speed and for
// faults that a real broker does not produce on demand, and returns its
// addresses; it ends with the test. Topics are never made by a mere mention,
// as on a broker run with care, and hold what a real one holds: 3 partitions
// unless asked for otherwise. Further options override these.
//
// What a test proves with it is proved against a program written by the makers
// of our client; each guarantee is shown with Real once more.
func Fake(t testing.TB, opts ...kfake.Opt) []string {
	t.Helper()
	return Cluster(t, opts...).ListenAddrs()
}

// Cluster is Fake for tests that also steer the broker: kfake.Cluster can fail
// requests, move partitions and restart brokers.
func Cluster(t testing.TB, opts ...kfake.Opt) *kfake.Cluster {
	t.Helper()
	cluster, err := start(opts)
	if err != nil {
		t.Fatalf("kafkatest: start fake Kafka: %v", err)
	}
	t.Cleanup(cluster.Close)
	return cluster
}

// Brokers is Fake for an Example, which has no testing.TB: stop ends the broker, and
// what goes wrong is a panic.
func Brokers(opts ...kfake.Opt) (addrs []string, stop func()) {
	cluster, err := start(opts)
	if err != nil {
		panic(fmt.Errorf("kafkatest: start fake Kafka: %w", err))
	}
	return cluster.ListenAddrs(), cluster.Close
}

func start(opts []kfake.Opt) (*kfake.Cluster, error) {
	defaults := []kfake.Opt{kfake.NumBrokers(1), kfake.DefaultNumPartitions(3)}
	cluster, err := kfake.NewCluster(append(defaults, opts...)...)
	if err != nil {
		return nil, err
	}
	wantNoMetrics(cluster)
	return cluster, nil
}

// wantNoMetrics has clients keep their metrics to themselves (KIP-714), as a broker
// does that nobody told otherwise. This one asks for all of them, and a client that
// packs them up at its end takes longer for that than for the rest of a short life.
func wantNoMetrics(cluster *kfake.Cluster) {
	cluster.ControlKey(int16(kmsg.GetTelemetrySubscriptions), func(req kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		res := req.ResponseKind().(*kmsg.GetTelemetrySubscriptionsResponse)
		res.PushIntervalMillis = int32(time.Hour.Milliseconds())
		return res, nil, true
	})
}

// Prefix returns a topic prefix that no other test has, for tests that share a
// broker. A group of the same name is as unique.
func Prefix(t testing.TB) string {
	t.Helper()
	return "t" + strings.ToLower(rand.Text()[:10]) + "-"
}
