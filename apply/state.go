package apply

import (
	"sync"
	"time"

	"odastream/internal/outage"
	"odastream/schema"
)

// state is what Ready and Status report of work.
type state struct {
	mu      sync.Mutex
	outage  outage.Outage // why the last attempt to write failed
	probe   outage.Outage // why the next attempt would fail, found while there is nothing to write
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

// attempted notes what an attempt to write returned. It returns true if an outage began
// or ended with it.
func (s *state) attempted(err error) (changed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.probe = outage.Outage{} // the attempt knows better
	return s.outage.Note(err)
}

// probed notes what the next attempt would meet. It returns true if that has changed.
func (s *state) probed(err error) (changed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.probe.Note(err)
}

// outageTime is how long the outage has lasted; 0 without one.
func (s *state) outageTime() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.outage.Err == nil {
		return 0
	}
	return time.Since(s.outage.Since)
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

// trouble returns why the database cannot be written, and since when; nil if it can.
func (s *state) trouble() (since time.Time, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.outage.Err != nil {
		return s.outage.Since, s.outage.Err
	}
	return s.probe.Since, s.probe.Err
}
