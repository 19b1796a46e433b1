package cache

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// History says how long the history of the rows is kept.
type History struct {
	Keep Keep `env:"KEEP" envDefault:"forever" help:"how long history is kept, such as 8760h, by whole months; forever: it is never dropped"`
}

// Keep is a time to keep something for; 0 is for ever.
type Keep time.Duration

// UnmarshalText reads "forever", or a duration of at least an hour such as 8760h.
func (k *Keep) UnmarshalText(text []byte) error {
	if string(text) == "forever" {
		*k = 0
		return nil
	}
	keep, err := time.ParseDuration(string(text))
	if err != nil || keep < time.Hour {
		return fmt.Errorf("%q is neither forever nor a duration of at least 1h, such as 8760h", text)
	}
	*k = Keep(keep)
	return nil
}

// How often the upkeep looks for expired rows, and for the history's months.
const (
	expireEvery = time.Minute
	monthsEvery = 24 * time.Hour
	expireRows  = 1000 // of a transaction: writers wait for it
)

// Upkeep removes expired rows and describes the views once a minute, and once a day
// makes the coming months of the history and drops those that are older than h
// says, until ctx ends. What fails is logged, and tried again at the next time.
// Several sinks may do it at once.
func (s *Store) Upkeep(ctx context.Context, h History) {
	tick(ctx, func(ctx context.Context) {
		s.tend(ctx, "rows", s.expire)
		s.tend(ctx, "descriptions", s.describe)
	}, func(ctx context.Context) {
		s.tend(ctx, "history", func(ctx context.Context) error { return s.TendHistory(ctx, h) })
	})
}

func tick(ctx context.Context, rows, history func(context.Context)) {
	minute, day := time.NewTicker(expireEvery), time.NewTicker(monthsEvery)
	defer minute.Stop()
	defer day.Stop()
	rows(ctx)
	history(ctx)
	for {
		select {
		case <-ctx.Done():
			return
		case <-minute.C:
			rows(ctx)
		case <-day.C:
			history(ctx)
		}
	}
}

func (s *Store) tend(ctx context.Context, what string, do func(context.Context) error) {
	if err := do(ctx); err != nil && ctx.Err() == nil {
		s.log.WarnContext(ctx, "upkeep of the cache has to wait", "of", what, "err", err)
	}
}

func (s *Store) expire(ctx context.Context) error {
	removed, err := s.Expire(ctx)
	if removed > 0 {
		s.log.InfoContext(ctx, "removed expired rows", "rows", removed)
	}
	return err
}

// describe puts the source's own descriptions, as far as the cache has them, before
// the comments of the views. Where nothing is new it is one small query.
func (s *Store) describe(ctx context.Context) error {
	var described int
	if err := s.pool.QueryRow(ctx, `SELECT parliamentary_describe()`).Scan(&described); err != nil {
		return fmt.Errorf("describe the views: %w", err)
	}
	if described > 0 {
		s.log.InfoContext(ctx, "views have the source's descriptions", "comments", described)
	}
	return nil
}

// TendHistory makes the partitions of this month and the next three, and drops
// those whose last moment is longer ago than h keeps them.
func (s *Store) TendHistory(ctx context.Context, h History) error {
	if err := s.makeMonths(ctx); err != nil || h.Keep <= 0 {
		return err
	}
	var dropped int
	err := s.pool.QueryRow(ctx, `SELECT parliamentary_history_forget($1)`, time.Duration(h.Keep)).Scan(&dropped)
	if err != nil {
		return fmt.Errorf("drop history older than %s: %w", time.Duration(h.Keep), err)
	}
	if dropped > 0 {
		s.log.InfoContext(ctx, "dropped months of the history, as HISTORY_KEEP says", "months", dropped)
	}
	return nil
}

func (s *Store) makeMonths(ctx context.Context) error {
	if _, err := s.pool.Exec(ctx, `SELECT parliamentary_history_ahead($1)`, monthsAhead); err != nil {
		return fmt.Errorf("make the history's coming months: %w", err)
	}
	return nil
}

// The lock of the expiry: it alone for expired rows, shared for all who write rows.
const expiryLock = `hashtextextended('odastream expiry', 0)`

// The seq stays with the deleted rows, without content: an older change is stale
// there (Invariant 3), a newer one makes the row anew.
const (
	lockExpiry = `SELECT pg_advisory_xact_lock(` + expiryLock + `)`

	expireSome = `WITH over AS (
    SELECT entity_type, entity_id FROM parliamentary_data WHERE expires_at < now() LIMIT $1
), removed AS (
    DELETE FROM parliamentary_data p USING over o WHERE p.entity_type = o.entity_type AND p.entity_id = o.entity_id
    RETURNING p.entity_type, p.entity_id, p.seq
)
INSERT INTO parliamentary_deleted AS d (entity_type, entity_id, seq, expired)
SELECT entity_type, entity_id, seq, true FROM removed
ON CONFLICT (entity_type, entity_id) DO UPDATE SET seq = GREATEST(d.seq, excluded.seq), data = NULL, expired = true, deleted_at = now()`
)

// Expire removes the rows whose time is over, a thousand a transaction, and
// returns how many. Their seqs are kept, so that no replay of an older change
// brings one back. It is no deletion at the source: the history has no entry, and
// parliamentary_deleted says expired. A batch that is being applied is waited for.
func (s *Store) Expire(ctx context.Context) (removed int, err error) {
	for {
		n := 0
		err := pgx.BeginTxFunc(ctx, s.pool, txOptions, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, lockExpiry); err != nil {
				return err
			}
			tag, err := tx.Exec(ctx, expireSome, expireRows)
			n = int(tag.RowsAffected())
			return err
		})
		if err != nil {
			return removed, fmt.Errorf("remove expired rows: %w", err)
		}
		removed += n
		if n < expireRows {
			return removed, nil
		}
	}
}
