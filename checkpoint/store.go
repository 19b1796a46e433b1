package checkpoint

import "github.com/jackc/pgx/v5/pgxpool"

// Store reads and writes checkpoints. It is safe for concurrent use.
type Store struct {
	pool *pgxpool.Pool
}

// New returns a Store on pool, which the caller closes. The migrations must have
// created the tables.
func New(pool *pgxpool.Pool) *Store { return &Store{pool: pool} }
