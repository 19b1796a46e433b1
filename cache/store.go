package cache

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Store writes the cache for one consumer group. It is safe for concurrent use.
type Store struct {
	pool  *pgxpool.Pool
	group string
	cfg   Config
	log   *slog.Logger
}

// New returns a Store that keeps its offsets under group. The pool stays the
// caller's to close; make it with PoolConfig.
func New(pool *pgxpool.Pool, group string, cfg Config, log *slog.Logger) *Store {
	return &Store{pool: pool, group: group, cfg: cfg, log: log}
}

// Each statement must see what was committed while it waited for the locks, and
// must be planned for the stage as it is now, not as it was with the first batch.
// A batch is sorted in memory, and is too small to be worth compiling for.
var txOptions = pgx.TxOptions{
	BeginQuery: "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL plan_cache_mode = force_custom_plan; SET LOCAL work_mem = '64MB'; SET LOCAL jit = off",
}

// Apply writes the batch in one transaction: its rows, their history, its dead
// letters and its moves, all of it or none (Invariant 2). Of each key only the newest change
// counts, and that only if the cache holds no newer one, deleted or not
// (Invariant 3), so a batch may be applied any number of times. A partition for an
// entity unknown until now, or for the history of a new month, is made on the way.
//
// It returns ErrMoved when another writer has one of the partitions, and an error
// for which IsRecordFault is true when a record cannot be stored. After any error
// nothing is written, except where the connection broke during the commit itself:
// Positions tells.
func (s *Store) Apply(ctx context.Context, batch Batch) (Result, error) {
	entries := ordered(batch.Records)
	entities, deleting := entitiesOf(entries)
	a := application{
		store: s, batch: &batch, entries: entries, entities: entities, deleting: deleting,
		history: !onlySnapshots(entries),
	}
	result, err := a.run(ctx)
	if isMissingPartition(err) {
		if err = s.makePartitions(ctx, entities); err == nil {
			result, err = a.run(ctx)
		}
	}
	if errors.Is(err, errHistory) {
		a.history = true
		result, err = a.run(ctx)
	}
	if err != nil {
		return Result{}, fmt.Errorf("apply %d records: %w", len(batch.Records), err)
	}
	return result, nil
}
