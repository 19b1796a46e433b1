package capture

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"odastream/internal/outage"
	"odastream/stream"
)

const (
	// brokersEvery is how often brokers are asked.
	brokersEvery = 10 * time.Second
	// brokersTime is how long they may take to answer.
	brokersTime = 5 * time.Second
)

// topicStates is the part of topics that asks how far an entity's topic reaches.
type topicStates interface {
	State(ctx context.Context, entity string) (stream.TopicState, error)
}

// brokers asks the leaders of one entity's topic after the other whether they answer.
// Without it, a poller that has nothing to publish would be ready without Kafka. It is
// safe for concurrent use.
type brokers struct {
	topics   topicStates
	entities []string
	every    time.Duration
	log      *slog.Logger

	mu     sync.Mutex
	failed outage.Outage // of the last question
}

// keepAsking asks until ctx ends. After an error it asks for the same topic until that
// is answered.
func (b *brokers) keepAsking(ctx context.Context) {
	for i := 0; len(b.entities) > 0; {
		if wait(ctx, b.every) != nil {
			return
		}
		if b.ask(ctx, b.entities[i]) {
			i = (i + 1) % len(b.entities)
		}
	}
}

func (b *brokers) ask(ctx context.Context, entity string) (answered bool) {
	asked, cancel := context.WithTimeout(ctx, brokersTime)
	defer cancel()
	_, err := b.topics.State(asked, entity)
	if ctx.Err() != nil {
		return true
	}
	if errors.Is(err, stream.ErrNoTopic) {
		err = nil // an answer; the session recreates the topic
	}
	if err != nil {
		err = fmt.Errorf("ask Kafka for the topic of %s: %w", entity, err)
	}
	b.note(err)
	return err == nil
}

func (b *brokers) note(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch changed := b.failed.Note(err); {
	case changed && err != nil:
		b.log.Warn("kafka does not answer, asking again", "err", err)
	case changed:
		b.log.Info("kafka answers again")
	}
}

// trouble returns why Kafka does not answer, and since when; no error if it does.
func (b *brokers) trouble() outage.Outage {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.failed
}
