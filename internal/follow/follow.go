// Package follow reads the changes of topics as they come, for people who watch.
//
// Invariant: it changes nothing, neither at the broker nor for other readers: it
// joins no group and commits no offset. From one partition changes come in their
// order, each once. It knows nothing of Postgres.
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
	End   From = iota // only what comes from now on
	Start             // everything that the topics hold
)

// Reader reads topics. Next is for one goroutine at a time.
type Reader struct {
	cl  *kgo.Client
	log *slog.Logger
}

// Open begins to read the topics of entities: at their ends as they stand now,
// so that nothing which comes after Open returned is missed, or at their starts.
// A topic that does not exist is stream.ErrNoTopic, with its name.
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

// Next waits for records and gives them, at least one. The error is that of ctx;
// trouble with the broker is logged and waited out.
func (r *Reader) Next(ctx context.Context) ([]*kgo.Record, error) {
	for {
		fetches := r.cl.PollFetches(ctx)
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if fetches.IsClientClosed() {
			return nil, kgo.ErrClientClosed
		}
		if records := fetches.Records(); len(records) > 0 {
			return records, nil
		}
		if err := fetches.Err(); err != nil {
			r.log.Warn("topics cannot be read, trying again", "err", err)
			_ = pause.For(ctx, time.Second) // a broker that is away is not asked in a hot loop
		}
	}
}

// Close ends Next.
func (r *Reader) Close() { r.cl.Close() }

// offsets asks where the topics begin or end.
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
