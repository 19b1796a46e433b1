package trial

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"odastream/cache"
	"odastream/checkpoint"
)

// earlier is what earlier trials on the directory have brought about. The zero
// value: there was none.
type earlier struct {
	Loaded  int       // entities whose first load is complete
	Applied int64     // offsets passed, of all topics together
	Last    time.Time // when it was last at work
}

func readEarlier(ctx context.Context, pool *pgxpool.Pool) (f earlier, err error) {
	entities, err := checkpoint.New(pool).Overview(ctx)
	if err != nil {
		return earlier{}, fmt.Errorf("read what an earlier start left: %w", err)
	}
	for _, e := range entities {
		if !e.LoadedAt.IsZero() {
			f.Loaded++
		}
		if e.SavedAt.After(f.Last) {
			f.Last = e.SavedAt
		}
	}
	applied, err := cache.NewReader(pool).Applied(ctx)
	if err != nil {
		return earlier{}, fmt.Errorf("read what an earlier start left: %w", err)
	}
	for _, n := range applied {
		f.Applied += n
	}
	return f, nil
}

// countRows counts the rows of the cache. On a complete copy of the live data
// that takes longer than anybody waits, so it gives up after some seconds.
func countRows(ctx context.Context, pool *pgxpool.Pool) (n int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	counted, err := cache.NewReader(pool).CountRows(ctx)
	for _, rows := range counted {
		n += rows
	}
	return n, err
}
