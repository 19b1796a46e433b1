package query

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"odastream/schema"
)

// EntityState says what the copy has of an entity set.
type EntityState struct {
	Entity          string     `json:"entity"`
	Rows            int64      `json:"rows"`
	CompleteThrough *time.Time `json:"complete_through"` // null until a whole reading proved one
	LastChange      *time.Time `json:"last_change"`      // when the sink last changed, added or deleted a row; null if it never did
}

// Entities returns the state of each entity set that the source has, in load order. It
// counts each row: on a complete copy that takes seconds.
func (r *Reader) Entities(ctx context.Context) (list []EntityState, err error) {
	var names []string
	for _, e := range schema.Entities() {
		names = append(names, e.Name)
	}
	err = r.snapshot(ctx, func(tx pgx.Tx) error {
		list, err = collect[EntityState](ctx, tx, `SELECT e.name, COALESCE(d.rows, 0), c.consistent_through, GREATEST(d.last, g.last)
FROM unnest($1::text[]) WITH ORDINALITY AS e (name, n)
LEFT JOIN (SELECT entity_type, count(*) AS rows, max(updated_at) AS last FROM parliamentary_data GROUP BY 1) d ON d.entity_type = e.name
LEFT JOIN (SELECT entity_type, max(deleted_at) AS last FROM parliamentary_deleted GROUP BY 1) g ON g.entity_type = e.name
LEFT JOIN parliament.consistent_through c ON c.entity = e.name
ORDER BY e.n`, names)
		return err
	})
	for i, e := range list {
		list[i].CompleteThrough, list[i].LastChange = inUTC(e.CompleteThrough), inUTC(e.LastChange)
	}
	return list, err
}

func inUTC(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	utc := t.UTC()
	return &utc
}
