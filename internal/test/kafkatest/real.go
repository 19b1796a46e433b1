package kafkatest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"odastream/internal/test/kafkaserver"
	"odastream/internal/test/slot"
)

const (
	// EnvBrokers names a running Kafka for all test processes, as KAFKA_BROKERS does for
	// the programs; internal/test/testenv sets it. Without it each process that asks for
	// a real broker starts one. "none" means that there is none, for fast test runs.
	EnvBrokers = "ODASTREAM_TEST_KAFKA"
	// EnvRequire set to 1 makes a test fail, not skip, if there is no real Kafka. CI=true
	// does the same.
	EnvRequire = "ODASTREAM_REQUIRE_KAFKA"

	none = "none"
)

// real is the one broker of this process. Tests cannot change it, and package testing has
// no other place for what all tests share.
var real = sync.OnceValues(func() (*Server, error) { return Start(context.Background()) })

// Real returns the addresses of an Apache Kafka that all tests share. Use your own Prefix
// for topics and groups, and do not stop it. Topics are not created automatically.
// Without Java or the jars the test is skipped, or fails as EnvRequire says.
func Real(t testing.TB) []string {
	t.Helper()
	if brokers := os.Getenv(EnvBrokers); brokers != "" && brokers != none {
		return strings.Split(brokers, ",")
	}
	Require(t)
	server, err := real()
	if err != nil {
		t.Fatalf("kafkatest: %v", err)
	}
	return server.Running.Brokers()
}

// Own returns an Apache Kafka for this test alone, which may be killed and started again.
// It takes some seconds and half a gigabyte. It ends with the test. Without Java or the
// jars the test is skipped, or fails as EnvRequire says.
func Own(t testing.TB, o kafkaserver.Options) *kafkaserver.Server {
	t.Helper()
	Require(t)
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	server, err := kafkaserver.Start(t.Context(), o)
	if err != nil {
		t.Fatalf("kafkatest: %v", err)
	}
	t.Cleanup(server.Kill)
	return server
}

// Require skips the test and logs why if this machine cannot run Apache Kafka, or fails
// it as EnvRequire says.
func Require(t testing.TB) {
	t.Helper()
	err := install(t.Context())
	switch {
	case err == nil:
	case errors.Is(err, kafkaserver.ErrUnavailable) && !required(os.Getenv):
		t.Skipf("REAL KAFKA MISSING, this guarantee is not tested: %v", err)
	default:
		t.Fatalf("kafkatest: %v", err)
	}
}

func install(ctx context.Context) error {
	if os.Getenv(EnvBrokers) == none {
		return fmt.Errorf("%w: %s is %q", kafkaserver.ErrUnavailable, EnvBrokers, none)
	}
	_, err := kafkaserver.Install(ctx)
	return err
}

func required(getenv func(string) string) bool {
	return getenv("CI") == "true" || getenv(EnvRequire) == "1"
}

// Server is a broker for tests, in its own slot below the temporary directory.
type Server = slot.Server[*kafkaserver.Server]

// Start starts a broker with empty data, which ends with this process at the latest. It
// removes what earlier brokers left in the slot.
func Start(ctx context.Context) (*Server, error) { return slot.Start(ctx, "kafka", startIn) }

func startIn(ctx context.Context, root string) (*kafkaserver.Server, error) {
	// The broker of an earlier process may be just ending. It keeps its directory, and
	// this one gets another.
	_ = os.RemoveAll(root)
	if err := os.MkdirAll(root, 0o750); err != nil {
		return nil, fmt.Errorf("make test broker's slot: %w", err)
	}
	dir, err := os.MkdirTemp(root, "run-")
	if err != nil {
		return nil, fmt.Errorf("make test broker's directory: %w", err)
	}
	return kafkaserver.Start(ctx, kafkaserver.Options{Dir: dir})
}
