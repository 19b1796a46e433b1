package stream

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// publisherGroup is dlq.group of what the publisher itself dead-letters.
const publisherGroup = "poller"

// DeadLetter writes letters to the dead-letter topics of their records and
// returns when all are acknowledged. After an error some of them may be written;
// writing them again is safe. It returns ErrNoTopic if a dead-letter topic does not
// exist.
func (p *Publisher) DeadLetter(ctx context.Context, letters ...DeadLetter) error {
	topics := map[string]bool{}
	for _, l := range letters {
		topics[deadLetterName(l.Record.Topic)] = true
	}
	if err := p.limits.load(ctx, topics); err != nil {
		return fmt.Errorf("dead-letter %d records: %w", len(letters), err)
	}
	records := make([]*kgo.Record, len(letters))
	for i, l := range letters {
		records[i] = l.record(p.limits.limit(deadLetterName(l.Record.Topic)))
	}
	refused, err := p.produce(ctx, records)
	if err == nil && len(refused) > 0 {
		err = p.deadLetterCut(ctx, refused)
	}
	if err != nil {
		return fmt.Errorf("dead-letter %d records: %w", len(letters), err)
	}
	for _, l := range letters {
		p.metrics.deadLetters.WithLabelValues(string(l.Class)).Inc()
	}
	return nil
}

// deadLetterCut sends refused dead letters again, cut to the topic's current limit.
func (p *Publisher) deadLetterCut(ctx context.Context, refused []*kgo.Record) error {
	for _, rec := range refused {
		if err := p.limits.reload(ctx, []string{rec.Topic}); err != nil {
			return err
		}
		again, err := p.produce(ctx, []*kgo.Record{fitted(rec, p.limits.limit(rec.Topic))})
		if err != nil {
			return err
		}
		if len(again) > 0 {
			return fmt.Errorf("topic %s refuses a record of %d bytes: raise its max.message.bytes", rec.Topic, recordSize(again[0]))
		}
	}
	return nil
}

// deadLetterLarge writes the dead letters of changes above the broker's limit.
func (p *Publisher) deadLetterLarge(ctx context.Context, large map[*kgo.Record]error) error {
	if len(large) == 0 {
		return nil
	}
	letters := make([]DeadLetter, 0, len(large))
	for rec, err := range large {
		p.log.Warn("change is too large for the broker and was dead-lettered", "topic", rec.Topic, "key", string(rec.Key), "err", err)
		letters = append(letters, DeadLetter{
			Record: rec, Group: publisherGroup, Class: ClassTooLarge, Err: err.Error(), Attempts: 1, FailedAt: time.Now(),
		})
	}
	return p.DeadLetter(ctx, letters...)
}
