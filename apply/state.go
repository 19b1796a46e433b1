package apply

import (
	"sync"
	"time"

	"odastream/stream"
)

// state is what work tells Ready and Status.
type state struct {
	mu      sync.Mutex
	outage  error     // why nothing can be written; nil: it can
	since   time.Time // of outage
	parked  map[stream.TopicPartition]error
	applied map[stream.TopicPartition]progress
}

type progress struct {
	next int64
	at   time.Time
}

func newState() *state {
	return &state{parked: map[stream.TopicPartition]error{}, applied: map[stream.TopicPartition]progress{}}
}

// away notes an outage; it returns true for the first error of one.
func (s *state) away(err error) (first bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if first = s.outage == nil; first {
		s.since = time.Now()
	}
	s.outage = err
	return first
}

// back ends an outage; it returns false if there was none.
func (s *state) back() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	was := s.outage != nil
	s.outage = nil
	return was
}

// gone is how long the outage has lasted; 0 without one.
func (s *state) gone() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.outage == nil {
		return 0
	}
	return time.Since(s.since)
}

func (s *state) park(partitions []stream.TopicPartition, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, tp := range partitions {
		s.parked[tp] = err
	}
}

func (s *state) unpark(partitions []stream.TopicPartition) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, tp := range partitions {
		delete(s.parked, tp)
	}
}

// paused is the number of partitions that are parked.
func (s *state) paused() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.parked)
}

func (s *state) noteApplied(next map[stream.TopicPartition]int64) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for tp, offset := range next {
		s.applied[tp] = progress{next: offset, at: now}
	}
}

// forget drops what is known of partitions that others have moved or will move.
func (s *state) forget(partitions []stream.TopicPartition) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, tp := range partitions {
		delete(s.applied, tp)
		delete(s.parked, tp)
	}
}

// untouched tells whether nothing was applied of a partition since it was taken.
func (s *state) untouched(tp stream.TopicPartition) bool {
	_, known, _ := s.of(tp)
	return !known
}

// of gives what is known of one partition.
func (s *state) of(tp stream.TopicPartition) (p progress, known bool, parked error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, known = s.applied[tp]
	return p, known, s.parked[tp]
}

func (s *state) trouble() (since time.Time, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.since, s.outage
}
