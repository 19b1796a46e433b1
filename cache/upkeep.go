package cache

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"odastream/internal/session"
)

// History says how long the history of the rows is kept.
type History struct {
	Keep Keep `env:"KEEP" envDefault:"forever" help:"how long history is kept, such as 8760h, by whole months; forever: it is never dropped"`
}

// Keep is how long to keep something; 0 is for ever.
type Keep time.Duration

// UnmarshalText reads "forever", or a duration of at least an hour such as 8760h.
func (k *Keep) UnmarshalText(text []byte) error {
	if string(text) == "forever" {
		*k = 0
		return nil
	}
	keep, err := time.ParseDuration(string(text))
	if err != nil || keep < time.Hour {
		return fmt.Errorf("%q is not forever or a duration of at least 1h, such as 8760h", text)
	}
	*k = Keep(keep)
	return nil
}

// How often Upkeep removes expired rows, and maintains the history's months.
const (
	expireEvery = time.Minute
	monthsEvery = 24 * time.Hour
	expireRows  = 1000 // a transaction: writers wait for it
)

// monthsAhead is how many coming months have a partition of the history: a sink that
// is started once a quarter still finds this month's.
const monthsAhead = 3

// RunUpkeep runs until ctx ends. Once a minute it removes expired rows, describes the
// views and maintains the indexes. Once a day it creates the coming months of the
// history and drops those that are older than h allows. It logs an error and retries at
// the next tick. Several sinks may run it at once; they should have the same settings.
func (s *Store) RunUpkeep(ctx context.Context, h History) {
	var beside sync.WaitGroup
	defer beside.Wait()
	var indexing atomic.Bool
	tick(ctx, func(ctx context.Context) {
		if indexing.CompareAndSwap(false, true) {
			beside.Go(func() {
				s.maintain(ctx, "index", s.MaintainIndex)
				s.maintain(ctx, "lookup indexes", func(ctx context.Context) error { return s.maintainLookups(ctx, loading) })
				indexing.Store(false)
			})
		}
		s.maintain(ctx, "rows", s.expire)
		s.maintain(ctx, "descriptions", s.describe)
	}, func(ctx context.Context) {
		// Whoever reads the history for long delays only this.
		beside.Go(func() {
			s.maintain(ctx, "history", func(ctx context.Context) error { return s.MaintainHistory(ctx, h) })
		})
	})
}

