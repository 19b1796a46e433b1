package stream

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"odastream/schema"
)

// How long a direct consumer waits without progress before it asks the broker whether
// a topic's end holds records at all, and before it gives up.
const (
	quietBeforeProbe  = time.Second
	quietBeforeGiveUp = 30 * time.Second
)

var errRecreated = errors.New("topic was recreated while it was read; start again")

// StuckError is returned by Poll of a direct consumer for topics that cannot be
// read to their end: there was no progress for half a minute, or they were recreated
// meanwhile. A restart continues where it stopped.
type StuckError struct {
	Topics []string // left behind, sorted
	Cause  error    // the last error, or nil
}

// Error names the topics left behind.
func (e *StuckError) Error() string {
	text := "end not reached of " + strings.Join(e.Topics, ", ")
	if e.Cause != nil {
		text += ": " + e.Cause.Error()
	}
	return text
}

// Unwrap gives the last error.
func (e *StuckError) Unwrap() error { return e.Cause }

// checkProgress probes partitions that yield no records. The end of a compacted topic
// may hold no record at all, and the client does not report empty batches, so it asks
// the broker.
func (c *DirectConsumer) checkProgress(ctx context.Context, some bool, recreated []string) error {
	if len(recreated) > 0 {
		return &StuckError{Topics: recreated, Cause: errRecreated}
	}
	if some {
		c.progressed = time.Now()
		return nil
	}
	if time.Since(c.progressed) < quietBeforeProbe {
		return nil
	}
	var cause error
	for _, tp := range c.unread() {
		moved, err := c.probe(ctx, tp)
		if moved {
			c.progressed = time.Now()
		}
		cause = errors.Join(cause, err)
	}
	if ctx.Err() != nil || time.Since(c.progressed) < quietBeforeGiveUp {
		return ctx.Err()
	}
	return &StuckError{Topics: c.Behind(), Cause: cause}
}

// probe fetches from a partition's leader what lies between the reading position and
// stopAt. If that holds no record it moves the position past it.
func (c *DirectConsumer) probe(ctx context.Context, tp schema.TopicPartition) (moved bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	details, err := c.adm.ListTopics(ctx, tp.Topic)
	if err != nil {
		return false, fmt.Errorf("look up topic %s: %w", tp.Topic, err)
	}
	leader := details[tp.Topic].Partitions[tp.Partition].Leader
	c.mu.Lock()
	p := *c.parts[tp]
	c.mu.Unlock()
	r := logReader{cl: c.admin, topic: tp.Topic, id: p.topicID, partition: tp.Partition, leader: leader, end: p.stopAt}
	next, err := r.read(ctx, p.at, func([]*kgo.Record) error { return errRecords })
	if err != nil && !errors.Is(err, errRecords) {
		return false, fmt.Errorf("read %s: %w", tp, err)
	}
	if next == p.at {
		return false, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := c.parts[tp]; now.at == p.at {
		now.at = next
	}
	return true, nil
}

// errRecords stops a probe: there is a record, which the client will fetch.
var errRecords = errors.New("there are records")
