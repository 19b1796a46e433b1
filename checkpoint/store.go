package checkpoint

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"odastream/internal/session"
)

// Store reads and writes checkpoints. It is safe for concurrent use.
type Store struct {
	pool   *pgxpool.Pool
	leases *pgxpool.Pool // for leases and announcements
}

// New returns a Store on pool, which the caller closes. The migrations must have
// created the tables.
func New(pool *pgxpool.Pool) *Store { return &Store{pool: pool, leases: pool} }

// WithLeasePool returns s with connections of their own for leases and announcements, so
// that they wait neither for the work nor for each other. Make the pool with
// LeasePoolConfig; the caller closes it.
func (s *Store) WithLeasePool(pool *pgxpool.Pool) *Store { return &Store{pool: s.pool, leases: pool} }

const (
	// leaseConns is how many statements on leases may wait for a lock at once, and
	// leaseLock is for how long one does. So 20 leases that are locked from outside delay
	// the renewal of another one by 5 seconds, less than half of the shortest lease.
	leaseConns = 4
	leaseLock  = "1s"
	// leaseTime bounds a statement on leases, with the wait for a connection.
	leaseTime = 5 * time.Second
)

// LeasePoolConfig sets up the configuration of a pool for WithLeasePool.
func LeasePoolConfig(cfg *pgxpool.Config) {
	cfg.MaxConns = leaseConns
	cfg.ConnConfig.RuntimeParams["lock_timeout"] = leaseLock
}

// run sends a message through one of pool's connections.
func run(ctx context.Context, pool *pgxpool.Pool, m *session.Message) error {
	return pool.AcquireFunc(ctx, func(conn *pgxpool.Conn) error { return m.Run(ctx, conn.Conn()) })
}

// forLease bounds a statement on leases.
func forLease(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, leaseTime)
}
