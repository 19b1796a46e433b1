package apply

import (
	"context"
	"maps"
	"slices"
	"time"

	"odastream/internal/pause"
	"odastream/stream"
)

// parkedTopic is one that cannot be applied although the database answers: its
// dead-letter topic takes nothing, somebody has locked its table, … The others go
// on; its partitions are paused, so what waits here does not grow.
type parkedTopic struct {
	name  string
	segs  []segment
	held  map[stream.TopicPartition]bool // partitions paused on its account
	err   error
	try   int
	since time.Time
	next  time.Time
}

// parking holds the parked topics in the order in which they stopped. Only work
// uses it; what others may see is in state.
type parking []*parkedTopic

func (p parking) find(topic string) *parkedTopic {
	for _, t := range p {
		if t.name == topic {
			return t
		}
	}
	return nil
}

// join adds segments of parked topics to what waits there, and returns the others.
func (p parking) join(segs []segment, consumer consumer) (others []segment) {
	for _, seg := range segs {
		if t := p.find(seg.Topic); t != nil {
			t.segs = append(t.segs, seg)
			t.held[seg.TopicPartition] = true
			consumer.Pause(seg.TopicPartition)
			continue
		}
		others = append(others, seg)
	}
	return others
}

// due is how long it is until the next retry; an hour if nothing is parked.
func (p parking) due(now time.Time) time.Duration {
	wait := time.Hour
	for _, t := range p {
		wait = min(wait, max(t.next.Sub(now), 0))
	}
	return wait
}

// separately tries each topic of segs alone, and parks those that fail.
func (s *Sink) separately(ctx context.Context, segs []segment) error {
	names, byTopic := topics(segs)
	for _, name := range names {
		rest, err := s.attempt(ctx, byTopic[name])
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			s.park(name, rest, err)
		}
	}
	return nil
}

func (s *Sink) park(name string, segs []segment, err error) {
	now := time.Now()
	t := &parkedTopic{name: name, err: err, since: now, next: now.Add(s.delay(0)), held: map[stream.TopicPartition]bool{}}
	s.parked = append(s.parked, t)
	s.parked.join(segs, s.consumer)
	s.state.park(partitions(segs), err)
	s.metrics.paused.Set(float64(s.state.paused()))
	s.log.Warn("topic cannot be applied, trying again until it can", "topic", name, "err", err)
}

// retryParked tries the parked topics that are due.
func (s *Sink) retryParked(ctx context.Context) error {
	for _, t := range slices.Clone(s.parked) {
		if t.next.After(time.Now()) {
			continue
		}
		if err := s.retry(ctx, t); err != nil {
			return err
		}
	}
	return nil
}

// retry tries t once more. What was too slow for the database is halved with each
// try, so that it holds up the other topics no longer than one statement may take.
func (s *Sink) retry(ctx context.Context, t *parkedTopic) error {
	part, later := t.segs, []segment(nil)
	if tooSlow(t.err) {
		part, later = split(t.segs, max(count(t.segs)>>t.try, 1))
	}
	rest, err := s.attempt(ctx, part)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err == nil && len(later) == 0:
		s.unpark(t)
	case err == nil:
		t.segs, t.next = later, time.Now()
	default:
		t.try++
		t.segs, t.err, t.next = append(slices.Clip(rest), later...), err, time.Now().Add(s.delay(t.try))
		s.metrics.retries.Inc()
		s.state.park(partitions(t.segs), err)
	}
	return nil
}

func (s *Sink) unpark(t *parkedTopic) {
	held := slices.Collect(maps.Keys(t.held))
	s.parked = slices.DeleteFunc(s.parked, func(p *parkedTopic) bool { return p == t })
	s.state.unpark(held)
	s.metrics.paused.Set(float64(s.state.paused()))
	s.consumer.Resume(held...)
	s.log.Info("topic is applied again", "topic", t.name)
}

// drainParked retries until nothing is parked any more, or for too long.
func (s *Sink) drainParked(ctx context.Context) error {
	for len(s.parked) > 0 {
		oldest := s.parked[0]
		if time.Since(oldest.since) > s.giveUp {
			left := &LeftBehindError{Cause: oldest.err}
			for _, t := range s.parked {
				left.Topics = append(left.Topics, t.name)
			}
			return left
		}
		if err := pause.For(ctx, s.parked.due(time.Now())); err != nil {
			return err
		}
		if err := s.retryParked(ctx); err != nil {
			return err
		}
	}
	return nil
}
