package checkpoint

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"odastream/internal/session"
)

// READ COMMITTED in every transaction: what another poller has committed while one waited
// for the lease's row is seen, and ends no transaction. A save that waits for a lock lets
// go of its connection after a time, for the other entities.
const (
	begin     = `BEGIN ISOLATION LEVEL READ COMMITTED`
	boundLock = `SET LOCAL lock_timeout = '10s'`
)

// holdLease locks the lease's row until the end of the transaction, so that no other
// poller can take the lease before the save is committed. If another poller has taken
// it, it divides by zero.
const holdLease = `
SELECT 1 / count(*) FROM (SELECT FROM poller_leases
WHERE entity_type = $1 AND holder = $2 AND epoch = $3 FOR UPDATE) AS held`

// stageEntries is where entries are copied before the lease's row is locked: the server
// waits in COPY for as long as a client is silent.
const stageEntries = begin + `;
CREATE TEMPORARY TABLE IF NOT EXISTS poller_saved (
    entity_id bigint, seq bigint, hash bytea, spelling bigint, stamp text, fields bytea, fresh boolean
) ON COMMIT DELETE ROWS`

// saveFenced copies the entries to poller_saved, and then runs the statements that save
// adds to a message, in one transaction that has locked the lease. what is named in
// errors.
func (s *Store) saveFenced(ctx context.Context, lease Lease, what string, entries []Entry, save func(*session.Message)) error {
	conn, err := s.pool.Acquire(ctx)
	if err == nil {
		defer conn.Release()
		err = fenced(ctx, conn, lease, entries, save)
	}
	if err != nil {
		return fmt.Errorf("save %s of %s: %w", what, lease.Entity, err)
	}
	return nil
}

func fenced(ctx context.Context, conn *pgxpool.Conn, lease Lease, entries []Entry, save func(*session.Message)) error {
	var m session.Message
	err := stage(ctx, conn, entries)
	if err != nil {
		return session.Rollback(ctx, conn.Conn(), err)
	}
	if len(entries) == 0 {
		m.Add(begin)
	}
	m.Add(boundLock)
	// Invariant 4: the lease is checked in the transaction that saves.
	m.Add(holdLease, lease.Entity, lease.Holder, lease.Epoch).Else(ErrLeaseLost)
	save(&m)
	m.Add(`COMMIT`)
	return m.Run(ctx, conn.Conn())
}

// stage begins a transaction and copies the entries to poller_saved, if there are any.
func stage(ctx context.Context, conn *pgxpool.Conn, entries []Entry) error {
	if len(entries) == 0 {
		return nil
	}
	if _, err := conn.Exec(ctx, stageEntries); err != nil {
		return err
	}
	_, err := conn.CopyFrom(ctx, pgx.Identifier{"pg_temp", "poller_saved"}, []string{"entity_id", "seq", "hash", "spelling", "stamp", "fields", "fresh"},
		pgx.CopyFromSlice(len(entries), func(i int) ([]any, error) {
			e := &entries[i]
			return []any{e.ID, e.Seq, e.hashBytes(), int64(e.Checksum), e.storedStamp(), []byte(e.Fields), e.New}, nil
		}))
	return err
}
