package checkpoint

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"odastream/internal/session"
)

// Announce registers the poller named holder as running for another ttl, LongestLease at
// most. It returns the names of all pollers that are registered, holder included, sorted.
func (s *Store) Announce(ctx context.Context, holder string, ttl time.Duration) ([]string, error) {
	ctx, cancel := forLease(ctx)
	defer cancel()
	var holders []string
	var m session.Message
	m.Add(`DELETE FROM poller_members WHERE expires_at <= clock_timestamp() OR ` + isVoid)
	m.Add(`
INSERT INTO poller_members (holder, expires_at) VALUES ($1, clock_timestamp() + $2)
ON CONFLICT (holder) DO UPDATE SET expires_at = excluded.expires_at`, holder, ttl)
	m.Add(`SELECT holder FROM poller_members ORDER BY holder`).Read(func(rows pgx.Rows) (err error) {
		holders, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
	if err := run(ctx, s.leases, &m); err != nil {
		return nil, fmt.Errorf("announce poller %s: %w", holder, err)
	}
	return holders, nil
}

// Withdraw removes the registration of the poller named holder.
func (s *Store) Withdraw(ctx context.Context, holder string) error {
	ctx, cancel := forLease(ctx)
	defer cancel()
	if _, err := s.leases.Exec(ctx, `DELETE FROM poller_members WHERE holder = $1`, pgx.QueryExecModeSimpleProtocol, holder); err != nil {
		return fmt.Errorf("withdraw poller %s: %w", holder, err)
	}
	return nil
}
