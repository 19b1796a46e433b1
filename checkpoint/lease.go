package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// ErrLeaseLost is returned by a save if another poller has taken the lease: this
// one did not renew it in time. Nothing was saved. Stop working on the entity and
// acquire its lease again.
var ErrLeaseLost = errors.New("lease lost to another poller")

// LeaseHeldError is returned by Acquire while another poller holds the lease.
type LeaseHeldError struct {
	Entity string
	Holder string        // the name under which the other poller acquired it
	For    time.Duration // until it expires by the database's clock, unless it is renewed
}

// Error names the entity and its holder.
func (e *LeaseHeldError) Error() string {
	return fmt.Sprintf("acquire lease of %s: held by %s for another %s unless it is renewed", e.Entity, e.Holder, e.For.Round(time.Millisecond))
}

// LongestLease is the longest time for which a lease or an announcement may be taken.
const LongestLease = 10 * time.Minute

// An end further off than LongestLease is void. The database's clock was ahead when it
// was written.
const isVoid = `expires_at > clock_timestamp() + interval '10 minutes'`

// Lease is the right to work on one entity. It is a value: Renew returns a new one.
type Lease struct {
	Entity string
	Holder string
	Epoch  int64     // grows each time the lease changes hands, from 1
	Until  time.Time // when it expires, by this machine's monotonic clock; never later than in the database
}

// acquireQuery takes a lease that is free, expired, void or this holder's own. The epoch
// grows for the same holder too: its earlier saves may still be under way.
const acquireQuery = `
INSERT INTO poller_leases AS l (entity_type, epoch, holder, expires_at)
VALUES ($1, 1, $2, clock_timestamp() + $3)
ON CONFLICT (entity_type) DO UPDATE
SET epoch = l.epoch + 1, holder = excluded.holder, expires_at = excluded.expires_at
WHERE l.expires_at <= clock_timestamp() OR l.holder = excluded.holder OR l.` + isVoid + `
RETURNING epoch`

// Acquire takes the lease of entity for ttl, LongestLease at most, by the database's
// clock. holder must be unique to the process. Acquire returns a *LeaseHeldError while
// another holder's lease has not expired.
func (s *Store) Acquire(ctx context.Context, entity, holder string, ttl time.Duration) (Lease, error) {
	// Until is counted from before the query is sent, so it is never too late.
	lease := Lease{Entity: entity, Holder: holder, Until: time.Now().Add(ttl)}
	ctx, cancel := forLease(ctx)
	defer cancel()
	err := s.leases.QueryRow(ctx, acquireQuery, pgx.QueryExecModeSimpleProtocol, entity, holder, ttl).Scan(&lease.Epoch)
	if errors.Is(err, pgx.ErrNoRows) {
		return Lease{}, s.holderError(ctx, entity)
	}
	if err != nil {
		return Lease{}, fmt.Errorf("acquire lease of %s: %w", entity, err)
	}
	return lease, nil
}

// holderError returns the *LeaseHeldError of a lease that another poller holds.
func (s *Store) holderError(ctx context.Context, entity string) error {
	held := LeaseHeldError{Entity: entity}
	var seconds float64
	// A lease released just now expires at -infinity, from which Postgres before 17
	// cannot subtract.
	err := s.leases.QueryRow(ctx, `
SELECT holder, greatest(0, extract(epoch FROM greatest(expires_at, now()) - clock_timestamp()))::float8
FROM poller_leases WHERE entity_type = $1`, entity).Scan(&held.Holder, &seconds)
	if err != nil {
		return fmt.Errorf("look up lease of %s: %w", entity, err)
	}
	held.For = time.Duration(seconds * float64(time.Second))
	return &held
}

// Renew extends the lease to ttl from now and returns it. It returns ErrLeaseLost
// if another holder has taken the lease. An expired lease that nobody has taken is
// renewed.
func (s *Store) Renew(ctx context.Context, lease Lease, ttl time.Duration) (Lease, error) {
	until := time.Now().Add(ttl)
	ctx, cancel := forLease(ctx)
	defer cancel()
	tag, err := s.leases.Exec(ctx, `
UPDATE poller_leases SET expires_at = clock_timestamp() + $4
WHERE entity_type = $1 AND holder = $2 AND epoch = $3`, pgx.QueryExecModeSimpleProtocol, lease.Entity, lease.Holder, lease.Epoch, ttl)
	if err != nil {
		return lease, fmt.Errorf("renew lease of %s: %w", lease.Entity, err)
	}
	if tag.RowsAffected() == 0 {
		return lease, fmt.Errorf("renew lease of %s: %w", lease.Entity, ErrLeaseLost)
	}
	lease.Until = until
	return lease, nil
}

// Release ends the lease, so that another poller need not wait until it expires.
// From then on Renew and every save with it return ErrLeaseLost, those under way
// included. It is no error to release a lease that is lost.
func (s *Store) Release(ctx context.Context, lease Lease) error {
	ctx, cancel := forLease(ctx)
	defer cancel()
	_, err := s.leases.Exec(ctx, `
UPDATE poller_leases SET expires_at = '-infinity', holder = ''
WHERE entity_type = $1 AND holder = $2 AND epoch = $3`, pgx.QueryExecModeSimpleProtocol, lease.Entity, lease.Holder, lease.Epoch)
	if err != nil {
		return fmt.Errorf("release lease of %s: %w", lease.Entity, err)
	}
	return nil
}

// VoidLeases returns the entities whose lease ends further off than LongestLease, sorted.
func (s *Store) VoidLeases(ctx context.Context) ([]string, error) {
	rows, err := s.pool.Query(ctx, `SELECT entity_type FROM poller_leases WHERE `+isVoid+` ORDER BY entity_type`)
	if err != nil {
		return nil, fmt.Errorf("read leases: %w", err)
	}
	entities, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("read leases: %w", err)
	}
	return entities, nil
}
