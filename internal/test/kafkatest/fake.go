package kafkatest

import (
	"crypto/rand"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Fake starts a fake Kafka of one broker in this process, for speed and for faults that a
// real broker does not produce on demand, and returns its addresses; it ends with the
// test. Topics are not created automatically, as on a well configured broker, and have 3
// partitions by default, as on the real one. Further options override these.
//
// The fake is written by the authors of our client, so each guarantee is tested with Real
// too.
func Fake(t testing.TB, opts ...kfake.Opt) []string {
	t.Helper()
	return Cluster(t, opts...).ListenAddrs()
}

// Cluster is Fake for tests that also steer the broker: kfake.Cluster can fail
// requests, move partitions and restart brokers.
func Cluster(t testing.TB, opts ...kfake.Opt) *kfake.Cluster {
	t.Helper()
	defaults := []kfake.Opt{kfake.NumBrokers(1), kfake.DefaultNumPartitions(3)}
	cluster, err := kfake.NewCluster(append(defaults, opts...)...)
	if err != nil {
		t.Fatalf("kafkatest: start fake Kafka: %v", err)
	}
	t.Cleanup(cluster.Close)
	wantNoMetrics(cluster)
	return cluster
}

// wantNoMetrics asks clients for no metrics (KIP-714), as a broker does by default. The
// fake asks for all of them, and a short-lived client takes longer to send them at its
// end than for all the rest.
func wantNoMetrics(cluster *kfake.Cluster) {
	cluster.ControlKey(int16(kmsg.GetTelemetrySubscriptions), func(req kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		res := req.ResponseKind().(*kmsg.GetTelemetrySubscriptionsResponse)
		res.PushIntervalMillis = int32(time.Hour.Milliseconds())
		return res, nil, true
	})
}

// HideSettings has the broker refuse to tell the settings of topics.
func HideSettings(cluster *kfake.Cluster) {
	cluster.ControlKey(int16(kmsg.DescribeConfigs), func(req kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		res := req.ResponseKind().(*kmsg.DescribeConfigsResponse)
		for _, asked := range req.(*kmsg.DescribeConfigsRequest).Resources {
			r := kmsg.NewDescribeConfigsResponseResource()
			r.ResourceType, r.ResourceName, r.ErrorCode = asked.ResourceType, asked.ResourceName, kerr.TopicAuthorizationFailed.Code
			res.Resources = append(res.Resources, r)
		}
		return res, nil, true
	})
}

// Advertise has the broker advertise one more, with this number, at an address where there
// is none.
func Advertise(cluster *kfake.Cluster, node int32, host string, port int32) {
	own := cluster.ListenAddrs()[0]
	cluster.ControlKey(int16(kmsg.Metadata), func(req kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		res := req.ResponseKind().(*kmsg.MetadataResponse)
		at, text, _ := strings.Cut(own, ":")
		ownPort, _ := strconv.Atoi(text)
		res.Brokers = []kmsg.MetadataResponseBroker{{NodeID: 0, Host: at, Port: int32(ownPort)}, {NodeID: node, Host: host, Port: port}}
		for _, asked := range req.(*kmsg.MetadataRequest).Topics {
			missing := kmsg.NewMetadataResponseTopic()
			missing.Topic, missing.ErrorCode = asked.Topic, kerr.UnknownTopicOrPartition.Code
			res.Topics = append(res.Topics, missing)
		}
		return res, nil, true
	})
}

// Prefix returns a topic prefix that no other test has, for tests that share a broker. It
// is a unique name for a group too.
func Prefix(t testing.TB) string {
	t.Helper()
	return "t" + strings.ToLower(rand.Text()[:10]) + "-"
}
