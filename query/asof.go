package query

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"odastream/odata"
)

// statements runs the statements of a view: in a transaction, or each on its own.
type statements interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// view is the rows of one moment: as they are, or as they were.
type view struct {
	tx   statements
	asOf *time.Time // nil: as they are
	left *budget    // of the answer; nil: it is not held in memory
}

// check returns an *odata.Error for an instant of which the history is no longer kept: rows
// that changed since would be missing from the answer.
func (v view) check(ctx context.Context) error {
	if v.asOf == nil {
		return nil
	}
	var from *time.Time
	if err := v.tx.QueryRow(ctx, `SELECT max(kept_from) FROM parliamentary_history_start`).Scan(&from); err != nil {
		return err
	}
	if from == nil || !v.asOf.Before(*from) {
		return nil
	}
	return &odata.Error{
		Option: "asof", At: 1, What: fmt.Sprintf("the history of %s is no longer kept", v.asOf.Format(time.RFC3339Nano)),
		Allowed: []string{from.UTC().Format(time.RFC3339) + " and later"},
	}
}

// row returns the content of a row; nil if there is none.
func (v view) row(ctx context.Context, entity string, id int64) (data []byte, err error) {
	if v.asOf != nil {
		err = v.tx.QueryRow(ctx, `SELECT parliament.as_of($1, $2, $3)::text`, entity, id, *v.asOf).Scan(&data)
		return data, err
	}
	// The entity is a literal, so that Postgres prunes the partitions when it plans.
	err = v.tx.QueryRow(ctx, `SELECT t.data::text FROM parliamentary_data t WHERE `+isOf("t", entity)+` AND t.entity_id = $1`, id).Scan(&data)
	if errors.Is(err, pgx.ErrNoRows) {
		err = nil
	}
	return data, err
}

// The rows of an entity ({E}) as they were, in two parts. The seq of a change is its time
// ({seq}).
const (
	// A row is as it is now if that content held then and nothing has changed since. Its since
	// alone does not tell: where a row changed and changed back within a batch, it is that of
	// the first content.
	unchangedRows = `SELECT p.entity_type, p.entity_id, p.data, p.opdateringsdato FROM parliamentary_data p
WHERE p.entity_type = {E} AND COALESCE(p.since, p.seq) <= {seq} AND NOT EXISTS (
    SELECT FROM parliamentary_history h WHERE h.entity_type = {E} AND h.entity_id = p.entity_id AND h.seq > {seq})`

	// Of a row that has changed since, the changes are undone; it existed if the content that
	// the first of them replaced held then. Rows of which none did, as all that were created
	// since, are left out before.
	undoneRows = `SELECT {E}, u.entity_id, u.data, parliament.as_timestamp(u.data ->> 'opdateringsdato') FROM (
    SELECT h.entity_id, parliament.undone(p.data, h.action, h.changed, h.before ORDER BY h.seq DESC) AS data
    FROM parliamentary_history h LEFT JOIN parliamentary_data p ON p.entity_type = {E} AND p.entity_id = h.entity_id
    WHERE h.entity_type = {E} AND h.seq > {seq} AND h.entity_id IN (
        SELECT c.entity_id FROM parliamentary_history c WHERE c.entity_type = {E} AND c.seq > {seq} AND c.since <= {seq})
    GROUP BY h.entity_id HAVING (array_agg(h.since ORDER BY h.seq))[1] <= {seq}) u
WHERE u.data IS NOT NULL`
)

// table returns a table with the rows of an entity.
func (c *compiler) table(entity string) string {
	if c.then == "" {
		return "parliamentary_data"
	}
	return c.past(entity, "("+unchangedRows+"\nUNION ALL\n"+undoneRows+")")
}

func (c *compiler) past(entity, sql string) string {
	return strings.NewReplacer("{E}", literal(entity)+"::text", "{seq}", c.then).Replace(sql)
}

// firstRows returns a table with the first n rows of an entity as they were, by id, behind
// an id unless it is nil. Postgres would read each part of the table whole to order them
// together.
func (c *compiler) firstRows(entity string, after *string, n int64) string {
	part := func(sql, alias string) string {
		if after != nil {
			sql += " AND " + alias + ".entity_id > " + cast(c.arg(*after, "text"), "bigint")
		}
		return "(" + sql + " ORDER BY " + alias + ".entity_id LIMIT " + c.arg(n, "bigint") + ")"
	}
	return c.past(entity, "("+part(unchangedRows, "p")+"\nUNION ALL\n"+part(undoneRows, "u")+")")
}
