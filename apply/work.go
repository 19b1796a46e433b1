package apply

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"odastream/cache"
	"odastream/internal/pause"
	"odastream/schema"
)

// LeftBehindError is returned by Once for topics that could not be applied to
// their end. What was applied stays; another run continues from there.
type LeftBehindError struct {
	Topics []string
	Cause  error
}

// Error names the topics and the cause.
func (e *LeftBehindError) Error() string {
	return fmt.Sprintf("left behind: %s: %v", strings.Join(e.Topics, ", "), e.Cause)
}

// Unwrap gives the cause.
func (e *LeftBehindError) Unwrap() error { return e.Cause }

// work applies the batches that collect sends, one after the other.
func (s *Sink) work(ctx context.Context) error {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		timer.Reset(s.paused.due(time.Now()))
		var err error
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-timer.C:
			err = s.retryPaused(ctx)
		case t := <-s.queue:
			if err = s.apply(ctx, t.segs); err == nil && t.done != nil {
				err = s.drainPaused(ctx)
				t.done <- err
			}
		}
		if err != nil {
			return err
		}
	}
}

// apply writes segs to the cache, and retries until it can. It returns nil once they
// are applied, belong to another sink, or wait with their paused topic. It returns an
// error only if ctx ended, or in Once if the database stays down.
//
// Invariant 6: no error of the environment dead-letters anything.
func (s *Sink) apply(ctx context.Context, segs []segment) error {
	segs = s.paused.addTo(segs, s.consumer)
	for try := 0; ; try++ {
		rest, err := s.attempt(ctx, segs)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil:
			s.recovered()
			return nil
		case s.reachable(ctx):
			s.recovered()
			return s.applyEachTopic(ctx, rest)
		}
		segs = rest
		s.outage(err)
		if s.state.outageTime() > s.giveUp {
			return &LeftBehindError{Topics: s.behind(segs), Cause: err}
		}
		if err := pause.For(ctx, s.delay(try)); err != nil {
			return err
		}
	}
}

// behind returns the topics that are not applied to their end, those of segs included.
func (s *Sink) behind(segs []segment) []string {
	names, _ := groupByTopic(segs)
	for _, t := range s.Status().Topics {
		if t.Lag > 0 {
			names = append(names, t.Topic)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// attempt applies segs once; after an error, rest is what is not applied. Partitions
// whose stored offset another sink changed are read again from that offset.
func (s *Sink) attempt(ctx context.Context, segs []segment) (rest []segment, err error) {
	select {
	case s.writing <- struct{}{}:
	case <-ctx.Done():
		return segs, ctx.Err()
	}
	defer func() { <-s.writing }()
	late, cancel := outlive(ctx, graceTime)
	defer cancel()
	for {
		if segs = s.ownedOf(segs); len(segs) == 0 {
			return nil, nil
		}
		if segs, err = s.write(late, segs); !errors.Is(err, cache.ErrOffsetConflict) {
			return segs, err
		}
		s.log.Warn("another writer changed stored offsets", "err", err)
		if segs, err = s.resync(ctx, segs); err != nil {
			return segs, err
		}
	}
}

// ownedOf returns the segments whose partition this sink still owns. It runs under
// the lock that revoked waits for, so no transaction begins for a partition after it
// was given to another sink.
func (s *Sink) ownedOf(segs []segment) []segment {
	var ours []segment
	for _, seg := range segs {
		if s.consumer.Current(seg.Span) {
			ours = append(ours, seg)
		}
	}
	return ours
}

// resync compares segs with the offsets as they are stored now. It keeps what still
// continues them, and reads the partitions of the rest again.
func (s *Sink) resync(ctx context.Context, segs []segment) ([]segment, error) {
	stored, err := s.store.Positions(ctx)
	if err != nil {
		return segs, err
	}
	keep, lost := splitAtStored(segs, stored)
	if len(lost) == 0 && count(keep) == count(segs) {
		// The offsets are as expected now, but were not in the transaction: read all again.
		keep, lost = nil, partitions(segs)
	}
	s.metrics.moved.Add(float64(len(lost)))
	s.state.drop(lost)
	if err := s.consumer.Reseek(ctx, lost); err != nil {
		return segs, err
	}
	return keep, nil
}

// splitAtStored returns in keep the segments that continue the stored offsets, and in
// lost the partitions of the others. A segment that ends at the stored offset was
// applied, although its commit returned an error.
func splitAtStored(segs []segment, stored map[schema.TopicPartition]schema.Position) (keep []segment, lost []schema.TopicPartition) {
	byPartition := map[schema.TopicPartition][]segment{}
	for _, seg := range segs {
		byPartition[seg.TopicPartition] = append(byPartition[seg.TopicPartition], seg)
	}
	for _, tp := range partitions(segs) {
		rest, ok := skipApplied(byPartition[tp], stored)
		if !ok {
			lost = append(lost, tp)
		}
		keep = append(keep, rest...)
	}
	return keep, lost
}

func skipApplied(segs []segment, stored map[schema.TopicPartition]schema.Position) (rest []segment, ok bool) {
	pos, known := stored[segs[0].TopicPartition]
	if !known {
		pos = schema.Position{TopicID: segs[0].TopicID, Next: min(segs[0].From, 0)}
	}
	if pos.TopicID != segs[0].TopicID {
		return nil, false
	}
	for i, seg := range segs {
		if seg.To == pos.Next {
			return segs[i+1:], true
		}
	}
	if segs[0].From != pos.Next {
		return nil, false
	}
	return segs, true
}

// reachable tells an outage of the database from trouble with one topic.
func (s *Sink) reachable(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, s.probe)
	defer cancel()
	_, err := s.store.Positions(ctx)
	return err == nil
}

func (s *Sink) outage(err error) {
	if s.state.attempted(err) {
		s.log.Warn("cache cannot be written, retrying", "err", err)
	}
	s.metrics.outage.Set(1)
	s.metrics.retries.Inc()
}

func (s *Sink) recovered() {
	if s.state.attempted(nil) {
		s.log.Info("cache can be written again")
	}
	s.metrics.outage.Set(0)
}

// revoked waits for the transaction in flight before partitions go to another sink.
// After handover it no longer waits: the compare-and-set of Invariant 2 then decides
// which of the two sinks commits.
func (s *Sink) revoked(ctx context.Context, partitions []schema.TopicPartition) {
	defer s.state.drop(partitions)
	timer := time.NewTimer(s.handover)
	defer timer.Stop()
	select {
	case s.writing <- struct{}{}:
		<-s.writing
	case <-timer.C:
		s.log.Warn("partitions given to another sink while a transaction is in flight")
	case <-ctx.Done():
	}
}
