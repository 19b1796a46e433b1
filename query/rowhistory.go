package query

import (
	"context"
	"encoding/json"
	"math"
	"time"

	"github.com/jackc/pgx/v5"

	"odastream/odata"
	"odastream/schema"
)

// Version is a change of a row.
type Version struct {
	Seq        int64           `json:"seq"`
	Action     string          `json:"action"` // "create", "update" or "delete"
	RecordedAt time.Time       `json:"recorded_at"`
	Changed    []string        `json:"changed"` // the members that an update changed; null of others
	Before     json.RawMessage `json:"before"`  // the changed members as they were, or the whole row of a delete
	After      json.RawMessage `json:"after"`   // the changed members as they became, or the whole row of a create
}

// RowOf returns a row of an entity, with its members in the source's order; as it was at a
// moment, if one is given. It returns ErrNoRow if there is none, or was none then, a
// *schema.UnknownEntityError if the source has no such entity, and an *odata.Error if the
// history of the moment is no longer kept.
func (r *Reader) RowOf(ctx context.Context, entity string, id int64, at *time.Time) (row json.RawMessage, err error) {
	e, err := schema.Lookup(entity)
	if err != nil {
		return nil, err
	}
	var data []byte
	err = r.view(ctx, &odata.Request{AsOf: at}, func(v view) error {
		data, err = v.row(ctx, e.Name, id)
		return err
	})
	if err == nil && data == nil {
		err = ErrNoRow
	}
	if err != nil {
		return nil, err
	}
	return odata.AppendElement(nil, odata.Element{Data: data}, e, odata.Shape{}, math.MaxInt)
}

// History returns the changes of a row, the newest first. It has none where the row came
// with a first load and has not changed since. It returns ErrNoRow for a row that the copy
// has never had, and a *schema.UnknownEntityError if the source has no such entity.
func (r *Reader) History(ctx context.Context, entity string, id int64, after string, limit int) (List[Version], error) {
	e, err := schema.Lookup(entity)
	if err != nil {
		return List[Version]{}, err
	}
	l := &listing{
		name: "history", columns: "h.seq, h.action, h.recorded_at, h.changed, h.before, h.after",
		tables: "parliamentary_history h", keys: []sortKey{highest("h.seq")},
	}
	ofRow := func(_ context.Context, _ pgx.Tx, l *listing) error {
		l.add("h.entity_type = " + l.arg(e.Name, "text") + " AND h.entity_id = " + l.arg(id, "bigint"))
		return nil
	}
	return readList(ctx, r, l, ofRow, after, limit, func(ctx context.Context, tx pgx.Tx, list []Version) error {
		if len(list) == 0 {
			return known(ctx, tx, e.Name, id)
		}
		for i := range list {
			list[i].RecordedAt = list[i].RecordedAt.UTC()
		}
		return nil
	})
}

// known returns ErrNoRow for a row that the copy neither has nor had.
func known(ctx context.Context, tx pgx.Tx, entity string, id int64) error {
	const query = `SELECT EXISTS (SELECT FROM parliamentary_data WHERE entity_type = $1 AND entity_id = $2)
    OR EXISTS (SELECT FROM parliamentary_deleted WHERE entity_type = $1 AND entity_id = $2)
    OR EXISTS (SELECT FROM parliamentary_history WHERE entity_type = $1 AND entity_id = $2)`
	var is bool
	if err := tx.QueryRow(ctx, query, entity, id).Scan(&is); err != nil {
		return err
	}
	if !is {
		return ErrNoRow
	}
	return nil
}
