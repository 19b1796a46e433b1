package checkpoint

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"odastream/internal/test/faultproxy"
	"odastream/internal/test/machine"
	"odastream/internal/test/pgtest"
	"odastream/schema"
)

// A holder that falls silent at any byte of a save, a renewal or a release never has
// the lease's row locked meanwhile: another poller takes the expired lease at once, not
// when the server ends the session.
func TestASilentHolderLocksNothing(t *testing.T) {
	t.Parallel()
	s := open(t)
	address := s.pool.Config().ConnString()
	many := make([]Entry, 300)
	for i := range many {
		many[i] = live(int64(i), int64(i+1))
		many[i].New = i%2 == 0
		many[i].Fields = make(schema.Fields, 200)
	}
	calls := map[string]func(ctx context.Context, s *Store, lease Lease) error{
		"save of new and of changed rows": saving(Progress{Entries: many, Vanished: []int64{5}, Positions: map[int32]schema.Position{0: {Next: 1}}}),
		"fold":                            folding(Progress{Entries: many}),
		"start of a scan": func(ctx context.Context, s *Store, l Lease) error {
			began := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC) // each call sends as many bytes
			return s.StartScan(ctx, l, 12, began, []ScanRange{{IDRange: schema.IDRange{Low: 0, High: 7}}, {IDRange: schema.IDsAbove(7)}})
		},
		"reset": func(ctx context.Context, s *Store, l Lease) error { return s.ResetTopic(ctx, l) },
		"renewal": func(ctx context.Context, s *Store, l Lease) error {
			_, err := s.Renew(ctx, l, ttl)
			return err
		},
		"release": func(ctx context.Context, s *Store, l Lease) error { return s.Release(ctx, l) },
		"acquisition": func(ctx context.Context, s *Store, l Lease) error {
			_, err := s.Acquire(ctx, l.Entity, l.Holder, ttl)
			return err
		},
	}
	for claim, call := range calls {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			whole := sentBy(t, address, call, claim+" 00")
			const steps = 24
			together(steps+1, func(i int) error {
				fallSilent(t, s, address, call, fmt.Sprintf("%s %02d", claim, i), 1+(whole-1)*i/steps)
				return nil
			})
		})
	}
}

// holderAt returns a store whose connection passes through a proxy, and a lease that it
// holds.
func holderAt(t *testing.T, address, entity string) (*Store, Lease, *faultproxy.Proxy) {
	t.Helper()
	address, proxy := pgtest.Proxied(t, address, nil)
	s := openAt(t, address)
	lease := acquire(t, s, entity, "silent")
	_ = load(t, s, entity)
	return s, lease, proxy
}

// sentBy returns how many bytes a call sends.
func sentBy(t *testing.T, address string, call func(context.Context, *Store, Lease) error, entity string) int {
	t.Helper()
	s, lease, proxy := holderAt(t, address, entity)
	before := proxy.Sent()
	if err := call(t.Context(), s, lease); err != nil {
		t.Fatal(err)
	}
	return proxy.Sent() - before
}

// fallSilent makes a call fall silent after so many bytes, and lets another poller take
// the lease.
func fallSilent(t *testing.T, s *Store, address string, call func(context.Context, *Store, Lease) error, entity string, after int) {
	silent, lease, proxy := holderAt(t, address, entity)
	tripped := proxy.SilentAfter(after)
	ctx, cancel := context.WithCancel(t.Context())
	var done atomic.Bool
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = call(ctx, silent, lease) // its end is not known to the holder
		done.Store(true)
	}()
	defer func() { proxy.Down(); cancel(); <-ended }()
	select {
	case <-tripped:
	case <-ended:
		t.Errorf("%s: the call ended before it had sent %d bytes", entity, after)
		return
	}
	time.Sleep(50 * time.Millisecond) // for what the server has received
	if done.Load() {
		t.Errorf("%s: the call ended although its connection fell silent", entity)
	}
	const soon = 5 * time.Second // idle_in_transaction_session_timeout is 10 s
	taking, stop := context.WithTimeout(t.Context(), soon)
	defer stop()
	if _, err := s.pool.Exec(taking, `UPDATE poller_leases SET expires_at = clock_timestamp() WHERE entity_type = $1`, entity); err != nil {
		t.Errorf("%s, silent after %d bytes: the lease's row is locked: %v", entity, after, err)
		return
	}
	if _, err := s.Acquire(taking, entity, "another", ttl); err != nil {
		t.Errorf("%s, silent after %d bytes: Acquire by another = %v", entity, after, err)
	}
}

// A poller that falls silent while it announces itself, or withdraws, keeps no other one
// from announcing itself.
func TestASilentAnnouncementLocksNothing(t *testing.T) {
	t.Parallel()
	for claim, call := range map[string]func(ctx context.Context, s *Store, _ Lease) error{
		"an announcement": func(ctx context.Context, s *Store, _ Lease) error {
			_, err := s.Announce(ctx, "silent", ttl)
			return err
		},
		"a withdrawal": func(ctx context.Context, s *Store, _ Lease) error { return s.Withdraw(ctx, "silent") },
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			s := open(t)
			whole := sentBy(t, s.pool.Config().ConnString(), call, claim)
			const steps = 12
			for i := range steps + 1 {
				if _, err := s.Announce(t.Context(), "silent", ttl); err != nil {
					t.Fatal(err)
				}
				exec(t, s, `UPDATE poller_members SET expires_at = clock_timestamp() - interval '1 second'`)
				silent, _, proxy := holderAt(t, s.pool.Config().ConnString(), fmt.Sprint(claim, i))
				tripped := proxy.SilentAfter(1 + (whole-1)*i/steps)
				ctx, cancel := context.WithCancel(t.Context())
				ended := make(chan struct{})
				go func() { defer close(ended); _ = call(ctx, silent, Lease{}) }()
				<-tripped
				time.Sleep(50 * time.Millisecond) // for what the server has received
				soon, stop := context.WithTimeout(t.Context(), machine.AtLeast(3*time.Second))
				if _, err := s.Announce(soon, "another", ttl); err != nil {
					t.Errorf("silent in step %d of %d: Announce of another = %v", i, steps, err)
				}
				stop()
				proxy.Down()
				cancel()
				<-ended
			}
		})
	}
}
