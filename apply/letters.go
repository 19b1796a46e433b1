package apply

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"odastream/stream"
)

// Letters writes dead letters, and makes the dead-letter topic where it is
// missing: a topic of somebody else's making, or of an entity unknown until now,
// has none.
type Letters struct {
	Publisher *stream.Publisher
	Topics    *stream.Topics
	Kafka     stream.Config
}

// DeadLetter returns when all letters are acknowledged. With an error some may be
// written; writing them again does no harm.
func (l Letters) DeadLetter(ctx context.Context, letters ...stream.DeadLetter) error {
	err := l.Publisher.DeadLetter(ctx, letters...)
	if !errors.Is(err, stream.ErrNoTopic) {
		return err
	}
	seen := map[string]bool{}
	var entities []string
	for _, letter := range letters {
		// Topic names are entity names already transliterated, which Ensure takes too.
		entity := strings.TrimPrefix(letter.Record.Topic, l.Kafka.TopicPrefix)
		if !seen[entity] {
			seen[entity] = true
			entities = append(entities, entity)
		}
	}
	if err := l.Topics.Ensure(ctx, entities); err != nil {
		return fmt.Errorf("make dead-letter topics: %w", err)
	}
	return l.Publisher.DeadLetter(ctx, letters...)
}
