package checkpoint

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestAcquireTakesAFreeLease(t *testing.T) {
	t.Parallel()
	s := open(t)
	before := time.Now()
	lease := acquire(t, s, entity, "a")
	if lease.Entity != entity || lease.Holder != "a" || lease.Epoch != 1 {
		t.Errorf("Acquire = %+v, want epoch 1 of a", lease)
	}
	wantUntil(t, s, lease, before)
}

// wantUntil checks that Until is at least a ttl after before, and not later than
// the lease's end in the database.
func wantUntil(t *testing.T, s *Store, lease Lease, before time.Time) {
	t.Helper()
	var inDatabase time.Time
	err := s.pool.QueryRow(t.Context(), "SELECT expires_at FROM poller_leases WHERE entity_type = $1", lease.Entity).Scan(&inDatabase)
	if err != nil {
		t.Fatal(err)
	}
	// Both clocks are this machine's. Postgres counts whole microseconds.
	if lease.Until.Before(before.Add(ttl)) || lease.Until.After(inDatabase.Add(time.Microsecond)) {
		t.Errorf("lease runs until %s, want from %s to %s, its end in the database", lease.Until, before.Add(ttl), inDatabase)
	}
}

func TestAcquireFailsWhileAnotherHoldsTheLease(t *testing.T) {
	t.Parallel()
	s := open(t)
	held := acquire(t, s, entity, "a")
	got, err := s.Acquire(t.Context(), entity, "b", ttl)
	var refused *LeaseHeldError
	if !errors.As(err, &refused) {
		t.Fatalf("Acquire of b = %+v, %v, want a *LeaseHeldError", got, err)
	}
	if refused.Entity != entity || refused.Holder != "a" || refused.For <= ttl-time.Minute || refused.For > ttl {
		t.Errorf("Acquire of b = %+v, want a for about %s", refused, ttl)
	}
	if text := err.Error(); !strings.HasPrefix(text, "acquire lease of Sag: held by a for another 9m") {
		t.Errorf("Acquire of b says %q", text)
	}
	if _, err := s.Renew(t.Context(), held, ttl); err != nil {
		t.Errorf("Renew of a = %v: the refused Acquire of b touched it", err)
	}
	if other := acquire(t, s, "Aktør", "b"); other.Epoch != 1 {
		t.Errorf("Acquire of another entity = %+v, want epoch 1", other)
	}
}

func TestAcquireByTheHolderEndsItsPreviousLease(t *testing.T) {
	t.Parallel()
	s := open(t)
	previous := acquire(t, s, entity, "a")
	if again := acquire(t, s, entity, "a"); again.Epoch != previous.Epoch+1 {
		t.Errorf("Acquire again = epoch %d, want %d", again.Epoch, previous.Epoch+1)
	}
	_, err := s.Renew(t.Context(), previous, ttl)
	wantLost(t, "Renew of the previous lease", err)
	wantLost(t, "Save with the previous lease", s.Save(t.Context(), previous, Progress{Seq: 1}))
}

func TestAnExpiredLeaseIsTakenOver(t *testing.T) {
	t.Parallel()
	s := open(t)
	lost, held := stale(t, s, entity)
	if held.Epoch != lost.Epoch+1 || held.Holder != "present" {
		t.Errorf("Acquire after the end = %+v, want epoch %d", held, lost.Epoch+1)
	}
	before := dump(t, s)
	same, err := s.Renew(t.Context(), lost, ttl)
	wantLost(t, "Renew of the lost lease", err)
	if same != lost {
		t.Errorf("Renew of the lost lease = %+v, want it as it was", same)
	}
	if err := s.Release(t.Context(), lost); err != nil {
		t.Errorf("Release of the lost lease = %v, want no error", err)
	}
	if diff := cmp.Diff(before, dump(t, s)); diff != "" {
		t.Errorf("the previous holder changed:\n%s", diff)
	}
}

func TestRenewExtendsTheLease(t *testing.T) {
	t.Parallel()
	s := open(t)
	lease := acquire(t, s, entity, "a")
	expire(t, s) // taken by nobody
	before := time.Now()
	renewed, err := s.Renew(t.Context(), lease, ttl)
	if err != nil || renewed.Epoch != lease.Epoch {
		t.Fatalf("Renew = %+v, %v, want the same epoch", renewed, err)
	}
	wantUntil(t, s, renewed, before)
	if _, err := s.Acquire(t.Context(), entity, "b", ttl); err == nil {
		t.Error("Acquire of b after the renewal succeeded")
	}
}

func TestReleaseFreesTheLease(t *testing.T) {
	t.Parallel()
	s := open(t)
	lease := acquire(t, s, entity, "a")
	for range 2 {
		if err := s.Release(t.Context(), lease); err != nil {
			t.Fatalf("Release = %v", err)
		}
	}
	_, err := s.Renew(t.Context(), lease, ttl)
	wantLost(t, "Renew after Release", err)
	wantLost(t, "Save after Release", s.Save(t.Context(), lease, Progress{Seq: 1}))
	if next := acquire(t, s, entity, "b"); next.Epoch != lease.Epoch+1 {
		t.Errorf("Acquire after Release = epoch %d, want %d", next.Epoch, lease.Epoch+1)
	}
}

// Between an Acquire that fails and its query for the holder, the holder may release
// the lease.
func TestHolderErrorOfALeaseJustReleased(t *testing.T) {
	t.Parallel()
	s := open(t)
	if err := s.Release(t.Context(), acquire(t, s, entity, "a")); err != nil {
		t.Fatal(err)
	}
	var refused *LeaseHeldError
	if err := s.holderError(t.Context(), entity); !errors.As(err, &refused) || refused.For != 0 {
		t.Errorf("holderError = %v, want a *LeaseHeldError for another 0s", err)
	}
}

func TestRaceForALeaseHasOneWinner(t *testing.T) {
	t.Parallel()
	s := open(t)
	const pollers = 6
	for round := range 20 {
		name := fmt.Sprintf("entity %d", round/2) // each free at first, and expired the second time
		expire(t, s)
		leases := make([]Lease, pollers)
		errs := together(pollers, func(i int) (err error) {
			leases[i], err = s.Acquire(t.Context(), name, fmt.Sprintf("poller %d of round %d", i, round), ttl)
			return err
		})
		winner := -1
		for i, err := range errs {
			var refused *LeaseHeldError
			switch {
			case err == nil && winner < 0:
				winner = i
			case err == nil:
				t.Fatalf("round %d: pollers %d and %d both hold the lease", round, winner, i)
			case !errors.As(err, &refused):
				t.Fatalf("round %d: Acquire of poller %d = %v, want a *LeaseHeldError", round, i, err)
			}
		}
		if winner < 0 {
			t.Fatalf("round %d: nobody holds the lease: %v", round, errs)
		}
		if want := int64(round%2 + 1); leases[winner].Epoch != want {
			t.Errorf("round %d: epoch %d, want %d", round, leases[winner].Epoch, want)
		}
	}
}
