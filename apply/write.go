package apply

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"odastream/cache"
	"odastream/stream"
)

// write applies segs in order, and returns those that are left when it ends with
// an error. Where Postgres refuses a record it looks for that one by halves, and
// dead-letters it once it was refused alone: the others of its batch are innocent.
func (s *Sink) write(ctx context.Context, segs []segment) (rest []segment, err error) {
	if err := s.letter(ctx, segs); err != nil {
		return segs, err
	}
	start := time.Now()
	result, err := s.store.Apply(ctx, batch(segs))
	if err == nil {
		s.applied(ctx, segs, result, time.Since(start))
		return nil, nil
	}
	tried(segs)
	sqlstate, faulty := cache.IsRecordFault(err)
	switch alone := count(segs) == 1; {
	case alone && faulty && segs[0].items[0].fault == nil:
		segs[0].items[0].fault = &fault{class: stream.ClassData, sqlstate: sqlstate, text: err.Error(), tries: segs[0].items[0].tries}
		return s.write(ctx, segs)
	case !alone && faulty:
		return s.halves(ctx, segs)
	}
	return segs, err
}

func tried(segs []segment) {
	for _, seg := range segs {
		for i := range seg.items {
			seg.items[i].tries++
		}
	}
}

func (s *Sink) halves(ctx context.Context, segs []segment) (rest []segment, err error) {
	s.metrics.halved.Inc()
	left, right := split(segs, count(segs)/2)
	if rest, err = s.write(ctx, left); err != nil {
		return append(slices.Clip(rest), right...), err
	}
	return s.write(ctx, right)
}

// tooSlow tells whether the database gave up a statement for its length (57014):
// a shorter one may do.
func tooSlow(err error) bool {
	var state interface{ SQLState() string }
	return errors.As(err, &state) && state.SQLState() == "57014"
}

// letter brings the dead letters of segs to Kafka.
//
// Invariant 2: they are acknowledged before the offset passes their records.
func (s *Sink) letter(ctx context.Context, segs []segment) error {
	var letters []stream.DeadLetter
	var faults []*fault
	for _, seg := range segs {
		for _, it := range seg.items {
			if f := it.fault; f != nil && !f.lettered {
				f.letter = s.deadLetter(seg, it)
				faults = append(faults, f)
				letters = append(letters, stream.DeadLetter{
					Record: it.record, HasOffset: true, Group: s.cfg.Group, Class: f.class,
					Err: f.text, SQLState: f.sqlstate, Attempts: f.tries, FailedAt: f.letter.FailedAt,
				})
			}
		}
	}
	if len(letters) == 0 {
		return nil
	}
	if err := s.letters.DeadLetter(ctx, letters...); err != nil {
		return fmt.Errorf("write dead letters: %w", err)
	}
	for _, f := range faults {
		f.lettered = true
		s.log.Warn("record dead-lettered", "topic", f.letter.Topic, "partition", f.letter.Partition,
			"offset", f.letter.Offset, "key", f.letter.Key, "class", f.class, "sqlstate", f.sqlstate, "err", f.text)
	}
	return nil
}

func (s *Sink) deadLetter(seg segment, it item) cache.DeadLetter {
	return cache.DeadLetter{
		TopicPartition: cache.TopicPartition(seg.TopicPartition), Offset: it.record.Offset, Key: string(it.record.Key),
		Class: string(it.fault.class), SQLState: it.fault.sqlstate, Error: it.fault.text, FailedAt: time.Now(),
		Seq: cmp.Or(it.message.Change.Seq, stream.EventSeq(it.record)),
	}
}

// applied notes what a committed transaction did, and tells Kafka how far we are.
func (s *Sink) applied(ctx context.Context, segs []segment, result cache.Result, took time.Duration) {
	s.metrics.batch(segs, result, took)
	next := map[stream.TopicPartition]int64{}
	for _, seg := range segs {
		next[seg.TopicPartition] = seg.To
	}
	s.state.noteApplied(next)
	s.consumer.Commit(ctx, next)
	s.log.Debug("batch applied", "records", count(segs), "partitions", len(next), "took", took)
}
