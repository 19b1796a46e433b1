package kafkaserver

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"odastream/internal/test/machine"
)

const probeTimeout = 2 * time.Second

var errEnded = errors.New("the broker ended while it was starting")

// ready returns nil once the broker's answer shows it as a live member of its cluster.
// Before that it answers too, but refuses to create topics. On an idle machine a start
// takes 3 to 6 s, and the first one on a directory twice as long.
func ready(ctx context.Context, brokers []string, ended <-chan struct{}) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.MetadataMinAge(10*time.Millisecond))
	if err != nil {
		return err
	}
	defer cl.Close()
	var last error
	wait := machine.Wait{For: "the broker", Details: func() string { return fmt.Sprint(last) }}
	return wait.Done(ctx, func() (bool, error) {
		select {
		case <-ended:
			return false, errEnded
		default:
		}
		last = probe(ctx, kadm.NewClient(cl))
		return last == nil, nil
	})
}

func probe(ctx context.Context, admin *kadm.Client) error {
	ctx, cancel := context.WithTimeout(ctx, machine.AtLeast(probeTimeout))
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
