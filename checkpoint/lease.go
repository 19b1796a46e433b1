package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// ErrLeaseLost is returned by every save whose lease another poller has taken
// since: this poller was silent for longer than the lease. Nothing was saved; stop
// working on the entity and acquire it anew.
var ErrLeaseLost = errors.New("lease lost to another poller")

// HeldError is returned by Acquire while another poller holds the lease.
type HeldError struct {
	Entity string
	Holder string        // as the other poller named itself
	For    time.Duration // how much longer, by the database's clock, if it stays silent
}

// Error names the entity and its holder.
func (e *HeldError) Error() string {
	return fmt.Sprintf("acquire lease of %s: held by %s for another %s unless it is renewed", e.Entity, e.Holder, e.For.Round(time.Millisecond))
}

// Lease is the right to work on one entity. It is a value: renewing it gives a
// new one.
type Lease struct {
	Entity string
	Holder string
	Epoch  int64     // grows each time the lease changes hands, from 1
	Until  time.Time // on this machine's monotonic clock, never later than in the database
}

// acquireQuery takes a lease that is free, run out or this holder's own. The
// epoch grows even for the same holder: its earlier work may still be under way.
const acquireQuery = `
INSERT INTO poller_leases AS l (entity_type, epoch, holder, expires_at)
VALUES ($1, 1, $2, clock_timestamp() + $3)
ON CONFLICT (entity_type) DO UPDATE
SET epoch = l.epoch + 1, holder = excluded.holder, expires_at = excluded.expires_at
WHERE l.expires_at <= clock_timestamp() OR l.holder = excluded.holder
RETURNING epoch`

// Acquire takes the lease of entity for ttl by the database's clock. holder must
// be unique to the process. It returns a *HeldError while another holder's lease
// runs.
func (s *Store) Acquire(ctx context.Context, entity, holder string, ttl time.Duration) (Lease, error) {
	// The local end is counted from before the question, so it comes first.
	lease := Lease{Entity: entity, Holder: holder, Until: time.Now().Add(ttl)}
	err := s.pool.QueryRow(ctx, acquireQuery, entity, holder, ttl).Scan(&lease.Epoch)
	if errors.Is(err, pgx.ErrNoRows) {
		return Lease{}, s.heldBy(ctx, entity)
	}
	if err != nil {
		return Lease{}, fmt.Errorf("acquire lease of %s: %w", entity, err)
	}
	return lease, nil
}

func (s *Store) heldBy(ctx context.Context, entity string) error {
	held := HeldError{Entity: entity}
	var seconds float64
	// A lease given back in this moment ended at -infinity, from which Postgres
	// before 17 cannot subtract.
	err := s.pool.QueryRow(ctx, `
SELECT holder, greatest(0, extract(epoch FROM greatest(expires_at, now()) - clock_timestamp()))::float8
FROM poller_leases WHERE entity_type = $1`, entity).Scan(&held.Holder, &seconds)
	if err != nil {
		return fmt.Errorf("look up lease of %s: %w", entity, err)
	}
	held.For = time.Duration(seconds * float64(time.Second))
	return &held
}

// Renew makes the lease run ttl from now and returns it. It returns ErrLeaseLost
// if the lease has changed hands; one that ran out and was taken by nobody is
// renewed.
func (s *Store) Renew(ctx context.Context, lease Lease, ttl time.Duration) (Lease, error) {
	until := time.Now().Add(ttl)
	tag, err := s.pool.Exec(ctx, `
UPDATE poller_leases SET expires_at = clock_timestamp() + $4
WHERE entity_type = $1 AND holder = $2 AND epoch = $3`, lease.Entity, lease.Holder, lease.Epoch, ttl)
	if err != nil {
		return lease, fmt.Errorf("renew lease of %s: %w", lease.Entity, err)
	}
	if tag.RowsAffected() == 0 {
		return lease, fmt.Errorf("renew lease of %s: %w", lease.Entity, ErrLeaseLost)
	}
	lease.Until = until
	return lease, nil
}

// Release gives the lease back, so that another poller need not wait for its end.
// Renew and every save with it return ErrLeaseLost from then on, also those that
// were under way. Releasing a lease that is lost already is no error.
func (s *Store) Release(ctx context.Context, lease Lease) error {
	_, err := s.pool.Exec(ctx, `
UPDATE poller_leases SET expires_at = '-infinity', holder = ''
WHERE entity_type = $1 AND holder = $2 AND epoch = $3`, lease.Entity, lease.Holder, lease.Epoch)
	if err != nil {
		return fmt.Errorf("release lease of %s: %w", lease.Entity, err)
	}
	return nil
}

// fence locks the lease's row for the rest of tx, so that the lease cannot change
// hands before the save that follows is committed.
func fence(ctx context.Context, tx pgx.Tx, lease Lease) error {
	var one int
	err := tx.QueryRow(ctx, `
SELECT 1 FROM poller_leases
WHERE entity_type = $1 AND holder = $2 AND epoch = $3 FOR UPDATE`, lease.Entity, lease.Holder, lease.Epoch).Scan(&one)
	if errors.Is(err, pgx.ErrNoRows) {
		return ErrLeaseLost
	}
	return err
}
