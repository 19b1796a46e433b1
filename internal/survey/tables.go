package survey

import (
	"context"
	"strings"
	"time"

	"odastream/cache"
	"odastream/checkpoint"
	"odastream/schema"
)

// countTimeout bounds the count of all rows, which takes too long in a complete cache.
const countTimeout = 4 * time.Second

// readTables reads the state of each entity from the tables.
func readTables(ctx context.Context, t Target) (*entities, error) {
	k := &entities{bySuffix: map[string]*Entity{}}
	reader := cache.NewReader(t.Pool)
	pollers, err := checkpoint.New(t.Pool).Overview(ctx)
	if err != nil {
		return nil, err
	}
	applied, err := reader.AppliedAt(ctx)
	if err != nil {
		return nil, err
	}
	dead, err := reader.OpenDeadLetters(ctx)
	if err != nil {
		return nil, err
	}
	for _, o := range pollers {
		e := k.of(o.Entity)
		e.Holder, e.Watermark, e.LoadedAt, e.ScannedAt = o.Holder, o.Watermark, o.LoadedAt, o.ScannedAt
	}
	for topic, at := range applied {
		k.ofTopic(topic, t).AppliedAt = at.UTC()
	}
	for topic, n := range dead {
		k.ofTopic(topic, t).DeadLetters = n
	}
	k.count(ctx, reader)
	return k, nil
}

// count counts the rows of each entity, if that does not take too long.
func (k *entities) count(ctx context.Context, reader *cache.Reader) {
	ctx, cancel := context.WithTimeout(ctx, countTimeout)
	defer cancel()
	counted, err := reader.CountRows(ctx)
	if err != nil {
		return
	}
	var total int64
	for name, n := range counted {
		total += n
		k.of(name)
	}
	k.rows = &total
	for _, e := range k.bySuffix {
		n := counted[e.Entity]
		e.Rows = &n
	}
}

// ofTopic finds the entity of a topic. If the schema does not know it, its name is the
// topic's last part.
func (k *entities) ofTopic(topic string, t Target) *Entity {
	suffix := strings.TrimPrefix(topic, t.TopicPrefix)
	if e, err := schema.Lookup(suffix); err == nil {
		return k.of(e.Name)
	}
	return k.of(suffix)
}
