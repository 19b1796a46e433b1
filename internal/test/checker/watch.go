package checker

import (
	"context"
	"reflect"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// Watch takes a look at each interval until ctx ends, and returns those that differ from
// the previous one. It skips a look that fails because the database is down.
func Watch(ctx context.Context, pool *pgxpool.Pool, s Scope, every time.Duration) (looks []Look) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return looks
		case <-tick.C:
		}
		look, err := Take(ctx, pool, s)
		if err == nil && (len(looks) == 0 || !reflect.DeepEqual(look, looks[len(looks)-1])) {
			looks = append(looks, look)
		}
	}
}
