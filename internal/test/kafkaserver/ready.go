package kafkaserver

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	probeEvery   = 100 * time.Millisecond
	probeTimeout = 2 * time.Second
)

var errEnded = errors.New("the broker ended while it was starting")

// ready returns nil once the broker answers with itself as a live member of its
// cluster: before that it answers too, but refuses to make topics.
func ready(ctx context.Context, brokers []string, ended <-chan struct{}) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.MetadataMinAge(10*time.Millisecond))
	if err != nil {
		return err
	}
	defer cl.Close()
	tick := time.NewTicker(probeEvery)
	defer tick.Stop()
	for {
		err := probe(ctx, kadm.NewClient(cl))
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ended:
			return errEnded
		case <-ctx.Done():
			return fmt.Errorf("wait for the broker: %w (%w)", err, ctx.Err())
		}
	}
}

func probe(ctx context.Context, admin *kadm.Client) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	metadata, err := admin.BrokerMetadata(ctx)
	if err != nil {
		return err
	}
	if len(metadata.Brokers) == 0 || metadata.Controller < 0 {
		return errors.New("the broker has not joined its cluster yet")
	}
	return nil
}
