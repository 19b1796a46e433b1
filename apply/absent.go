package apply

import (
	"context"
	"errors"
	"strings"

	"odastream/schema"
	"odastream/stream"
)

// rebuilder deletes the rows of an entity of which the topic holds no record, under
// the locks of its partitions; a *rebuild.Rebuilder is one.
type rebuilder interface {
	DeleteAbsent(ctx context.Context, entity string) (deleted int, err error)
}

// deleteAbsent deletes the rows of a topic whose deletes were compacted away before
// this sink read them: the database was restored from a backup that is older than
// the topic keeps deletes, or the sink was down for that long. What the topic still
// holds is applied afterwards, with its history.
func (s *Sink) deleteAbsent(ctx context.Context, topic string) error {
	entity, err := schema.Lookup(strings.TrimPrefix(topic, s.kafka.TopicPrefix))
	if err != nil {
		s.log.Error("cannot look for rows deleted in the meantime: unknown entity", "topic", topic, "err", err)
		return nil
	}
	deleted, err := s.rebuilder.DeleteAbsent(ctx, entity.Name)
	if errors.Is(err, stream.ErrNotCompacted) {
		s.log.Error("cannot look for rows deleted in the meantime", "topic", topic, "err", err)
		return nil
	}
	if err == nil {
		s.log.Info("deleted the rows that the topic no longer holds", "topic", topic, "deleted", deleted)
	}
	return err
}
