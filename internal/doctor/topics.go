package doctor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/twmb/franz-go/pkg/kadm"

	"odastream/cache"
	"odastream/capture"
	"odastream/checkpoint"
	"odastream/oda"
	"odastream/schema"
	"odastream/stream"
)

// appliedWithin is how long a record may wait for a sink.
const appliedWithin = 5 * time.Minute

// topics compares what poller and sink have stored of the topics with the topics. Where
// Kafka cannot be asked it finds nothing: the findings of kafka say why.
func (cfg Config) topics(ctx context.Context, pool *pgxpool.Pool, all []checkpoint.Overview, log *slog.Logger) []oda.Finding {
	cl, err := stream.NewClient(cfg.Kafka, log)
	if err != nil {
		return nil
	}
	defer cl.Close()
	if _, reached := brokers(ctx, cl); !reached {
		return nil
	}
	// The offsets are read before the topics' ends: a sink that works meanwhile moves them.
	offsets, err := cache.New(pool, cfg.Group, cache.Config{}, log).Positions(ctx)
	if err != nil {
		return notCompared(err)
	}
	states, found, err := cfg.ledger(ctx, checkpoint.New(pool), stream.NewTopics(cl, cfg.Kafka, log), all)
	if err != nil || len(states) == 0 {
		return append(found, notCompared(err)...)
	}
	old, err := kadm.NewClient(cl).ListOffsetsAfterMilli(ctx, time.Now().Add(-appliedWithin).UnixMilli(), slices.Collect(maps.Keys(states))...)
	if err != nil {
		return append(found, notCompared(err)...)
	}
	return append(found, sink(states, offsets, old)...)
}

// notCompared returns the finding that topics could not be compared because of err, if
// there is one.
func notCompared(err error) []oda.Finding {
	if err == nil {
		return nil
	}
	return []oda.Finding{unreached("compared", err, "what poller and sink have stored could not be compared with the topics",
		"give the users of Kafka and Postgres the right to read topics and tables, and run it again")}
}

// ledger compares the topics with what the poller's ledger has read of them. It returns
// the state of those that are there, by name.
func (cfg Config) ledger(ctx context.Context, store *checkpoint.Store, topics *stream.Topics, all []checkpoint.Overview) (states map[string]stream.TopicState, found []oda.Finding, err error) {
	states = map[string]stream.TopicState{}
	var changed, spread []string
	for _, o := range all {
		at, err := store.Load(ctx, o.Entity)
		if err != nil {
			return nil, nil, err
		}
		name := cfg.Kafka.Topic(o.Entity)
		state, err := topics.State(ctx, o.Entity)
		switch why := capture.Mismatch(at.Positions, state); {
		case errors.Is(err, stream.ErrNoTopic) && len(at.Positions) == 0:
			continue
		case errors.Is(err, stream.ErrNoTopic):
			changed = append(changed, name+": it was deleted")
			continue
		case err != nil:
			return nil, nil, err
		case why != "":
			changed = append(changed, name+": "+why)
		case at.Partitions != 0 && at.Partitions != state.Partitions():
			spread = append(spread, fmt.Sprintf("%s has %d, its keys were spread over %d", name, state.Partitions(), at.Partitions))
		}
		states[name] = state
	}
	return states, ledgerFindings(changed, spread), nil
}

func ledgerFindings(changed, spread []string) []oda.Finding {
	found := []oda.Finding{ok("topics", "they hold what the poller's ledger knows", "nothing was cut off or recreated")}
	if len(changed) > 0 {
		found[0] = trouble("topics", some(changed), "records are lost; the poller fills such a topic again at its next start or scan",
			"start the poller, or run odastream scan for these entities; see who deletes topics or records (cleanup.policy must be compact)")
	}
	if len(spread) > 0 {
		found = append(found, trouble("spread", some(spread), "these entities stand still: a tombstone in another partition would resurrect rows",
			"delete these topics; the poller recreates and fills them"))
	}
	return found
}

// sink compares the topics with the offsets that the sink has stored. old are the offsets
// of the first records that are younger than appliedWithin.
func sink(states map[string]stream.TopicState, offsets map[schema.TopicPartition]schema.Position, old kadm.ListedOffsets) []oda.Finding {
	var outside, ahead, late []string
	var waiting int64
	moved := false
	for _, topic := range slices.Sorted(maps.Keys(states)) {
		state := states[topic]
		for p, start := range state.Start {
			at := offsets[schema.TopicPartition{Topic: topic, Partition: int32(p)}]
			place := fmt.Sprintf("%s/%d", topic, p)
			if at.TopicID != state.ID {
				at.Next = start // the sink starts over
			}
			if at.Next > state.End[p] {
				outside = append(outside, fmt.Sprintf("%s at %d, it ends at %d", place, at.Next, state.End[p]))
			}
			age := time.Since(at.StoredAt)
			moved = moved || age.Abs() < time.Minute
			if age < -clocksDiffer {
				ahead = append(ahead, fmt.Sprintf("%s at %s", place, at.StoredAt.UTC().Format(time.RFC3339)))
			}
			if o, listed := old.Lookup(topic, int32(p)); listed && o.Err == nil && o.Offset > max(at.Next, start) {
				waiting += o.Offset - max(at.Next, start)
				late = append(late, place)
			}
		}
	}
	return sinkFindings(outside, ahead, late, waiting, moved)
}

func sinkFindings(outside, ahead, late []string, waiting int64, moved bool) []oda.Finding {
	f := ok("sink", fmt.Sprintf("no record waits for longer than %s", appliedWithin), "the cache has what the topics say")
	if waiting > 0 {
		f = trouble("sink", fmt.Sprintf("%d records wait for longer than %s: %s", waiting, appliedWithin, some(late)), "the cache lacks what they say",
			"start the sink, or see its /readyz and its log")
	}
	if waiting > 0 && moved {
		f.Verdict, f.Means, f.Remedy = oda.VerdictNote, "the sink has moved within the last minute, and is catching up", ""
	}
	found := []oda.Finding{f}
	var wrong []string
	if len(outside) > 0 {
		wrong = append(wrong, "outside their topic: "+some(outside))
	}
	if len(ahead) > 0 {
		wrong = append(wrong, "stored in the future: "+some(ahead))
	}
	if len(wrong) > 0 {
		found = append(found, trouble("offsets", strings.Join(wrong, "; "),
			"the topic was cut off or recreated, the database is of another time, or its clock was ahead; the sink reads a topic that its offset is not of from the start",
			"start the sink, and run odastream rebuild for these entities once it has caught up; check the clock of the database's machine"))
	}
	return found
}
