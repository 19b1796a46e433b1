package cache

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// One snapshot for the names of the members and the rows; as much time as the
// reader of the rows takes.
var copyOptions = pgx.TxOptions{
	BeginQuery: "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = 0; SET LOCAL jit = off",
}

// CopyJSON writes an entity's current rows to w, a line each, by id and as of one
// moment, and returns how many they are. No more than a buffer of them is in memory.
// The moment's snapshot ends with ctx at the latest, even while w waits for its reader.
func (r *Reader) CopyJSON(ctx context.Context, entity string, w io.Writer) (rows int64, err error) {
	return r.copyOut(ctx, entity, w, func(pgx.Tx) (string, error) {
		// The text of a jsonb has no control characters, so with these as its signs CSV
		// writes each row as it is.
		return `COPY (SELECT data` + fromRows(entity) + `) TO STDOUT (FORMAT csv, QUOTE E'\x01', ESCAPE E'\x01', DELIMITER E'\x02')`, nil
	})
}

// CopyCSV writes an entity's current rows as CopyJSON does, as CSV below a line with
// the names of their members: those of columns first, then whatever else a row has.
// An empty field is null, "" is an empty text.
func (r *Reader) CopyCSV(ctx context.Context, entity string, columns []string, w io.Writer) (rows int64, err error) {
	return r.copyOut(ctx, entity, w, func(tx pgx.Tx) (string, error) {
		more, err := otherMembers(ctx, tx, entity, columns)
		if err != nil {
			return "", err
		}
		var list []string
		for _, name := range slices.Concat(columns, more) {
			list = append(list, "data ->> "+quoted(name)+" AS "+pgx.Identifier{name}.Sanitize())
		}
		return `COPY (SELECT ` + strings.Join(list, ", ") + fromRows(entity) + `) TO STDOUT (FORMAT csv, HEADER)`, nil
	})
}

func (r *Reader) copyOut(ctx context.Context, entity string, w io.Writer, query func(pgx.Tx) (string, error)) (rows int64, err error) {
	err = pgx.BeginTxFunc(ctx, r.pool, copyOptions, func(tx pgx.Tx) error {
		sql, err := query(tx)
		if err != nil {
			return err
		}
		conn := tx.Conn().PgConn()
		// While w waits for its reader, nothing else ends the snapshot, which keeps vacuum
		// from removing rows: not ctx, which is not looked at meanwhile, and not a timeout of
		// the server, which waits for us in a write.
		defer context.AfterFunc(ctx, func() { _ = conn.Conn().Close() })()
		tag, err := conn.CopyTo(ctx, w, sql)
		rows = tag.RowsAffected()
		return err
	})
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		return 0, fmt.Errorf("copy rows of %s: %w", entity, err)
	}
	return rows, nil
}

func fromRows(entity string) string {
	return ` FROM parliamentary_data WHERE entity_type = ` + quoted(entity) + ` ORDER BY entity_id`
}

// otherMembers names the members that rows have beside the known ones.
func otherMembers(ctx context.Context, tx pgx.Tx, entity string, known []string) ([]string, error) {
	const query = `SELECT DISTINCT k FROM parliamentary_data p, jsonb_object_keys(p.data) k
WHERE p.entity_type = $1 AND jsonb_typeof(p.data) = 'object' AND k <> ALL ($2) ORDER BY k`
	rows, err := tx.Query(ctx, query, entity, known)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// quoted is a text as SQL writes it: COPY takes no parameters.
func quoted(text string) string {
	return `E'` + strings.NewReplacer(`\`, `\\`, `'`, `''`).Replace(text) + `'`
}
