package apply

import (
	"time"

	"odastream/stream"
)

// Status is what /status shows of a sink, and /readyz as detail.
type Status struct {
	Group  string        `json:"group"`
	Ready  bool          `json:"ready"`
	Reason string        `json:"reason,omitempty"` // why the whole sink applies nothing
	Since  *time.Time    `json:"since,omitempty"`  // since when, if Reason is an outage of the database
	Lag    int64         `json:"lag"`              // offsets between what is applied and the topics' ends
	Topics []TopicStatus `json:"topics"`           // those of which this sink has partitions
}

// TopicStatus is a topic's part of Status.
type TopicStatus struct {
	Topic      string            `json:"topic"`
	Lag        int64             `json:"lag"`
	AppliedAt  *time.Time        `json:"applied_at,omitempty"` // when this process last applied records of it
	Partitions []PartitionStatus `json:"partitions"`
}

// PartitionStatus is one partition of a topic.
type PartitionStatus struct {
	Partition int32  `json:"partition"`
	Next      int64  `json:"next"` // offset of the next record to apply
	End       int64  `json:"end"`  // the topic's end when last read
	Lag       int64  `json:"lag"`  // counts offsets that compaction removed, too
	Reason    string `json:"reason,omitempty"`
}

// Ready says whether the sink is in its group, the database can be written, and no
// partition is paused. detail is the Status. It is safe for concurrent use, before
// and during Run and Once.
func (s *Sink) Ready() (ok bool, detail any) {
	status := s.Status()
	return status.Ready, status
}

// Status returns how far each partition is. It is safe for concurrent use.
func (s *Sink) Status() Status {
	status := Status{Group: s.cfg.Group, Topics: []TopicStatus{}}
	consumer := s.public.Load()
	if consumer == nil {
		status.Reason = "not started yet"
		return status
	}
	owned, trouble := (*consumer).State()
	status.Reason = trouble
	if since, err := s.state.trouble(); err != nil {
		status.Reason, status.Since = err.Error(), &since
	}
	status.Ready = status.Reason == ""
	for _, p := range owned {
		if n := len(status.Topics); n == 0 || status.Topics[n-1].Topic != p.Topic {
			status.Topics = append(status.Topics, TopicStatus{Topic: p.Topic})
		}
		part, at := s.partitionStatus(p)
		status.Topics[len(status.Topics)-1].add(part, at)
		status.Lag += part.Lag
		status.Ready = status.Ready && part.Reason == ""
	}
	return status
}

func (t *TopicStatus) add(p PartitionStatus, at time.Time) {
	t.Partitions = append(t.Partitions, p)
	t.Lag += p.Lag
	if !at.IsZero() && (t.AppliedAt == nil || t.AppliedAt.Before(at)) {
		t.AppliedAt = &at
	}
}

func (s *Sink) partitionStatus(p stream.PartitionState) (PartitionStatus, time.Time) {
	status := PartitionStatus{Partition: p.Partition, Next: p.Start, End: p.End, Reason: p.Trouble}
	done, known, reason := s.state.of(p.TopicPartition)
	if known {
		status.Next = done.next
	}
	if reason != nil {
		status.Reason = reason.Error()
	}
	status.Lag = max(status.End-status.Next, 0)
	return status, done.at
}
