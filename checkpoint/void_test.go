package checkpoint

import (
	"slices"
	"testing"
	"time"
)

// While the database's clock was ahead, a lease and an announcement were stored that end
// in a month, or never.
func TestAnEndTooFarOffIsVoid(t *testing.T) {
	t.Parallel()
	for claim, end := range map[string]string{
		"a month":          "interval '1 month'",
		"a second too far": "interval '10 minutes 1 second'",
		"infinitely":       "NULL",
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			s := open(t)
			lost := acquire(t, s, entity, "gone")
			announce(t, s, "gone", "gone")
			for _, table := range []string{"poller_leases", "poller_members"} {
				exec(t, s, "UPDATE "+table+" SET expires_at = coalesce(clock_timestamp() + "+end+", 'infinity')")
			}
			if got, err := s.VoidLeases(t.Context()); err != nil || !slices.Equal(got, []string{entity}) {
				t.Errorf("VoidLeases = %v, %v, want %s", got, err, entity)
			}
			if list, err := s.Overview(t.Context()); err != nil || len(list) != 1 || list[0].Holder != "" {
				t.Errorf("Overview = %+v, %v, want no holder", list, err)
			}
			announce(t, s, "present", "present")
			held := acquire(t, s, entity, "present")
			if held.Epoch != lost.Epoch+1 {
				t.Errorf("epoch %d, want %d", held.Epoch, lost.Epoch+1)
			}
			wantLost(t, "Save with the void lease", s.Save(t.Context(), lost, Progress{Seq: 1}))
			if got, err := s.VoidLeases(t.Context()); err != nil || len(got) != 0 {
				t.Errorf("VoidLeases = %v, %v, want none", got, err)
			}
		})
	}
}

// The end of a scan that was stored while a poller's clock was ahead gives way to the
// next one; between clocks that differ a little the later one stays.
func TestAScanInTheFutureGivesWay(t *testing.T) {
	t.Parallel()
	s := open(t)
	lease := acquire(t, s, entity, "a")
	for _, step := range []struct{ saved, want time.Time }{
		{noon, noon},
		{noon.Add(-time.Minute), noon},
		{noon.AddDate(0, 1, 0), noon.AddDate(0, 1, 0)},
		{noon.Add(time.Minute), noon.Add(time.Minute)},
	} {
		mustSave(t, s, lease, Progress{ScannedAt: step.saved})
		if got := load(t, s, entity).ScannedAt; !got.Equal(step.want) {
			t.Errorf("after a scan at %s the last one is at %s, want %s", step.saved, got, step.want)
		}
	}
}
