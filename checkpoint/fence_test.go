package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"odastream/schema"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// saves are all saves of a holder, each with the table that shows it.
var saves = map[string]struct {
	table string
	save  func(ctx context.Context, s *Store, lease Lease) error
}{
	"entries":       {"poller_ledger", saving(Progress{Entries: []Entry{live(1, 10), live(2, 11), {ID: 3, Seq: 12, State: Deleted}}})},
	"seq":           {"poller_watermarks", saving(Progress{Seq: 999})},
	"partitions":    {"poller_watermarks", saving(Progress{Partitions: 7})},
	"positions":     {"poller_positions", saving(Progress{Positions: map[int32]schema.Position{0: {TopicID: [16]byte{9}, Next: 99}}})},
	"pass":          {"poller_watermarks", saving(Progress{Pass: &Pass{After: "2026", LastID: 5}})},
	"watermark":     {"poller_watermarks", saving(Progress{Watermark: noon, WallClock: "2026-11-23T13:00:00"})},
	"first load":    {"poller_watermarks", saving(Progress{LoadedAt: noon})},
	"range":         {"poller_scans", saving(Progress{Ranges: []ScanRange{{IDRange: schema.IDRange{Low: 0, High: 100}, Next: 50, Done: true}}})},
	"end of scan":   {"poller_watermarks", saving(Progress{ScannedAt: noon})},
	"consistency":   {"poller_watermarks", saving(Progress{ConsistentThrough: noon})},
	"vanished rows": {"poller_vanished", saving(Progress{Vanished: []int64{1}})},
	"returned rows": {"poller_vanished", saving(Progress{Returned: []int64{77}})},
	"lateness":      {"poller_lateness", saving(Progress{Lateness: []Lateness{{Bound: time.Minute, Rows: 3, Worst: time.Minute}}})},
	"start of a scan": {"poller_scans", func(ctx context.Context, s *Store, l Lease) error {
		return s.StartScan(ctx, l, 12, time.Now(), []ScanRange{{IDRange: schema.IDRange{Low: 0, High: 7}}})
	}},
	"folded entries":   {"poller_ledger", folding(Progress{Entries: []Entry{live(1, 1)}})},
	"folded positions": {"poller_positions", folding(Progress{Positions: map[int32]schema.Position{0: {Next: 1}}})},
	"resetting":        {"poller_ledger", func(ctx context.Context, s *Store, l Lease) error { return s.ResetTopic(ctx, l) }},
}

func saving(p Progress) func(context.Context, *Store, Lease) error {
	return func(ctx context.Context, s *Store, lease Lease) error { return s.Save(ctx, lease, p) }
}

func folding(p Progress) func(context.Context, *Store, Lease) error {
	return func(ctx context.Context, s *Store, lease Lease) error { return s.Fold(ctx, lease, p) }
}

// furnish stores something of each kind for an entity.
func furnish(t testing.TB, s *Store, lease Lease) {
	t.Helper()
	if err := s.StartScan(t.Context(), lease, 8, time.Now(), []ScanRange{{IDRange: schema.IDRange{Low: 0, High: 100}}, {IDRange: schema.IDsAbove(100)}}); err != nil {
		t.Fatal(err)
	}
	mustSave(t, s, lease, Progress{
		Entries: []Entry{live(1, 5), {ID: 2, Seq: 6, State: Dirty}}, Seq: 7, Vanished: []int64{77},
		Positions: map[int32]schema.Position{0: {TopicID: [16]byte{1}, Next: 3}},
		Watermark: noon.Add(-time.Hour), WallClock: "2026-11-23T12:00:00",
	})
}

