package stream

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// send produces records, each key's in order, and returns those that are too large
// for the broker.
func (p *Publisher) send(ctx context.Context, records []*kgo.Record) (large map[*kgo.Record]error, err error) {
	large = map[*kgo.Record]error{}
	for _, round := range splitRounds(records) {
		fit := p.splitBySize(round, large)
		refused, err := p.produce(ctx, fit)
		if err == nil && len(refused) > 0 {
			err = p.sendRefused(ctx, refused, large)
		}
		if err != nil {
			return nil, err
		}
	}
	return large, nil
}

// splitBySize returns the records within their topic's limit, and adds the others to
// large.
func (p *Publisher) splitBySize(records []*kgo.Record, large map[*kgo.Record]error) (fit []*kgo.Record) {
	fit = make([]*kgo.Record, 0, len(records))
	for _, rec := range records {
		limit := p.limits.limit(rec.Topic)
		if size := recordSize(rec); size > limit {
			large[rec] = fmt.Errorf("record of %d bytes is above the limit %d of topic %s", size, limit, rec.Topic)
			continue
		}
		fit = append(fit, rec)
	}
	return fit
}

// sendRefused handles batches that the broker refused as too large, because its limit
// was lowered since it was read. Nothing of a refused batch was written. It sends each
// record that fits the new limit alone.
func (p *Publisher) sendRefused(ctx context.Context, refused []*kgo.Record, large map[*kgo.Record]error) error {
	for topic := range topicsOf(refused) {
		if err := p.limits.reload(ctx, []string{topic}); err != nil {
			return err
		}
	}
	for _, rec := range p.splitBySize(refused, large) {
		again, err := p.produce(ctx, []*kgo.Record{rec})
		if err != nil {
			return err
		}
		for _, rec := range again {
			large[rec] = fmt.Errorf("record of about %d bytes: %w", recordSize(rec), kerr.MessageTooLarge)
		}
	}
	return nil
}

func topicsOf(records []*kgo.Record) map[string]bool {
	topics := map[string]bool{}
	for _, rec := range records {
		topics[rec.Topic] = true
	}
	return topics
}

// splitRounds splits records so that each round has a key at most once: a record is
// sent only after the previous one of its key was acknowledged.
func splitRounds(records []*kgo.Record) [][]*kgo.Record {
	type place struct{ topic, key string }
	var out [][]*kgo.Record
	seen := make(map[place]int, len(records))
	for _, rec := range records {
		at := place{rec.Topic, string(rec.Key)}
		n := seen[at]
		seen[at]++
		if n == len(out) {
			out = append(out, nil)
		}
		out[n] = append(out[n], rec)
	}
	return out
}

type outcome struct {
	rec *kgo.Record
	err error
}

// produce sends records and waits until each is acknowledged or failed, or ctx ends.
// It returns the records that were refused as too large, or the first error.
func (p *Publisher) produce(ctx context.Context, records []*kgo.Record) (refused []*kgo.Record, err error) {
	ctx, cancel := context.WithTimeout(ctx, DeliveryTimeout)
	defer cancel()
	done := make(chan outcome, len(records)) // room for all: a late outcome blocks no goroutine
	tell := func(rec *kgo.Record, err error) { done <- outcome{rec, err} }
	for _, rec := range records {
		rec.Context = ctx // a record that is sent again has an ended one
		p.cl.Produce(ctx, rec, tell)
	}
	for range records {
		select {
		case o := <-done:
			switch {
			case o.err == nil:
			case errors.Is(o.err, kerr.MessageTooLarge):
				refused = append(refused, o.rec)
			case err == nil:
				err = p.classify(o)
			}
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for the broker's acknowledgement: %w", ctx.Err())
		}
	}
	return refused, err
}

// classify turns the client's error into one to branch on.
func (p *Publisher) classify(o outcome) error {
	topic := o.rec.Topic
	if err := p.partitions.err(topic); err != nil {
		return err
	}
	switch {
	case errors.Is(o.err, kerr.UnknownTopicID):
		p.dropTopic(topic)
		return fmt.Errorf("produce to topic %s: %w", topic, ErrTopicRecreated)
	case errors.Is(o.err, kerr.UnknownTopicOrPartition):
		p.dropTopic(topic)
		return fmt.Errorf("produce to topic %s: %w", topic, ErrNoTopic)
	}
	return fmt.Errorf("produce %s to topic %s: %w", o.rec.Key, topic, o.err)
}

// dropTopic drops a topic that was deleted from the client and the limits. Otherwise
// the client would keep the old id and never write to a recreated one.
func (p *Publisher) dropTopic(topic string) {
	p.cl.PurgeTopicsFromClient(topic)
	p.limits.drop(topic)
}

func acks(records []*kgo.Record, large map[*kgo.Record]error) []Ack {
	out := make([]Ack, 0, len(records))
	for _, rec := range records {
		if _, ok := large[rec]; !ok {
			out = append(out, Ack{Partition: rec.Partition, Offset: rec.Offset})
		}
	}
	return out
}
