package stream

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"
)

// aged gives the topics of which something is to be read on from a stored offset,
// with the age of the oldest. Where nothing was written behind the offset, no
// delete can be gone.
func aged(found map[TopicPartition]*partition, held map[TopicPartition]Position) map[string]time.Duration {
	ages := map[string]time.Duration{}
	for tp, p := range found {
		if pos, ok := held[tp]; ok && pos.Next == p.at && pos.TopicID == p.topicID && p.at < p.end && !pos.StoredAt.IsZero() {
			ages[tp.Topic] = max(ages[tp.Topic], time.Since(pos.StoredAt))
		}
	}
	return ages
}

// lookThrough has each topic whose offset is older than the topic keeps deletes
// looked through before it is read on.
func (s *starts) lookThrough(ctx context.Context, ages map[string]time.Duration) error {
	if len(ages) == 0 || s.cc.Aged == nil {
		return nil
	}
	names := slices.Sorted(maps.Keys(ages))
	settings, err := (&Topics{adm: s.adm, cfg: s.cfg, log: s.log}).settings(ctx, names)
	if err != nil {
		return err
	}
	for _, topic := range names {
		keeps := settings[topic].keeps()
		if ages[topic] <= keeps {
			continue
		}
		s.metrics.resets.WithLabelValues(resetAged).Inc()
		s.log.Warn("stored offset is older than the topic keeps deletes, looking through the topic from its start",
			"topic", topic, "age", ages[topic].Round(time.Second), "delete_retention", keeps)
		s.tell(fmt.Sprintf("looking for rows of topic %s that were deleted since %s ago", topic, ages[topic].Round(time.Second)))
		if err := s.cc.Aged(ctx, topic); err != nil {
			return fmt.Errorf("look through topic %s: %w", topic, err)
		}
	}
	return nil
}
