package stream

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// clientID is how the project's clients name themselves to brokers: quotas and
// the broker's request log go by it.
const clientID = "odastream"

// metadataMinAge is the client's shortest time between two metadata requests. With
// the client's default of 5 s it would not see a new leader within a DeliveryTimeout,
// nor a new topic.
const metadataMinAge = 100 * time.Millisecond

// dialTimeout bounds one attempt to connect to one broker.
const dialTimeout = 5 * time.Second

// NewClient makes a Kafka client with the addresses, TLS and SASL of cfg; opts
// are added last and override these. It does not connect; Ping does. The client's
// warnings go to log, each at most twice a minute. Whoever polls it calls
// PassLargeBatches. The caller closes it.
func NewClient(cfg Config, log *slog.Logger, opts ...kgo.Opt) (*kgo.Client, error) {
	secure, err := cfg.security()
	if err != nil {
		return nil, fmt.Errorf("make Kafka client: %w", err)
	}
	if cfg.SASLMechanism == MechanismPlain && !cfg.TLS {
		log.Warn("the Kafka password is sent unencrypted: SASL PLAIN without TLS")
	}
	unpack := new(unpacker)
	all := []kgo.Opt{
		kgo.SeedBrokers(cfg.Brokers...),
		kgo.ClientID(clientID),
		kgo.DialTimeout(dialTimeout),
		kgo.MetadataMinAge(metadataMinAge),
		kgo.WithLogger(newClientLog(log)),
		kgo.WithDecompressor(unpack),
		kgo.WithHooks(unpack),
	}
	all = append(append(all, secure...), opts...)
	cl, err := kgo.NewClient(all...)
	if err != nil {
		return nil, fmt.Errorf("make Kafka client for %s: %w", strings.Join(cfg.Brokers, ","), err)
	}
	return cl, nil
}

// Ping checks that a broker of cl answers. Its error is one line that names the
// addresses of cfg and what to do.
func Ping(ctx context.Context, cl *kgo.Client, cfg Config) error {
	if err := cl.Ping(ctx); err != nil {
		return fmt.Errorf("reach Kafka at %s: %w (is it running? KAFKA_BROKERS says where it is)",
			strings.Join(cfg.Brokers, ","), err)
	}
	return nil
}
