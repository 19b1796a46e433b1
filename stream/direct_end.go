package stream

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// How long a direct consumer that hears nothing waits before it asks the broker
// whether a topic's end holds records at all, and before it gives up.
const (
	quietBeforeProbe  = time.Second
	quietBeforeGiveUp = 30 * time.Second
)

var errRecreated = errors.New("made anew while it was read; start again")

// StuckError is returned by Poll of a direct consumer for topics that cannot be
// read to their end: nothing was heard of them for half a minute, or they were
// made anew meanwhile. A restart goes on where it stopped.
type StuckError struct {
	Topics []string // left behind, sorted
	Cause  error    // the last fault heard of, or nil
}

// Error names the topics left behind.
func (e *StuckError) Error() string {
	text := "end not reached of " + strings.Join(e.Topics, ", ")
	if e.Cause != nil {
		text += ": " + e.Cause.Error()
	}
	return text
}

// Unwrap gives the last fault heard of.
func (e *StuckError) Unwrap() error { return e.Cause }

// progress looks after partitions of which nothing comes. The end of a compacted
// topic may hold no record at all, and the client does not tell of empty batches,
// so the broker is asked.
func (c *DirectConsumer) progress(ctx context.Context, some bool, anew []string) error {
	if len(anew) > 0 {
		return &StuckError{Topics: anew, Cause: errRecreated}
	}
	if some {
		c.heard = time.Now()
		return nil
	}
	if time.Since(c.heard) < quietBeforeProbe {
		return nil
	}
	var cause error
	for _, tp := range c.unread() {
		moved, err := c.probe(ctx, tp)
		if moved {
			c.heard = time.Now()
		}
		cause = errors.Join(cause, err)
	}
	if ctx.Err() != nil || time.Since(c.heard) < quietBeforeGiveUp {
		return ctx.Err()
	}
	return &StuckError{Topics: c.Behind(), Cause: cause}
}

// probe asks a partition's leader for what lies between the reading position and
// the goal; where that holds no record the position moves over it.
func (c *DirectConsumer) probe(ctx context.Context, tp TopicPartition) (moved bool, err error) {
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
	r := logReader{cl: c.admin, topic: tp.Topic, id: p.topicID, partition: tp.Partition, leader: leader, end: p.goal}
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

// errRecords stops a probe: there is a record, and it will come by itself.
var errRecords = errors.New("there are records")
