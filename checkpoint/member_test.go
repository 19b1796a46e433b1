package checkpoint

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func announce(t *testing.T, s *Store, holder string, want ...string) {
	t.Helper()
	got, err := s.Announce(t.Context(), holder, ttl)
	if err != nil {
		t.Fatalf("Announce(%s) = %v", holder, err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Announce(%s) (-want +got):\n%s", holder, diff)
	}
}

func TestAnnounceReturnsTheRunningPollers(t *testing.T) {
	t.Parallel()
	s := open(t)
	announce(t, s, "b", "b")
	announce(t, s, "a", "a", "b")
	announce(t, s, "c", "a", "b", "c")
	if err := s.Withdraw(t.Context(), "b"); err != nil {
		t.Fatal(err)
	}
	announce(t, s, "c", "a", "c")
	exec(t, s, "UPDATE poller_members SET expires_at = clock_timestamp()")
	announce(t, s, "c", "c") // a has expired; c, expired too, announces itself again
	if err := s.Withdraw(t.Context(), "nobody"); err != nil {
		t.Errorf("Withdraw of nobody = %v, want no error", err)
	}
}

func TestManyPollersAnnounceAtOnce(t *testing.T) {
	t.Parallel()
	s := open(t)
	for range 20 {
		errs := together(6, func(i int) error {
			_, err := s.Announce(t.Context(), string(rune('a'+i)), time.Nanosecond)
			return err
		})
		for i, err := range errs {
			if err != nil {
				t.Fatalf("Announce of poller %d = %v", i, err)
			}
		}
	}
}
