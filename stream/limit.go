package stream

import (
	"context"
	"fmt"
	"sync"
)

// limits caches each topic's limit of a record's size, in bytes. The client fixes the
// batch size of a partition when it first produces to it. So a limit is read once and
// afterwards only lowered; a raised one takes effect at the next start.
type limits struct {
	read func(ctx context.Context, names []string) (map[string]topicSettings, error)

	mu sync.Mutex
	of map[string]int
}

// limit returns the limit of a topic, or Kafka's default if it was not read yet.
func (l *limits) limit(topic string) int {
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

// reload reads limits again; it lowers but never raises a known one.
func (l *limits) reload(ctx context.Context, topics []string) error {
	settings, err := l.read(ctx, topics)
	if err != nil {
		return fmt.Errorf("read record limit: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, topic := range topics {
		n := min(settings[topic].maxMessage, maxProduced) // what readers take
		if old, ok := l.of[topic]; !ok || n < old {
			l.of[topic] = n
		}
	}
	return nil
}

// drop drops a topic that was deleted; a recreated one may have another limit.
func (l *limits) drop(topic string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.of, topic)
}
