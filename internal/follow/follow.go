// Package follow reads the changes of topics as they arrive, to show them to people.
//
// Invariant: it changes nothing at the broker or for other readers: it joins no group
// and commits no offset. It returns the changes of a partition in order, each once. It
// knows nothing of Postgres.
package follow

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"odastream/internal/pause"
	"odastream/stream"
)

// From says where reading begins.
type From int

// The places where reading can begin.
const (
	End   From = iota // only new records
	Start             // everything that the topics hold
)

// Reader reads topics. Next is for one goroutine at a time.
type Reader struct {
	cl  *kgo.Client
	log *slog.Logger
}

// Open returns a reader of the topics of entities, from their starts or from their
// current ends: then it misses nothing that is written after Open has returned. For a
// missing topic it returns stream.ErrNoTopic with the topic's name.
func Open(ctx context.Context, cfg stream.Config, entities []string, from From, log *slog.Logger) (*Reader, error) {
	offsets, err := offsets(ctx, cfg, entities, from, log)
	if err != nil {
		return nil, err
	}
	cl, err := stream.NewClient(cfg, log, kgo.ConsumePartitions(offsets))
	if err != nil {
		return nil, err
	}
	return &Reader{cl: cl, log: log}, nil
}

// Next waits for records and returns at least one. Its error is that of ctx; errors of
// the broker are logged and retried.
func (r *Reader) Next(ctx context.Context) ([]*kgo.Record, error) {
	for {
		fetches := r.cl.PollFetches(ctx)
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if fetches.IsClientClosed() {
			return nil, kgo.ErrClientClosed
		}
		stream.PassLargeBatches(r.cl, fetches)
		if records := fetches.Records(); len(records) > 0 {
			return records, nil
		}
		if err := fetches.Err(); err != nil {
			r.log.Warn("topics cannot be read, retrying", "err", err)
			_ = pause.For(ctx, time.Second) // the broker may be down
		}
	}
}

// Close ends Next.
func (r *Reader) Close() { r.cl.Close() }

// offsets looks up the topics' starts or ends.
func offsets(ctx context.Context, cfg stream.Config, entities []string, from From, log *slog.Logger) (map[string]map[int32]kgo.Offset, error) {
	cl, err := stream.NewClient(cfg, log)
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	if err := ping(ctx, cl, cfg); err != nil {
		return nil, err
	}
	topics := make([]string, len(entities))
	for i, e := range entities {
		topics[i] = cfg.Topic(e)
	}
	list := kadm.NewClient(cl).ListEndOffsets
	if from == Start {
		list = kadm.NewClient(cl).ListStartOffsets
	}
	listed, err := list(ctx, topics...)
	if err != nil {
		return nil, fmt.Errorf("look up topics: %w", err)
	}
	return startingPoints(listed, topics)
}

func ping(ctx context.Context, cl *kgo.Client, cfg stream.Config) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	return stream.Ping(ctx, cl, cfg)
}

func startingPoints(listed kadm.ListedOffsets, topics []string) (map[string]map[int32]kgo.Offset, error) {
	at := map[string]map[int32]kgo.Offset{}
	var missing []string
	for _, topic := range topics {
		at[topic] = map[int32]kgo.Offset{}
		for p, o := range listed[topic] {
			switch {
			case o.Err == nil:
				at[topic][p] = kgo.NewOffset().At(o.Offset)
			case !errors.Is(o.Err, kerr.UnknownTopicOrPartition):
				return nil, fmt.Errorf("look up topic %s partition %d: %w", topic, p, o.Err)
			}
		}
		if len(at[topic]) == 0 {
			missing = append(missing, topic)
		}
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("look up topic %s: %w", strings.Join(missing, ", "), stream.ErrNoTopic)
	}
	return at, nil
}
