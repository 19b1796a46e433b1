package cache

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"odastream/internal/session"
)

// Store writes the cache for one consumer group. It is safe for concurrent use.
type Store struct {
	pool  *pgxpool.Pool
	group string
	cfg   Config
	log   *slog.Logger

	lockPause time.Duration // lockPause, but in tests
	once      bool          // what lacks a lock is not tried again
}

// New returns a Store that keeps its offsets under group. Make the pool with
// PoolConfig; the caller closes it.
func New(pool *pgxpool.Pool, group string, cfg Config, log *slog.Logger) *Store {
	return &Store{pool: pool, group: group, cfg: cfg, log: log, lockPause: lockPause}
}

// READ COMMITTED: each statement must see what was committed while it waited for the
// locks. Custom plans: the stage differs from batch to batch. A batch is sorted in
// memory, and is too small for JIT to pay.
var txOptions = pgx.TxOptions{
	BeginQuery: "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL plan_cache_mode = force_custom_plan; SET LOCAL work_mem = '64MB'; SET LOCAL jit = off",
}

// Apply writes the batch in one transaction: its rows, their history, its dead
// letters and its moves, all of it or none (Invariant 2). Of each key only the newest
// change is written, and only if the cache has no newer one, deleted or not
// (Invariant 3), so a batch may be applied any number of times. Apply creates a
// missing partition of a new entity or of the history's current month.
//
// It returns ErrOffsetConflict if another writer has one of the partitions, and an error
// for which IsRecordFault is true if a record cannot be stored. After an error nothing
// is written, unless the connection broke during the commit: then Positions tells.
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
	if errors.Is(err, ErrOffsetConflict) {
		err = s.conflictError(ctx, batch.Moves, err)
	}
	if err != nil {
		return Result{}, fmt.Errorf("apply %d records: %w", len(batch.Records), err)
	}
	return result, nil
}

// writerLock is how long a writer of rows waits for a lock: longer than a change of the
// tables may hold it up. Then its topic is tried again later, and the others go on.
const writerLock = 5 * time.Second

// begin begins a transaction that waits for each lock for wait at most.
func begin(m *session.Message, wait time.Duration) {
	for sql := range strings.SplitSeq(txOptions.BeginQuery, "; ") {
		m.Add(sql)
	}
	m.Add(fmt.Sprintf(`SET LOCAL lock_timeout = %d`, wait.Milliseconds()))
}
