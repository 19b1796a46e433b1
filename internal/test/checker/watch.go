package checker

import (
	"context"
	"reflect"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// Watch starts to take a look at each interval, until end or the end of ctx. end returns
// the looks that differ from the one before; further calls return the same. A look that
// fails because the database is down is skipped.
func Watch(ctx context.Context, pool *pgxpool.Pool, s Scope, every time.Duration) (end func() []Look) {
	ctx, cancel := context.WithCancel(ctx)
	seen := make(chan []Look, 1)
	go func() { seen <- watch(ctx, pool, s, every) }()
	return sync.OnceValue(func() []Look {
		cancel()
		return <-seen
	})
}

func watch(ctx context.Context, pool *pgxpool.Pool, s Scope, every time.Duration) (looks []Look) {
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
