package apply

import (
	"sync"
	"time"

	"odastream/schema"
)

// state is what Ready and Status report of work.
type state struct {
	mu      sync.Mutex
	outage  error     // why the database cannot be written; nil if it can
	since   time.Time // of outage
	paused  map[schema.TopicPartition]error
	applied map[schema.TopicPartition]progress
}

type progress struct {
	next int64
	at   time.Time
}

func newState() *state {
	return &state{paused: map[schema.TopicPartition]error{}, applied: map[schema.TopicPartition]progress{}}
}

// beginOutage notes an error of an outage; it returns true for the first one.
func (s *state) beginOutage(err error) (first bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if first = s.outage == nil; first {
		s.since = time.Now()
	}
	s.outage = err
	return first
}

// endOutage returns false if there was no outage.
func (s *state) endOutage() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	was := s.outage != nil
	s.outage = nil
	return was
}

// outageTime is how long the outage has lasted; 0 without one.
func (s *state) outageTime() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.outage == nil {
		return 0
	}
	return time.Since(s.since)
}

func (s *state) pause(partitions []schema.TopicPartition, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, tp := range partitions {
		s.paused[tp] = err
	}
}

func (s *state) resume(partitions []schema.TopicPartition) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, tp := range partitions {
		delete(s.paused, tp)
	}
}

// countPaused is the number of paused partitions.
func (s *state) countPaused() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.paused)
}

func (s *state) noteApplied(next map[schema.TopicPartition]int64) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for tp, offset := range next {
		s.applied[tp] = progress{next: offset, at: now}
	}
}

// drop drops partitions that another sink owns from now on, or whose offset another
// writer changed.
func (s *state) drop(partitions []schema.TopicPartition) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, tp := range partitions {
		delete(s.applied, tp)
		delete(s.paused, tp)
	}
}

// hasApplied says whether something of a partition was applied since it was assigned.
func (s *state) hasApplied(tp schema.TopicPartition) bool {
	_, known, _ := s.of(tp)
	return known
}

// of returns what is known of one partition; reason is why it is paused.
func (s *state) of(tp schema.TopicPartition) (p progress, known bool, reason error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, known = s.applied[tp]
	return p, known, s.paused[tp]
}

func (s *state) trouble() (since time.Time, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.since, s.outage
}
