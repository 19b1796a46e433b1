package query

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// State says what the copy holds of an entity.
type State struct {
	// Version changes with each transaction that changes rows of the entity or their
	// history. Equal versions mean equal rows.
	Version string
	// ChangedAt is when something was last applied; zero if nothing was.
	ChangedAt time.Time
	// CompleteThrough is the moment up to which everything that the source had is
	// published; zero before the first whole reading.
	CompleteThrough time.Time
}

// Rows change with offsets, and otherwise with the entity's epoch (package cache).
const selectStates = `SELECT t.entity, concat_ws('/', o.applied, e.epoch), GREATEST(o.changed_at, e.changed_at), c.consistent_through
FROM unnest($1::text[], $2::text[]) AS t (entity, topic)
LEFT JOIN LATERAL (
    SELECT string_agg(concat_ws(' ', s.group_id, s.partition, s.topic_id, s.next_offset), ',' ORDER BY s.group_id, s.partition) AS applied,
        max(s.updated_at) AS changed_at
    FROM sink_offsets s WHERE s.topic = t.topic) o ON true
LEFT JOIN cache_epochs e ON e.entity_type = t.entity
LEFT JOIN parliament.consistent_through c ON c.entity = t.entity`

// States returns the state of each entity, with one statement. topicOf names the topic of
// each.
func (r *Reader) States(ctx context.Context, topicOf map[string]string) (map[string]State, error) {
	var entities, topics []string
	for entity, topic := range topicOf {
		entities, topics = append(entities, entity), append(topics, topic)
	}
	rows, err := r.pool.Query(ctx, selectStates, entities, topics)
	if err != nil {
		return nil, fmt.Errorf("read the state of the copy: %w", err)
	}
	states := make(map[string]State, len(topicOf))
	var entity string
	var s State
	var changedAt, completeThrough *time.Time
	_, err = pgx.ForEachRow(rows, []any{&entity, &s.Version, &changedAt, &completeThrough}, func() error {
		s.ChangedAt, s.CompleteThrough = orZero(changedAt), orZero(completeThrough)
		states[entity] = s
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the state of the copy: %w", err)
	}
	return states, nil
}

func orZero(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}