// Invariant 4: what a previous holder tries to save is refused as a whole.
func TestSaveWithALostLeaseChangesNothing(t *testing.T) {
	t.Parallel()
	s := open(t)
	for claim, c := range saves {
		// Not parallel: each compares the whole database.
		t.Run(claim, func(t *testing.T) {
			entity := claim
			lost, held := stale(t, s, entity)
			furnish(t, s, held)
			before := dump(t, s)
			wantLost(t, claim, c.save(t.Context(), s, lost))
			wantLost(t, claim+" of an entity never leased", c.save(t.Context(), s, Lease{Entity: "Fil", Holder: "present", Epoch: held.Epoch}))
			wantLost(t, claim+" of another epoch", c.save(t.Context(), s, Lease{Entity: entity, Holder: "present", Epoch: held.Epoch + 1}))
			wantLost(t, claim+" of another holder", c.save(t.Context(), s, Lease{Entity: entity, Holder: "another", Epoch: held.Epoch}))
			after := dump(t, s)
			if diff := cmp.Diff(before, after); diff != "" {
				t.Errorf("the refused save changed:\n%s", diff)
			}
			if !tablesOf(before)[c.table] && c.table != "poller_lateness" {
				t.Errorf("%s is empty: nothing was there to be changed", c.table)
			}
			// The same save by the holder does change the table.
			if err := c.save(t.Context(), s, held); err != nil {
				t.Fatalf("%s by the holder = %v", claim, err)
			}
			if cmp.Equal(after, dump(t, s)) {
				t.Errorf("%s by the holder changed nothing", claim)
			}
		})
	}
}

// A save that has checked its lease keeps it until it is committed: a takeover waits.
func TestATakeoverWaitsForARunningSave(t *testing.T) {
	t.Parallel()
	s := open(t)
	previous := acquire(t, s, entity, "previous")
	expire(t, s)
	block, err := s.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = block.Rollback(context.WithoutCancel(t.Context())) }()
	// This delays the save after it has locked the lease.
	if _, err := block.Exec(t.Context(), "LOCK TABLE poller_ledger IN SHARE MODE"); err != nil {
		t.Fatal(err)
	}
	saved := make(chan error, 1)
	go func() { saved <- s.Save(t.Context(), previous, Progress{Entries: []Entry{live(1, 1)}}) }()
	waitBlocked(t, s, 1)
	taken := make(chan error, 1)
	seen := make(chan map[int64]Entry, 1)
	go func() {
		_, err := s.Acquire(t.Context(), entity, "present", ttl)
		taken <- err
		seen <- entries(t, s, entity, 1)
	}()
	waitBlocked(t, s, 2)
	if err := block.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-saved; err != nil {
		t.Errorf("Save under way = %v", err)
	}
	if err := <-taken; err != nil {
		t.Errorf("Acquire after it = %v", err)
	}
	if diff := cmp.Diff(map[int64]Entry{1: live(1, 1)}, <-seen); diff != "" {
		t.Errorf("the new holder does not see what was saved before it (-want +got):\n%s", diff)
	}
	wantLost(t, "the next Save", s.Save(t.Context(), previous, Progress{Seq: 1}))
}

// Many saves race a takeover: after it, none of the previous holder's succeeds.
func TestNoSaveSucceedsAfterATakeover(t *testing.T) {
	t.Parallel()
	s := open(t)
	for round := range 10 {
		name := fmt.Sprintf("entity %d", round)
		previous := acquire(t, s, name, "previous")
		expire(t, s)
		const savers = 3
		var atTakeover int64
		taken := make(chan struct{})
		errs := together(savers+1, func(i int) error {
			if i == savers {
				defer close(taken)
				_, err := s.Acquire(t.Context(), name, "present", ttl)
				atTakeover = load(t, s, name).Seq
				return err
			}
			for seq := int64(i + 1); ; seq += savers {
				select {
				case <-taken: // the last try
					return s.Save(t.Context(), previous, Progress{Seq: seq})
				default:
				}
				if err := s.Save(t.Context(), previous, Progress{Seq: seq}); err != nil {
					return err
				}
			}
		})
		for _, err := range errs[:savers] {
			wantLost(t, "Save at last", err)
		}
		if errs[savers] != nil {
			t.Fatalf("Acquire = %v", errs[savers])
		}
		if got := load(t, s, name).Seq; got != atTakeover {
			t.Errorf("round %d: seq went from %d to %d after the takeover", round, atTakeover, got)
		}
	}
}

