package checkpoint

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"odastream/internal/session"
)

// Lateness counts the rows that were found behind the watermark, late by up to
// Bound and by more than the next lower bound.
type Lateness struct {
	Bound time.Duration // whole seconds
	Rows  int64
	Worst time.Duration // the most that one of these rows was late; whole seconds, rounded up
}

func addLateness(m *session.Message, entity string, list []Lateness) {
	for _, l := range list {
		m.Add(`
INSERT INTO poller_lateness AS o (entity_type, day, seconds, rows, worst)
VALUES ($1, (now() AT TIME ZONE 'UTC')::date, $2, $3, $4)
ON CONFLICT (entity_type, day, seconds) DO UPDATE
SET rows = o.rows + excluded.rows, worst = greatest(o.worst, excluded.worst)`,
			entity, seconds(l.Bound), l.Rows, seconds(l.Worst))
	}
}

// LateRows returns the entity's histogram of the last days, bounds ascending. It
// is empty if no row was late.
func (s *Store) LateRows(ctx context.Context, entity string, days int) ([]Lateness, error) {
	rows, err := s.pool.Query(ctx, `
SELECT seconds, sum(rows)::bigint, max(worst) FROM poller_lateness
WHERE entity_type = $1 AND day > (now() AT TIME ZONE 'UTC')::date - $2::int
GROUP BY seconds ORDER BY seconds`, entity, days)
	if err != nil {
		return nil, fmt.Errorf("read lateness of %s: %w", entity, err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (l Lateness, err error) {
		var bound, worst int64
		err = row.Scan(&bound, &l.Rows, &worst)
		l.Bound, l.Worst = time.Duration(bound)*time.Second, time.Duration(worst)*time.Second
		return l, err
	})
	if err != nil {
		return nil, fmt.Errorf("read lateness of %s: %w", entity, err)
	}
	return list, nil
}

func seconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }
