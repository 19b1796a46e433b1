package apply

import (
	"context"
	"maps"
	"slices"
	"time"

	"odastream/internal/pause"
	"odastream/schema"
)

// pausedTopic is a topic that cannot be applied although the database answers: its
// dead-letter topic cannot be written, its table is locked, … The other topics go on.
// Its partitions are paused, so the segments that wait here do not grow.
type pausedTopic struct {
	name       string
	segs       []segment
	partitions map[schema.TopicPartition]bool // partitions paused for it
	err        error
	try        int
	since      time.Time
	next       time.Time
}

// pausedTopics are in the order in which they were paused. Only work uses them;
// state has what others may see.
type pausedTopics []*pausedTopic

func (p pausedTopics) find(topic string) *pausedTopic {
	for _, t := range p {
		if t.name == topic {
			return t
		}
	}
	return nil
}

// addTo adds segments of paused topics to what waits there, and returns the others.
func (p pausedTopics) addTo(segs []segment, consumer consumer) (others []segment) {
	for _, seg := range segs {
		if t := p.find(seg.Topic); t != nil {
			t.segs = append(t.segs, seg)
			t.partitions[seg.TopicPartition] = true
			consumer.Pause(seg.TopicPartition)
			continue
		}
		others = append(others, seg)
	}
	return others
}

// due is the time until the next retry; an hour if nothing is paused.
func (p pausedTopics) due(now time.Time) time.Duration {
	wait := time.Hour
	for _, t := range p {
		wait = min(wait, max(t.next.Sub(now), 0))
	}
	return wait
}

// applyEachTopic applies each topic of segs alone, and pauses those that fail.
func (s *Sink) applyEachTopic(ctx context.Context, segs []segment) error {
	names, byTopic := groupByTopic(segs)
	for _, name := range names {
		rest, err := s.attempt(ctx, byTopic[name])
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			s.pauseTopic(name, rest, err)
		}
	}
	return nil
}

func (s *Sink) pauseTopic(name string, segs []segment, err error) {
	now := time.Now()
	t := &pausedTopic{name: name, err: err, since: now, next: now.Add(s.delay(0)), partitions: map[schema.TopicPartition]bool{}}
	s.paused = append(s.paused, t)
	s.paused.addTo(segs, s.consumer)
	s.state.pause(partitions(segs), err)
	s.metrics.paused.Set(float64(s.state.countPaused()))
	s.log.Warn("topic cannot be applied, retrying", "topic", name, "err", err)
}

// retryPaused retries the paused topics that are due.
func (s *Sink) retryPaused(ctx context.Context) error {
	for _, t := range slices.Clone(s.paused) {
		if t.next.After(time.Now()) {
			continue
		}
		if err := s.retry(ctx, t); err != nil {
			return err
		}
	}
	return nil
}

// retry applies t once more. After a statement timeout each try applies half as
// much, so that t delays the other topics by no more than one statement's time.
func (s *Sink) retry(ctx context.Context, t *pausedTopic) error {
	part, later := t.segs, []segment(nil)
	if isTimeout(t.err) {
		part, later = split(t.segs, max(count(t.segs)>>t.try, 1))
	}
	rest, err := s.attempt(ctx, part)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err == nil && len(later) == 0:
		s.resumeTopic(t)
	case err == nil:
		t.segs, t.next = later, time.Now()
	default:
		t.try++
		t.segs, t.err, t.next = append(slices.Clip(rest), later...), err, time.Now().Add(s.delay(t.try))
		s.metrics.retries.Inc()
		s.state.pause(partitions(t.segs), err)
	}
	return nil
}

func (s *Sink) resumeTopic(t *pausedTopic) {
	all := slices.Collect(maps.Keys(t.partitions))
	s.paused = slices.DeleteFunc(s.paused, func(p *pausedTopic) bool { return p == t })
	s.state.resume(all)
	s.metrics.paused.Set(float64(s.state.countPaused()))
	s.consumer.Resume(all...)
	s.log.Info("topic is applied again", "topic", t.name)
}

// drainPaused retries until nothing is paused, or until giveUp is over.
func (s *Sink) drainPaused(ctx context.Context) error {
	for len(s.paused) > 0 {
		oldest := s.paused[0]
		if time.Since(oldest.since) > s.giveUp {
			left := &LeftBehindError{Cause: oldest.err}
			for _, t := range s.paused {
				left.Topics = append(left.Topics, t.name)
			}
			return left
		}
		if err := pause.For(ctx, s.paused.due(time.Now())); err != nil {
			return err
		}
		if err := s.retryPaused(ctx); err != nil {
			return err
		}
	}
	return nil
}
