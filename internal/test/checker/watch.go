package checker

import (
	"context"
	"reflect"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// Watch starts to take a snapshot at each interval, until end or the end of ctx. end returns
// the snapshots that differ from the one before; further calls return the same. A snapshot that
// fails because the database is down is skipped.
func Watch(ctx context.Context, pool *pgxpool.Pool, s Scope, every time.Duration) (end func() []Snapshot) {
	ctx, cancel := context.WithCancel(ctx)
	seen := make(chan []Snapshot, 1)
	go func() { seen <- watch(ctx, pool, s, every) }()
	return sync.OnceValue(func() []Snapshot {
		cancel()
		return <-seen
	})
}

func watch(ctx context.Context, pool *pgxpool.Pool, s Scope, every time.Duration) (snapshots []Snapshot) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return snapshots
		case <-tick.C:
		}
		snapshot, err := TakeSnapshot(ctx, pool, s)
		if err == nil && (len(snapshots) == 0 || !reflect.DeepEqual(snapshot, snapshots[len(snapshots)-1])) {
			snapshots = append(snapshots, snapshot)
		}
	}
}