// Two pollers do anything in any order: only saves with the current epoch succeed,
// and each epoch is given out once.
func TestLeasesAgainstAModel(t *testing.T) {
	t.Parallel()
	s := open(t)
	round := 0
	rapid.Check(t, func(r *rapid.T) {
		round++
		m := &leaseModel{s: s, t: t, entity: fmt.Sprintf("entity %d", round), leases: map[string]Lease{}}
		holders := rapid.SampledFrom([]string{"a", "b"})
		r.Repeat(map[string]func(*rapid.T){
			"acquire": func(r *rapid.T) { m.acquire(r, holders.Draw(r, "holder")) },
			"renew":   func(r *rapid.T) { m.renew(r, holders.Draw(r, "holder")) },
			"save":    func(r *rapid.T) { m.save(r, holders.Draw(r, "holder")) },
			"release": func(r *rapid.T) { m.release(r, holders.Draw(r, "holder")) },
			"expire":  func(*rapid.T) { expire(t, s); m.running = false },
		})
	})
}

type leaseModel struct {
	s      *Store
	t      *testing.T
	entity string
	leases map[string]Lease // the last one of each holder

	holder  string // who acquired last; "" if nobody did, or after a release
	epoch   int64
	running bool
	seq     int64
}

// holds reports whether holder's last lease is the current one.
func (m *leaseModel) holds(holder string) bool {
	return m.holder == holder && m.leases[holder].Epoch == m.epoch
}

func (m *leaseModel) acquire(r *rapid.T, holder string) {
	lease, err := m.s.Acquire(m.t.Context(), m.entity, holder, ttl)
	if m.running && m.holder != holder {
		var refused *LeaseHeldError
		if !errors.As(err, &refused) || refused.Holder != m.holder {
			r.Fatalf("Acquire of %s = %v, want it held by %s", holder, err, m.holder)
		}
		return
	}
	m.holder, m.epoch, m.running = holder, m.epoch+1, true
	if err != nil || lease.Epoch != m.epoch {
		r.Fatalf("Acquire of %s = %+v, %v, want epoch %d", holder, lease, err, m.epoch)
	}
	m.leases[holder] = lease
}

func (m *leaseModel) renew(r *rapid.T, holder string) {
	_, err := m.s.Renew(m.t.Context(), m.lease(holder), ttl)
	m.want(r, "Renew", holder, err)
	m.running = m.running || err == nil
}

func (m *leaseModel) save(r *rapid.T, holder string) {
	m.seq++
	err := m.s.Save(m.t.Context(), m.lease(holder), Progress{Seq: m.seq})
	m.want(r, "Save", holder, err)
	if err != nil {
		m.seq--
	}
	if got := load(m.t, m.s, m.entity).Seq; got != m.seq {
		r.Fatalf("after Save of %s seq is %d, want %d", holder, got, m.seq)
	}
}

func (m *leaseModel) release(r *rapid.T, holder string) {
	if err := m.s.Release(m.t.Context(), m.lease(holder)); err != nil {
		r.Fatalf("Release of %s = %v", holder, err)
	}
	if m.holds(holder) {
		m.holder, m.running = "", false
	}
}

// lease returns the last lease of holder, or a made-up one.
func (m *leaseModel) lease(holder string) Lease {
	if lease, ok := m.leases[holder]; ok {
		return lease
	}
	return Lease{Entity: m.entity, Holder: holder}
}

func (m *leaseModel) want(r *rapid.T, call, holder string, err error) {
	if m.holds(holder) && err != nil || !m.holds(holder) && !errors.Is(err, ErrLeaseLost) {
		r.Fatalf("%s of %s, who holds the lease: %v, = %v", call, holder, m.holds(holder), err)
	}
}
