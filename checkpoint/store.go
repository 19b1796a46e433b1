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

// New returns a Store on pool, which stays the caller's to close. The tables must
// have been made by the migrations.
func New(pool *pgxpool.Pool) *Store { return &Store{pool: pool} }

// fenced runs save in a transaction that holds the lease (invariant 4).
func (s *Store) fenced(ctx context.Context, lease Lease, what string, save func(pgx.Tx) error) error {
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if err := fence(ctx, tx, lease); err != nil {
			return err
		}
		return save(tx)
	})
	if err != nil {
		return fmt.Errorf("save %s of %s: %w", what, lease.Entity, err)
	}
	return nil
}
