package apply

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"odastream/cache"
	"odastream/schema"
	"odastream/stream"
)

// write applies segs in order; after an error, rest is what is not applied. If
// Postgres refuses a record, write bisects segs to find it. It dead-letters a record
// only if Postgres refuses that record alone: the others of its batch are not at fault.
func (s *Sink) write(ctx context.Context, segs []segment) (rest []segment, err error) {
	if err := s.writeDeadLetters(ctx, segs); err != nil {
		return segs, err
	}
	start := time.Now()
	result, err := s.store.Apply(ctx, makeBatch(segs))
	if err == nil {
		s.noteApplied(ctx, segs, result, time.Since(start))
		return nil, nil
	}
	countTries(segs)
	sqlstate, faulty := cache.IsRecordFault(err)
	switch alone := count(segs) == 1; {
	case alone && faulty && segs[0].items[0].fault == nil:
		segs[0].items[0].fault = &fault{class: stream.ClassData, sqlstate: sqlstate, text: err.Error(), tries: segs[0].items[0].tries}
		return s.write(ctx, segs)
	case !alone && faulty:
		return s.writeHalves(ctx, segs)
	}
	return segs, err
}

func countTries(segs []segment) {
	for _, seg := range segs {
		for i := range seg.items {
			seg.items[i].tries++
		}
	}
}

func (s *Sink) writeHalves(ctx context.Context, segs []segment) (rest []segment, err error) {
	s.metrics.halved.Inc()
	left, right := split(segs, count(segs)/2)
	if rest, err = s.write(ctx, left); err != nil {
		return append(slices.Clip(rest), right...), err
	}
	return s.write(ctx, right)
}

// isTimeout says whether Postgres canceled the statement because of its
// statement_timeout (57014): a shorter one may succeed.
func isTimeout(err error) bool {
	var state interface{ SQLState() string }
	return errors.As(err, &state) && state.SQLState() == "57014"
}

// writeDeadLetters writes the dead letters of segs to Kafka.
//
// Invariant 2: they are acknowledged before the offset passes their records.
func (s *Sink) writeDeadLetters(ctx context.Context, segs []segment) error {
	var letters []stream.DeadLetter
	var faults []*fault
	for _, seg := range segs {
		for _, it := range seg.items {
			if f := it.fault; f != nil && !f.written {
				f.deadLetter = s.makeDeadLetter(seg, it)
				faults = append(faults, f)
				letters = append(letters, stream.DeadLetter{
					Record: it.record, HasOffset: true, Group: s.cfg.Group, Class: f.class,
					Err: f.text, SQLState: f.sqlstate, Attempts: f.tries, FailedAt: f.deadLetter.FailedAt,
				})
			}
		}
	}
	if len(letters) == 0 {
		return nil
	}
	if err := s.deadLetters.DeadLetter(ctx, letters...); err != nil {
		return fmt.Errorf("write dead letters: %w", err)
	}
	for _, f := range faults {
		f.written = true
		s.log.Warn("record dead-lettered", "topic", f.deadLetter.Topic, "partition", f.deadLetter.Partition,
			"offset", f.deadLetter.Offset, "key", f.deadLetter.Key, "class", f.class, "sqlstate", f.sqlstate, "err", f.text)
	}
	return nil
}

func (s *Sink) makeDeadLetter(seg segment, it item) cache.DeadLetter {
	return cache.DeadLetter{
		TopicPartition: seg.TopicPartition, Offset: it.record.Offset, Key: string(it.record.Key),
		Class: string(it.fault.class), SQLState: it.fault.sqlstate, Error: it.fault.text, FailedAt: time.Now(),
		Seq: cmp.Or(it.message.Change.Seq, stream.EventSeq(it.record)),
	}
}

// noteApplied records what a committed transaction did, and commits the offsets to
// Kafka for lag displays.
func (s *Sink) noteApplied(ctx context.Context, segs []segment, result cache.Result, took time.Duration) {
	s.metrics.countBatch(segs, result, took)
	next := map[schema.TopicPartition]int64{}
	for _, seg := range segs {
		next[seg.TopicPartition] = seg.To
	}
	s.state.noteApplied(next)
	s.consumer.Commit(ctx, next)
	s.log.Debug("batch applied", "records", count(segs), "partitions", len(next), "took", took)
}
