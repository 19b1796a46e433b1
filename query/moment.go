package query

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"odastream/odata"
)

// Moment is the copy at one moment: what is read through it agrees.
type Moment struct {
	tx     pgx.Tx
	reader *Reader
}

// A reader of rows takes as much time as it needs.
var momentOptions = pgx.TxOptions{
	BeginQuery: "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = 0; SET LOCAL jit = off",
}

// Moment calls work with the copy as it is now. Its statements have no limit of time, but
// end with ctx, as the moment does: Postgres keeps old versions of all rows until then.
func (r *Reader) Moment(ctx context.Context, work func(Moment) error) error {
	err := pgx.BeginTxFunc(ctx, r.pool, momentOptions, func(tx pgx.Tx) error {
		// While a reader of rows is waited for, nothing else ends the snapshot: not ctx, which
		// is not looked at meanwhile, and not a timeout of the server, which waits in a write.
		conn := tx.Conn().PgConn().Conn()
		defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
		return work(Moment{tx, &Reader{pool: r.pool, held: r.held, tx: tx}})
	})
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return meaning(err)
}

// Reader returns a Reader whose questions are answered from the moment, one after the other.
// After an error, nothing more can be read through the Moment.
func (m Moment) Reader() *Reader { return m.reader }

// Each calls do with each row of a request, by id, as the text of its jsonb, which do may
// read until it returns. It leaves aside the order, the page and the shape that the request
// asks for. No more than a buffer of rows is in memory. After an error of do, nothing more
// can be read through the Moment.
func (m Moment) Each(ctx context.Context, request *odata.Request, do func(row []byte) error) error {
	s, err := m.selection(ctx, request)
	if err != nil {
		return err
	}
	alias := s.sources[0].alias
	sql := fmt.Sprintf("SELECT %[1]s.data::text%[2]s ORDER BY %[1]s.entity_id", alias, s.from())
	rows, err := m.tx.Query(ctx, sql, s.args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := do(rows.RawValues()[0]); err != nil {
			// Close reads the rest of the rows, which may be long.
			_ = m.tx.Conn().PgConn().Conn().Close()
			return err
		}
	}
	return rows.Err()
}

// Members returns the names of the members that rows of a request have besides the known
// ones, in order.
func (m Moment) Members(ctx context.Context, request *odata.Request, known []string) ([]string, error) {
	s, err := m.selection(ctx, request)
	if err != nil {
		return nil, err
	}
	sql := fmt.Sprintf(`SELECT DISTINCT k FROM (SELECT %s.data%s) r,
    jsonb_object_keys(CASE jsonb_typeof(r.data) WHEN 'object' THEN r.data END) k
WHERE k <> ALL (%s) ORDER BY k`, s.sources[0].alias, s.from(), s.arg(known, "text[]"))
	rows, err := m.tx.Query(ctx, sql, s.args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// selection returns the rows of a request, which must be of a kind that has some.
func (m Moment) selection(ctx context.Context, request *odata.Request) (*selection, error) {
	if request.Kind != odata.Rows {
		return nil, fmt.Errorf("read rows of %s: the request is not for rows", request.Entity.Name)
	}
	v := view{tx: m.tx, asOf: request.AsOf}
	if err := v.check(ctx); err != nil {
		return nil, err
	}
	return v.selection(ctx, request)
}
