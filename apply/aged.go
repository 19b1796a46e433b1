package apply

import (
	"context"
	"errors"
	"strings"

	"odastream/rebuild"
	"odastream/schema"
	"odastream/stream"
)

// aged finds the rows of a topic whose deletes were compacted away before this
// sink read them: the database was restored from a backup that is older than the
// topic keeps deletes, or the sink was away for that long. What the topic still
// holds is applied afterwards as ever, with its history.
func (s *Sink) aged(ctx context.Context, topic string) error {
	entity, err := schema.Lookup(strings.TrimPrefix(topic, s.kafka.TopicPrefix))
	if err != nil {
		s.log.Error("rows that were deleted meanwhile are not looked for: the topic's entity is unknown", "topic", topic, "err", err)
		return nil
	}
	cl, err := stream.NewClient(s.kafka, s.log, s.opts...)
	if err != nil {
		return err
	}
	defer cl.Close()
	r := rebuild.Rebuilder{Topics: stream.NewTopics(cl, s.kafka, s.log), Kafka: s.kafka, Store: s.store}
	removed, err := r.Forget(ctx, entity.Name)
	if errors.Is(err, rebuild.ErrNotCompacted) {
		s.log.Error("rows that were deleted meanwhile are not looked for", "topic", topic, "err", err)
		return nil
	}
	if err == nil {
		s.log.Info("topic looked through: rows that it no longer holds are removed", "topic", topic, "removed", removed)
	}
	return err
}
