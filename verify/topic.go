package verify

import (
	"context"
	"fmt"
	"time"

	"odastream/checkpoint"
	"odastream/internal/pause"
	"odastream/schema"
)

// topics are the entities' topics; *stream.Topics are some.
type topics interface {
	Extents(ctx context.Context, entity string) (map[int32]schema.Position, error)
	LiveRows(ctx context.Context, entity string) (*schema.IDSet, error)
}

// WithTopics has v compare the ledger with the topics too: where each starts and ends,
// and with Options.Full each row. Without it a topic that lost rows is not noticed.
func (v *Verifier) WithTopics(t topics) *Verifier {
	v.topics = t
	return v
}

// compareTopic compares the entity's topic with the ledger.
//
// Invariant 8: the topic is the memory, and the ledger says what it holds.
func (c *check) compareTopic(ctx context.Context) error {
	if c.topics == nil {
		return nil
	}
	at, err := c.ledger.Load(ctx, c.out.Name)
	if err != nil {
		return err
	}
	extents, err := c.topics.Extents(ctx, c.out.Name)
	if err != nil {
		return c.topicFault(ctx, err)
	}
	if lost := lostRecords(at.Positions, extents, c.out.Ledger); lost != "" {
		c.out.Trouble = fmt.Sprintf("its topic lost records (%s): the poller fills it again at its next start or scan; odastream scan %s asks for one now",
			lost, c.out.Name)
	}
	if c.options.Full {
		return c.compareTopicRows(ctx)
	}
	return nil
}

// topicFault records that the topic could not be read. That is no error of the database.
func (c *check) topicFault(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	c.out.Trouble = "its topic cannot be read (--topics=false compares without it): " + err.Error()
	return nil
}

// lostRecords says by which partition the topic cannot hold the ledger's rows, or returns
// "". Compaction moves no start.
func lostRecords(known, extents map[int32]schema.Position, rows int64) string {
	offsets := int64(0)
	for p := range int32(len(extents)) {
		now := extents[p]
		offsets += now.Next - now.Start
		was, ok := known[p]
		switch {
		case !ok:
		case was.TopicID != now.TopicID:
			return "it was made anew"
		case was.Start < now.Start:
			return fmt.Sprintf("partition %d starts at %d, and started at %d before", p, now.Start, was.Start)
		case was.Next > now.Next:
			return fmt.Sprintf("partition %d ends at %d, before %d", p, now.Next, was.Next)
		}
	}
	if offsets < rows {
		return fmt.Sprintf("it has %d offsets, and the ledger %d rows", offsets, rows)
	}
	return ""
}

// compareTopicRows notes the ledger's rows that the topic does not hold. The ledger is
// read first: a row is published before it is saved.
func (c *check) compareTopicRows(ctx context.Context) error {
	ids, err := c.ledger.RowIDs(ctx, c.out.Name, everyID)
	if err != nil {
		return err
	}
	live, err := c.topics.LiveRows(ctx, c.out.Name)
	if err != nil {
		return c.topicFault(ctx, err)
	}
	n := live.Len()
	c.out.Topic = &n
	var missing []int64
	for _, id := range ids {
		if live.Has(id) {
			continue
		}
		if len(missing) == mostCandidates {
			c.out.AtLeast = true
			break
		}
		missing = append(missing, id)
	}
	return c.recheckTopic(ctx, missing)
}

// recheckTopic reports those of the rows that the ledger still has once Options.Patience
// is over: a delete that was published is not saved yet, or the topic was reset.
func (c *check) recheckTopic(ctx context.Context, missing []int64) error {
	interval := min(firstPause, c.options.Patience)
	for left := c.options.Patience; left > 0 && len(missing) > 0; left -= interval {
		if err := pause.For(ctx, interval); err != nil {
			return err
		}
		entries, err := c.ledger.Entries(ctx, c.out.Name, missing, nil)
		if err != nil {
			return err
		}
		missing = stillLive(missing, entries, c.began)
	}
	for _, id := range missing {
		c.out.add(Difference{ID: id, Topic: Missing})
	}
	return nil
}

// stillLive returns the ids of rows that the ledger takes to be on the topic since
// before began.
func stillLive(ids []int64, entries map[int64]checkpoint.Entry, began time.Time) (live []int64) {
	for _, id := range ids {
		e, ok := entries[id]
		if ok && e.State != checkpoint.Deleted && e.State != checkpoint.Lost && e.Seq < began.UnixMicro() {
			live = append(live, id)
		}
	}
	return live
}
