package stream

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"odastream/schema"
)

// offsetAges returns the topics with records after a stored offset, with the age of
// the oldest such offset. Without records after the offset no delete can be missing.
func offsetAges(found map[schema.TopicPartition]*partition, stored map[schema.TopicPartition]schema.Position) map[string]time.Duration {
	ages := map[string]time.Duration{}
	for tp, p := range found {
		if pos, ok := stored[tp]; ok && pos.Next == p.at && pos.TopicID == p.topicID && p.at < p.end && !pos.StoredAt.IsZero() {
			ages[tp.Topic] = max(ages[tp.Topic], time.Since(pos.StoredAt))
		}
	}
	return ages
}

// checkAges calls OnOldOffset for each topic with an offset older than the topic keeps
// tombstones.
func (s *starts) checkAges(ctx context.Context, ages map[string]time.Duration) error {
	if len(ages) == 0 || s.cc.OnOldOffset == nil {
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
		s.metrics.resets.WithLabelValues(resetOld).Inc()
		s.log.Warn("stored offset is older than the topic keeps deletes, reading the topic from its start for missing deletes",
			"topic", topic, "age", ages[topic].Round(time.Second), "delete_retention", keeps)
		s.report(fmt.Sprintf("looking for deletes of topic %s that were missed in the last %s", topic, ages[topic].Round(time.Second)))
		if err := s.cc.OnOldOffset(ctx, topic); err != nil {
			return fmt.Errorf("find missing deletes of topic %s: %w", topic, err)
		}
	}
	return nil
}
