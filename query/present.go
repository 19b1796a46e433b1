package query

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Present is what the copy says of itself.
type Present struct {
	At              time.Time            // now, by the database's clock
	Schema          int64                // the last migration of the tables
	CompleteThrough map[string]time.Time // as in State, by entity; without those that were never read whole
}

// Present returns what the copy says of itself, without a look at its rows.
func (r *Reader) Present(ctx context.Context) (p Present, err error) {
	p.CompleteThrough = map[string]time.Time{}
	err = r.snapshot(ctx, func(tx pgx.Tx) error {
		const now = `SELECT clock_timestamp(), (SELECT max(version_id) FROM goose_db_version WHERE is_applied)`
		if err := tx.QueryRow(ctx, now).Scan(&p.At, &p.Schema); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `SELECT entity, consistent_through FROM parliament.consistent_through WHERE consistent_through IS NOT NULL`)
		if err != nil {
			return err
		}
		var entity string
		var through time.Time
		_, err = pgx.ForEachRow(rows, []any{&entity, &through}, func() error {
			p.CompleteThrough[entity] = through.UTC()
			return nil
		})
		return err
	})
	if err != nil {
		return Present{}, fmt.Errorf("read the state of the copy: %w", err)
	}
	p.At = p.At.UTC()
	return p, nil
}
