package stream

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"odastream/schema"
)

// errSparse ends a count: see schema.IDSet.
var errSparse = errors.New("its records have too many different ids to be counted")

// LiveRows reads the topic of an entity and returns the ids of the rows that it holds: the
// last record of each is a change that is no delete. Records that are no changes of the
// entity are left out. Errors are those of ReadLog.
func (t *Topics) LiveRows(ctx context.Context, entity string) (*schema.IDSet, error) {
	live := new(schema.IDSet)
	_, err := t.ReadLog(ctx, entity, nil, func(records []*kgo.Record) error {
		for _, rec := range records {
			m, err := t.cfg.Decode(rec)
			switch {
			case err != nil:
			case m.Change.Action == schema.Delete:
				live.Remove(m.Change.ID)
			case !live.Add(m.Change.ID):
				return errSparse
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("count rows in the topic of %s: %w", entity, err)
	}
	return live, nil
}

// Extents returns where each partition of an entity's topic starts (Start) and ends
// (Next). Errors are those of State.
func (t *Topics) Extents(ctx context.Context, entity string) (map[int32]schema.Position, error) {
	state, err := t.State(ctx, entity)
	if err != nil {
		return nil, fmt.Errorf("look up the topic of %s: %w", entity, err)
	}
	extents := make(map[int32]schema.Position, state.Partitions())
	for p := range state.End {
		extents[int32(p)] = schema.Position{TopicID: state.ID, Start: state.Start[p], Next: state.End[p]}
	}
	return extents, nil
}
