package capture

import (
	"context"
	"errors"
	"log/slog"
	"math"

	"odastream/oda"
	"odastream/schema"
)

// repairBatch is how many Dirty rows are looked up at once.
const repairBatch = 1000

// dirtyStore is the part of the store that lists Dirty rows.
type dirtyStore interface {
	DirtyIDs(ctx context.Context, entity string, after int64, limit int) ([]int64, error)
}

// repairer has the Dirty rows of an entity published again.
type repairer struct {
	entity string
	store  dirtyStore
	reader *reader
	writer *writer
	log    *slog.Logger
}

// repair reads the Dirty rows from the source again and submits them.
func (r *repairer) repair(ctx context.Context) error {
	// Invariant 4: what a previous holder of the lease published late is published over.
	for after := int64(math.MinInt64); ; {
		ids, err := r.store.DirtyIDs(ctx, r.entity, after, repairBatch)
		if err != nil || len(ids) == 0 {
			return err
		}
		r.log.Warn("publishing rows again: a previous holder of the lease published older versions late", "rows", len(ids))
		for _, id := range ids {
			p, err := r.reader.readConfirmed(ctx, oda.Window{IDs: schema.OneID(id)}, oda.Tail, schema.OriginScan)
			if errors.Is(err, oda.ErrNotFound) {
				return nil // the source does not have the entity at present
			}
			if err != nil {
				return err
			}
			if err := r.writer.submit(ctx, p); err != nil {
				return err
			}
		}
		after = ids[len(ids)-1]
	}
}
