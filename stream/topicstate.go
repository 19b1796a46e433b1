package stream

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// ErrNoTopic is returned if an entity's topic does not exist: Ensure was not called,
// or the topic was deleted since.
var ErrNoTopic = errors.New("topic does not exist")

// TopicState is how far a topic reaches, at one moment.
type TopicState struct {
	ID    [16]byte // changes when the topic is recreated; zero: the broker has no topic ids
	Start []int64  // first offset still on the topic, by partition
	End   []int64  // offset that the next record will get (the high watermark), by partition
}

// Partitions is the number of the topic's partitions. A key's partition follows
// from it, so an entity whose topic's number changed must stop: a tombstone in
// another partition would resurrect rows.
func (s TopicState) Partitions() int { return len(s.End) }

// State tells how far the topic of an entity reaches. It returns ErrNoTopic if
// there is none; any other error is the broker's and may be temporary.
func (t *Topics) State(ctx context.Context, entity string) (TopicState, error) {
	s, _, err := t.state(ctx, t.cfg.Topic(entity))
	return s, err
}

// state also returns the leader of each partition.
func (t *Topics) state(ctx context.Context, topic string) (TopicState, []int32, error) {
	d, err := t.detail(ctx, topic)
	if err != nil {
		return TopicState{}, nil, err
	}
	starts, err := t.adm.ListStartOffsets(ctx, topic)
	if err != nil {
		return TopicState{}, nil, fmt.Errorf("read start of topic %s: %w", topic, err)
	}
	ends, err := t.adm.ListEndOffsets(ctx, topic)
	if err != nil {
		return TopicState{}, nil, fmt.Errorf("read end of topic %s: %w", topic, err)
	}
	n := len(d.Partitions)
	s := TopicState{ID: d.ID, Start: make([]int64, n), End: make([]int64, n)}
	leaders := make([]int32, n)
	for p := range n {
		leaders[p] = d.Partitions[int32(p)].Leader
		if s.Start[p], err = offset(starts, topic, p); err != nil {
			return TopicState{}, nil, err
		}
		if s.End[p], err = offset(ends, topic, p); err != nil {
			return TopicState{}, nil, err
		}
	}
	return s, leaders, nil
}

func (t *Topics) detail(ctx context.Context, topic string) (kadm.TopicDetail, error) {
	seen, err := t.adm.ListTopics(ctx, topic)
	if err != nil {
		return kadm.TopicDetail{}, fmt.Errorf("look up topic %s: %w", topic, err)
	}
	d := seen[topic]
	switch {
	case errors.Is(d.Err, kerr.UnknownTopicOrPartition):
		return d, fmt.Errorf("look up topic %s: %w", topic, ErrNoTopic)
	case d.Err != nil:
		return d, fmt.Errorf("look up topic %s: %w", topic, d.Err)
	}
	for p, detail := range d.Partitions {
		if detail.Err != nil {
			return d, fmt.Errorf("look up topic %s partition %d: %w", topic, p, detail.Err)
		}
	}
	return d, nil
}

func offset(listed kadm.ListedOffsets, topic string, partition int) (int64, error) {
	o, ok := listed.Lookup(topic, int32(partition))
	if !ok {
		o.Err = ErrNoTopic // deleted between the two questions
	}
	if o.Err != nil {
		return 0, fmt.Errorf("read offsets of topic %s partition %d: %w", topic, partition, o.Err)
	}
	return o.Offset, nil
}
