package checkpoint

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Store reads and writes checkpoints. It is safe for concurrent use.
type Store struct {
	pool *pgxpool.Pool
}

// New returns a Store on pool, which the caller closes. The migrations must have
// created the tables.
func New(pool *pgxpool.Pool) *Store { return &Store{pool: pool} }

// readCommitted is the isolation of every transaction: what another poller has
// committed while one waited for the lease's row is seen, and ends no transaction.
var readCommitted = pgx.TxOptions{IsoLevel: pgx.ReadCommitted}

// saveFenced runs save in a transaction that has locked the lease. what is named in
// errors.
func (s *Store) saveFenced(ctx context.Context, lease Lease, what string, save func(pgx.Tx) error) error {
	err := pgx.BeginTxFunc(ctx, s.pool, readCommitted, func(tx pgx.Tx) error {
		// Invariant 4: the lease is checked in the transaction that saves.
		if err := lockLease(ctx, tx, lease); err != nil {
			return err
		}
		return save(tx)
	})
	if err != nil {
		return fmt.Errorf("save %s of %s: %w", what, lease.Entity, err)
	}
	return nil
}
