package stream

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// send produces records, each key's in order, and returns those that the broker
// does not take because of their size.
func (p *Publisher) send(ctx context.Context, records []*kgo.Record) (large map[*kgo.Record]error, err error) {
	large = map[*kgo.Record]error{}
	for _, round := range rounds(records) {
		fit := p.sift(round, large)
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

// sift sets aside what is above its topic's limit.
func (p *Publisher) sift(records []*kgo.Record, large map[*kgo.Record]error) (fit []*kgo.Record) {
	fit = make([]*kgo.Record, 0, len(records))
	for _, rec := range records {
		limit := p.limits.known(rec.Topic)
		if size := recordSize(rec); size > limit {
			large[rec] = fmt.Errorf("record of %d bytes is above the limit %d of topic %s", size, limit, rec.Topic)
			continue
		}
		fit = append(fit, rec)
	}
	return fit
}

// sendRefused goes through records of batches that the broker found too large:
// its limit fell since it was read. The innocent ones among them are sent one by
// one; a refusal says that nothing of a batch was written.
func (p *Publisher) sendRefused(ctx context.Context, refused []*kgo.Record, large map[*kgo.Record]error) error {
	for topic := range topicsOf(refused) {
		if err := p.limits.reload(ctx, []string{topic}); err != nil {
			return err
		}
	}
	for _, rec := range p.sift(refused, large) {
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

// rounds splits records so that each round has a key at most once: the next
// record of a key is not sent before the one before it was acknowledged.
func rounds(records []*kgo.Record) [][]*kgo.Record {
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

// produce sends records and waits until each is acknowledged or failed, or ctx
// ended. It returns those that were refused for their size, or the first error.
func (p *Publisher) produce(ctx context.Context, records []*kgo.Record) (refused []*kgo.Record, err error) {
	ctx, cancel := context.WithTimeout(ctx, DeliveryTimeout)
	defer cancel()
	done := make(chan outcome, len(records)) // room for all: a late outcome blocks nobody
	tell := func(rec *kgo.Record, err error) { done <- outcome{rec, err} }
	for _, rec := range records {
		rec.Context = ctx // of a record sent before it is that of then, which has ended
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
				err = p.explain(o)
			}
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for the broker's acknowledgement: %w", ctx.Err())
		}
	}
	return refused, err
}

// explain turns the client's error into one to branch on.
func (p *Publisher) explain(o outcome) error {
	topic := o.rec.Topic
	if err := p.partitions.err(topic); err != nil {
		return err
	}
	switch {
	case errors.Is(o.err, kerr.UnknownTopicID):
		p.forget(topic)
		return fmt.Errorf("produce to topic %s: %w", topic, ErrTopicRemade)
	case errors.Is(o.err, kerr.UnknownTopicOrPartition):
		p.forget(topic)
		return fmt.Errorf("produce to topic %s: %w", topic, ErrNoTopic)
	}
	return fmt.Errorf("produce %s to topic %s: %w", o.rec.Key, topic, o.err)
}

// forget drops what is known of a topic that is gone. The client would hold on
// to the id of the old one for ever, and never write to one made anew.
func (p *Publisher) forget(topic string) {
	p.cl.PurgeTopicsFromClient(topic)
	p.limits.forget(topic)
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
