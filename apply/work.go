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
	"odastream/stream"
)

// LeftBehindError is returned by Once for topics that could not be applied to
// their end. What was applied stays; another run goes on there.
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

// work applies what collect hands over, one batch after the other.
func (s *Sink) work(ctx context.Context) error {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		timer.Reset(s.parked.due(time.Now()))
		var err error
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-timer.C:
			err = s.retryParked(ctx)
		case t := <-s.queue:
			if err = s.apply(ctx, t.segs); err == nil && t.done != nil {
				err = s.drainParked(ctx)
				t.done <- err
			}
		}
		if err != nil {
			return err
		}
	}
}

// apply brings segs into the cache, for as long as it takes. It returns nil once
// they are applied, given to another sink, or parked with their topic; an error
// only if ctx ended, or in Once if the database stays away.
//
// Invariant 6: no error of the environment dead-letters anything.
func (s *Sink) apply(ctx context.Context, segs []segment) error {
	segs = s.parked.join(segs, s.consumer)
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
			return s.separately(ctx, rest)
		}
		segs = rest
		s.outage(err)
		if s.state.gone() > s.giveUp {
			return &LeftBehindError{Topics: s.behind(segs), Cause: err}
		}
		if err := pause.For(ctx, s.delay(try)); err != nil {
			return err
		}
	}
}

// behind names the topics of which something is left to apply, segs among it.
func (s *Sink) behind(segs []segment) []string {
	names, _ := topics(segs)
	for _, t := range s.Status().Topics {
		if t.Lag > 0 {
			names = append(names, t.Topic)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// attempt applies segs once; rest is what an error left over. Partitions that
// another sink has moved are given up and read again from where they are now.
func (s *Sink) attempt(ctx context.Context, segs []segment) (rest []segment, err error) {
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return segs, ctx.Err()
	}
	defer func() { <-s.turn }()
	late, cancel := grace(ctx, graceTime)
	defer cancel()
	for {
		if segs = s.current(segs); len(segs) == 0 {
			return nil, nil
		}
		if segs, err = s.write(late, segs); !errors.Is(err, cache.ErrMoved) {
			return segs, err
		}
		s.log.Warn("partitions were moved by another writer", "err", err)
		if segs, err = s.follow(ctx, segs); err != nil {
			return segs, err
		}
	}
}

// current leaves out what is no longer ours. It runs in the turn that Revoked
// waits for, so nothing is begun for a partition once it was given away.
func (s *Sink) current(segs []segment) []segment {
	var ours []segment
	for _, seg := range segs {
		if s.consumer.Current(seg.Span) {
			ours = append(ours, seg)
		}
	}
	return ours
}

// follow compares segs with the offsets as they are now, keeps what still
// continues them, and has the partitions of the rest read again.
func (s *Sink) follow(ctx context.Context, segs []segment) ([]segment, error) {
	held, err := s.store.Positions(ctx)
	if err != nil {
		return segs, err
	}
	keep, lost := continued(segs, held)
	if len(lost) == 0 && count(keep) == count(segs) {
		// The offsets are as expected and yet they were not: read all again.
		keep, lost = nil, partitions(segs)
	}
	s.metrics.moved.Add(float64(len(lost)))
	s.state.forget(lost)
	if err := s.consumer.Reseek(ctx, lost); err != nil {
		return segs, err
	}
	return keep, nil
}

// continued gives those of segs that begin where held ends. A segment that ends
// there was applied, although its commit was answered with an error.
func continued(segs []segment, held map[cache.TopicPartition]cache.Position) (keep []segment, lost []stream.TopicPartition) {
	byPartition := map[stream.TopicPartition][]segment{}
	for _, seg := range segs {
		byPartition[seg.TopicPartition] = append(byPartition[seg.TopicPartition], seg)
	}
	for _, tp := range partitions(segs) {
		rest, ok := after(byPartition[tp], held)
		if !ok {
			lost = append(lost, tp)
		}
		keep = append(keep, rest...)
	}
	return keep, lost
}

func after(segs []segment, held map[cache.TopicPartition]cache.Position) (rest []segment, ok bool) {
	pos, known := held[cache.TopicPartition(segs[0].TopicPartition)]
	if !known {
		pos = cache.Position{TopicID: segs[0].TopicID, Next: min(segs[0].From, 0)}
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

// reachable tells an outage of the whole database from trouble with one topic.
func (s *Sink) reachable(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, s.probe)
	defer cancel()
	_, err := s.store.Positions(ctx)
	return err == nil
}

func (s *Sink) outage(err error) {
	if s.state.away(err) {
		s.log.Warn("cache cannot be written, trying again until it can", "err", err)
	}
	s.metrics.outage.Set(1)
	s.metrics.retries.Inc()
}

func (s *Sink) recovered() {
	if s.state.back() {
		s.metrics.outage.Set(0)
		s.log.Info("cache is written again")
	}
}

// revoked lets the transaction in flight end before partitions go to another
// sink. If that takes too long they go all the same: Invariant 2's compare-and-set
// then decides between the two.
func (s *Sink) revoked(ctx context.Context, partitions []stream.TopicPartition) {
	defer s.state.forget(partitions)
	timer := time.NewTimer(s.handover)
	defer timer.Stop()
	select {
	case s.turn <- struct{}{}:
		<-s.turn
	case <-timer.C:
		s.log.Warn("partitions given up while a transaction is in flight")
	case <-ctx.Done():
	}
}
