package capture

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"odastream/checkpoint"
	"odastream/odasim"
)

// Leases that somebody has locked stop their own entities, and say so; the others are
// followed.
func TestLockedLeasesStopNoOtherEntity(t *testing.T) {
	t.Parallel()
	entities := []string{"Sag", "Aktør", "Møde", "Stemme", "Afstemning", "Dokument", "Periode"}
	w := newWorld(t, odasim.Options{}, entities...)
	w.quiet = true
	w.store = checkpoint.New(w.narrowPool(4, nil)).WithLeasePool(w.narrowPool(4, checkpoint.LeasePoolConfig))
	for _, entity := range entities {
		w.put(entity, 1, "først", stampAt(w.sim.Now()))
	}
	p, stop := w.follow()
	defer stop()
	status := func(entity string) EntityStatus {
		for _, e := range p.Status().Entities {
			if e.Entity == entity {
				return e
			}
		}
		return EntityStatus{}
	}
	loaded := func() bool {
		for _, entity := range entities {
			if status(entity).State != StateFollowing {
				return false
			}
		}
		return true
	}
	w.eventually("all entities are loaded", loaded)

	locked := entities[1:]
	unlock := w.lock(`SELECT FROM poller_leases WHERE entity_type = ANY ($1) FOR UPDATE`, locked)
	w.eventually("four renewals wait", func() bool {
		return w.count(`SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`) >= 4
	})
	w.sim.Advance(time.Second)
	w.put("Sag", 2, "under låsen", stampAt(w.sim.Now()))
	w.eventually("the entity that is not locked is followed", func() bool {
		return w.count(`SELECT count(*) FROM poller_ledger WHERE entity_type = 'Sag'`) == 2
	})
	w.eventually("the locked entities say why", func() bool {
		for _, entity := range locked {
			if e := status(entity); e.State != StateFailed || !strings.Contains(e.Reason, "lease") || !strings.Contains(e.Reason, "55P03") {
				return false
			}
		}
		return true
	})
	if ok, _ := p.Ready(); ok || status("Sag").State != StateFollowing {
		t.Errorf("ready is %t and Sag is %s, want false and following", ok, status("Sag").State)
	}
	unlock()
	w.eventually("all entities are followed again", loaded)
}

// An announcement that cannot be made is said.
func TestAnAnnouncementThatFailsIsSaid(t *testing.T) {
	t.Parallel()
	w := loaded(t)
	w.quiet = true
	w.store = checkpoint.New(w.narrowPool(4, nil)).WithLeasePool(w.narrowPool(4, checkpoint.LeasePoolConfig))
	unlock := w.lock(`LOCK TABLE poller_members IN ACCESS EXCLUSIVE MODE`)
	p, stop := w.follow()
	defer stop()
	w.eventually("the failed announcement is said", func() bool {
		ok, _ := p.Ready()
		return !ok && strings.Contains(p.Status().Reason, "announce poller")
	})
	unlock()
	w.eventually("the poller is ready", func() bool { ok, _ := p.Ready(); return ok })
}

// narrowPool returns a pool of at most n connections.
func (w *world) narrowPool(n int32, configure func(*pgxpool.Config)) *pgxpool.Pool {
	w.t.Helper()
	cfg := w.pool.Config()
	cfg.MaxConns = n
	if configure != nil {
		configure(cfg)
	}
	pool, err := pgxpool.NewWithConfig(w.t.Context(), cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(pool.Close)
	return pool
}

// lock runs a statement in a transaction that stays open until unlock.
func (w *world) lock(sql string, args ...any) (unlock func()) {
	w.t.Helper()
	conn, err := pgx.ConnectConfig(w.t.Context(), w.pool.Config().ConnConfig)
	if err != nil {
		w.t.Fatal(err)
	}
	unlock = func() { _ = conn.Close(context.Background()) } // ends the transaction
	w.t.Cleanup(unlock)
	if _, err := conn.Exec(w.t.Context(), `BEGIN`); err != nil {
		w.t.Fatal(err)
	}
	if _, err := conn.Exec(w.t.Context(), sql, args...); err != nil {
		w.t.Fatal(err)
	}
	return unlock
}