// UpkeepOnce does what RunUpkeep does, once. It tries to get each lock once: what it
// lacks the locks for is logged, and left to the next run.
func (s *Store) UpkeepOnce(ctx context.Context, h History) error {
	once := *s
	once.once = true
	for _, upkeep := range []struct {
		of string
		do func(context.Context) error
	}{
		{"rows", once.expire},
		{"descriptions", once.describe},
		{"history", func(ctx context.Context) error { return once.MaintainHistory(ctx, h) }},
		{"index", once.MaintainIndex},
		{"lookup indexes", once.MaintainLookups},
	} {
		err := upkeep.do(ctx)
		switch {
		case isLocked(err):
			s.log.WarnContext(ctx, "a lock is not free, leaving the upkeep to the next run", "of", upkeep.of, "err", err)
		case err != nil:
			return err
		}
	}
	return nil
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

func (s *Store) maintain(ctx context.Context, what string, do func(context.Context) error) {
	if err := do(ctx); err != nil && ctx.Err() == nil {
		s.log.WarnContext(ctx, "upkeep of the cache failed, retrying later", "of", what, "err", err)
	}
}

func (s *Store) expire(ctx context.Context) error {
	removed, err := s.Expire(ctx)
	if removed > 0 {
		s.log.InfoContext(ctx, "removed expired rows", "rows", removed)
	}
	return err
}

// describe puts the source's descriptions that the cache has in front of the views'
// comments. If nothing is new it is one small query.
func (s *Store) describe(ctx context.Context) error {
	var described int
	err := s.changeTables(ctx, func(m *session.Message) { m.Add(`SELECT parliamentary_describe()`).Scan(&described) })
	if err != nil {
		return fmt.Errorf("describe the views: %w", err)
	}
	if described > 0 {
		s.log.InfoContext(ctx, "views have the source's descriptions", "comments", described)
	}
	return nil
}

// MaintainHistory creates the partitions of this month and the next three, and drops
// those that ended longer ago than h keeps them. After a restore into another cluster it
// makes the history readable by parliament.changes_after again.
func (s *Store) MaintainHistory(ctx context.Context, h History) error {
	err := s.untilUnlocked(ctx, "create the history's coming months", func() error { return s.makeMonths(ctx) })
	if err == nil {
		err = s.untilUnlocked(ctx, "adopt the history", func() error { return s.adopt(ctx) })
	}
	if err != nil || h.Keep <= 0 {
		return err
	}
	var dropped int
	err = s.untilUnlocked(ctx, "drop the history's old months", func() error {
		return s.changeTables(ctx, func(m *session.Message) {
			m.Add(`SELECT parliamentary_history_forgetting($1)`, time.Duration(h.Keep))
			m.Add(`SELECT parliamentary_history_forget($1)`, time.Duration(h.Keep)).Scan(&dropped)
		})
	})
	if err != nil {
		return fmt.Errorf("drop history older than %s: %w", time.Duration(h.Keep), err)
	}
	if dropped > 0 {
		s.log.InfoContext(ctx, "dropped months of the history older than HISTORY_KEEP", "months", dropped)
	}
	return nil
}

func (s *Store) makeMonths(ctx context.Context) error {
	err := s.changeTables(ctx, func(m *session.Message) { m.Add(`SELECT parliamentary_history_ahead($1)`, monthsAhead) })
	if err != nil {
		return fmt.Errorf("create the history's coming months: %w", err)
	}
	return nil
}

// adopt makes a history that was restored into another cluster readable by
// parliament.changes_after. Otherwise it is one small query.
func (s *Store) adopt(ctx context.Context) error {
	var adopted bool
	err := s.changeTables(ctx, func(m *session.Message) { m.Add(`SELECT parliamentary_history_adopt()`).Scan(&adopted) })
	if err != nil {
		return fmt.Errorf("adopt the history of another cluster: %w", err)
	}
	if adopted {
		s.log.WarnContext(ctx, "the database was restored into another cluster: cursors of parliament.changes_after begin again")
	}
	return nil
}

// The lock of the expiry: exclusive for the expiry, shared for all who write rows.
const expiryLock = `hashtextextended('odastream expiry', 0)`

// An expired row's seq is kept among the deleted rows, without content: an older change
// is stale (Invariant 3), a newer one creates the row again.
const (
	lockExpiry = `SELECT pg_advisory_xact_lock(` + expiryLock + `)`

	deleteExpired = `WITH over AS (
    SELECT entity_type, entity_id FROM parliamentary_data WHERE expires_at < now() LIMIT $1
), removed AS (
    DELETE FROM parliamentary_data p USING over o WHERE p.entity_type = o.entity_type AND p.entity_id = o.entity_id
    RETURNING p.entity_type, p.entity_id, p.seq
), raised AS (
    INSERT INTO cache_epochs AS e (entity_type) SELECT DISTINCT entity_type FROM removed ORDER BY 1` + onEpochConflict + `
)
INSERT INTO parliamentary_deleted AS d (entity_type, entity_id, seq, expired)
SELECT entity_type, entity_id, seq, true FROM removed
ON CONFLICT (entity_type, entity_id) DO UPDATE SET seq = GREATEST(d.seq, excluded.seq), data = NULL, expired = true, deleted_at = now()`
)

// Expire removes the expired rows, a thousand a transaction, and returns how many. It
// keeps their seqs, so that no replay of an older change brings one back. They are not
// deleted at the source: the history has no entry, and parliamentary_deleted has them
// as expired. Expire waits for a batch that is being applied, two seconds at a time,
// because other batches wait behind it.
func (s *Store) Expire(ctx context.Context) (removed int, err error) {
	for {
		n := 0
		err := s.untilUnlocked(ctx, "remove expired rows", func() (err error) {
			n, err = s.expireSome(ctx)
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

func (s *Store) expireSome(ctx context.Context) (removed int, err error) {
	err = s.changeTables(ctx, func(m *session.Message) {
		m.Add(lockExpiry)
		m.Add(deleteExpired, expireRows).Count(&removed)
	})
	return removed, err
}
