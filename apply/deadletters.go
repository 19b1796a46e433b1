package apply

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"odastream/stream"
)

// DeadLetterWriter writes dead letters. It creates a missing dead-letter topic: a
// topic that another program created, or that of a new entity, has none.
type DeadLetterWriter struct {
	Publisher *stream.Publisher
	Topics    *stream.Topics
	Kafka     stream.Config
}

// DeadLetter returns when all dead letters are acknowledged. After an error some may be
// written; writing them again is safe.
func (w DeadLetterWriter) DeadLetter(ctx context.Context, letters ...stream.DeadLetter) error {
	err := w.Publisher.DeadLetter(ctx, letters...)
	if !errors.Is(err, stream.ErrNoTopic) {
		return err
	}
	seen := map[string]bool{}
	var entities []string
	for _, letter := range letters {
		// A topic's name has the entity's name transliterated, which Ensure accepts.
		entity := strings.TrimPrefix(letter.Record.Topic, w.Kafka.TopicPrefix)
		if !seen[entity] {
			seen[entity] = true
			entities = append(entities, entity)
		}
	}
	if err := w.Topics.Ensure(ctx, entities); err != nil {
		return fmt.Errorf("create dead-letter topics: %w", err)
	}
	return w.Publisher.DeadLetter(ctx, letters...)
}
