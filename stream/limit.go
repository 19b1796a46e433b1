package stream

import (
	"context"
	"fmt"
	"sync"
)

// limits remembers how large a record each topic takes, in bytes. The client
// fixes the size of a partition's batches when it first produces there, so a
// limit is read once and may only fall afterwards; one that was raised counts
// from the next start on.
type limits struct {
	read func(ctx context.Context, names []string) (map[string]topicSettings, error)

	mu sync.Mutex
	of map[string]int
}

// known returns the limit of a topic, or Kafka's default if it was not read yet.
func (l *limits) known(topic string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n, ok := l.of[topic]; ok {
		return n
	}
	return defaultMaxMessage
}

// load reads the limits of those topics that are not known yet.
func (l *limits) load(ctx context.Context, topics map[string]bool) error {
	var missing []string
	l.mu.Lock()
	for topic := range topics {
		if _, ok := l.of[topic]; !ok {
			missing = append(missing, topic)
		}
	}
	l.mu.Unlock()
	if len(missing) == 0 {
		return nil
	}
	return l.reload(ctx, missing)
}

// reload reads limits again; it only lowers those that are known.
func (l *limits) reload(ctx context.Context, topics []string) error {
	settings, err := l.read(ctx, topics)
	if err != nil {
		return fmt.Errorf("read record limit: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, topic := range topics {
		n := settings[topic].maxMessage
		if old, ok := l.of[topic]; !ok || n < old {
			l.of[topic] = n
		}
	}
	return nil
}

// forget drops a topic that is gone; one made anew has a limit of its own.
func (l *limits) forget(topic string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.of, topic)
}
