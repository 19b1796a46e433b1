package capture

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"odastream/checkpoint"
	"odastream/odasim"
	"odastream/schema"
)

// lateRowsOf returns the entity's histogram.
func (w *world) lateRowsOf(entity string) []checkpoint.Lateness {
	w.t.Helper()
	seen, err := w.store.LateRows(w.t.Context(), entity, lateDays)
	if err != nil {
		w.t.Fatal(err)
	}
	return seen
}

// Only rows found behind the watermark count as late: not the rows of a first load, a
// silent edit, a row in time, a row that is read again, or one that is repaired.
func TestLatenessCountsOnlyLateRows(t *testing.T) {
	t.Parallel()
	w := many(t, 20) // stamped a day ago
	w.sim.Advance(time.Hour)
	w.put("Sag", 21, "i tide", stampAt(w.sim.Now()))
	w.mustOnce()
	if err := w.sim.Edit("Sag", 5, "titel", "rettet i stilhed"); err != nil {
		t.Fatal(err)
	}
	w.mustOnce()
	old := w.changes("Sag")[3]
	if err := w.sim.Edit("Sag", old.ID, "titel", "rettet"); err != nil {
		t.Fatal(err)
	}
	w.mustOnce()
	w.publishBehind(old)
	w.mustOnce() // repaired
	if seen := w.lateRowsOf("Sag"); len(seen) != 0 {
		t.Fatalf("lateness is %+v though nothing came late", seen)
	}

	w.sim.Advance(time.Hour)
	w.mustOnce()
	stamp := stampAt(w.sim.Now().Add(-4 * time.Minute))
	w.put("Sag", 22, "sent", stamp)
	w.put("Sag", 23, "sent", stamp)
	w.put("Sag", 24, "meget sent", stampAt(w.sim.Now().Add(-3*time.Hour)))
	w.mustOnce()
	seen := w.lateRowsOf("Sag")
	for i := range seen { // the source's clock is known to the second
		seen[i].Worst = seen[i].Worst.Round(time.Minute)
	}
	want := []checkpoint.Lateness{
		{Bound: 5 * time.Minute, Rows: 2, Worst: 4 * time.Minute},
		{Bound: 6 * time.Hour, Rows: 1, Worst: 3 * time.Hour},
	}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Errorf("lateness (-want +got):\n%s", diff)
	}
}

// The third tier looks back twice the measured lateness, at most SCAN_EVERY, so that
// the tail alone finds the next row that is as late.
func TestTheTailLooksBackTwiceTheMeasuredLateness(t *testing.T) {
	t.Parallel()
	w := many(t, 5)
	w.cfg.ScanEvery = 24 * time.Hour
	w.exec(`INSERT INTO poller_lateness VALUES ('Sag', (now() AT TIME ZONE 'UTC')::date, 21600, 1, 7200),
('Sag', (now() AT TIME ZONE 'UTC')::date - 31, 604800, 1, 600000), ('Aktør', (now() AT TIME ZONE 'UTC')::date, 604800, 1, 600000)`)
	w.sim.Advance(12 * time.Hour)
	w.mustOnce()
	w.put("Sag", 6, "tre timer sent", stampAt(w.sim.Now().Add(-3*time.Hour)))
	w.mustOnce()
	w.checkTopic("Sag")
	for _, c := range w.changesOf(6) {
		if c.Origin != schema.OriginTail {
			t.Errorf("the late row was found by %s, want the tail", c.Origin)
		}
	}
	p, stop := w.process()
	defer stop()
	if err := p.Once(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := []LateRows{{Seconds: 21600, Rows: 2, Worst: 10800}}
	got := p.Status().Entities[0].Lateness
	if len(got) == 1 {
		got = slices.Clone(got)
		got[0].Worst = (got[0].Worst + 30) / 60 * 60 // the source's clock is known to the second
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}
}

func TestLookBackIsAtMostScanEvery(t *testing.T) {
	t.Parallel()
	w := many(t, 5)
	for scanEvery, want := range map[time.Duration]time.Duration{
		0: 20 * time.Hour, 24 * time.Hour: 20 * time.Hour, 5 * time.Hour: 5 * time.Hour, time.Minute: 10 * time.Minute,
	} {
		w.exec(`DELETE FROM poller_lateness; INSERT INTO poller_lateness VALUES ('Sag', (now() AT TIME ZONE 'UTC')::date, 86400, 1, 36000)`)
		w.cfg.ScanEvery = scanEvery
		p, stop := w.process()
		lookBacks := p.newSession(checkpoint.Lease{Entity: "Sag"}, p.entities[0]).tail.lookBacks
		if got, err := lookBacks.measured(t.Context()); err != nil || got != want {
			t.Errorf("rows were ten hours late, scans each %s: look-back is %s (%v), want %s", scanEvery, got, err, want)
		}
		stop()
	}
}

// A change wakes the tails of related entities that are at rest.
func TestAChangeWakesRelatedEntities(t *testing.T) {
	t.Parallel()
	w := newWorld(t, odasim.Options{}, "Afstemning", "Stemme", "Periode")
	w.sim.SetNow(atNoon())
	w.mustOnce()
	w.cfg.Interval, w.cfg.IntervalMax = time.Hour, time.Hour
	p, stop := w.follow()
	defer stop()
	for i := range w.entities {
		w.eventually("all are followed", func() bool { return !p.Status().Entities[i].Watermark.IsZero() })
	}
	rest := p.Status().Entities[2].Watermark
	w.sim.Advance(time.Second)
	w.put("Afstemning", 1, "en afstemning", stampAt(w.sim.Now()))
	w.put("Stemme", 1, "en stemme", stampAt(w.sim.Now()))
	w.put("Periode", 1, "en periode", stampAt(w.sim.Now()))
	p.wakers["Afstemning"] <- struct{}{}
	w.eventually("the vote's members are published", func() bool { return len(w.changes("Stemme")) == 1 })
	if got := w.changes("Periode"); len(got) != 0 || p.Status().Entities[2].Watermark != rest {
		t.Errorf("an entity that is not related was polled")
	}
}

// An update names exactly the members that differ, and none if that is not known.
func TestAnUpdateNamesTheChangedMembers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, odasim.Options{}, "Sag")
	w.sim.SetNow(atNoon())
	w.cfg.ScanEvery = time.Nanosecond
	row := func(data string) {
		if err := w.sim.Put("Sag", []byte(data)); err != nil {
			t.Fatal(err)
		}
		w.mustOnce()
	}
	last := func() schema.Change {
		changes := w.changes("Sag")
		return changes[len(changes)-1]
	}
	row(`{"id":1,"titel":"a","statusid":1,"note":null,"opdateringsdato":"2026-11-23T12:00:00"}`)
	for _, step := range []struct {
		row  string
		want []string
	}{
		{`{"id":1,"titel":"b","statusid":2,"note":null,"opdateringsdato":"2026-11-23T12:00:00"}`, []string{"titel", "statusid"}},
		{`{"id":1,"titel":"b","statusid":2,"note":"","opdateringsdato":"2026-11-23T12:00:00"}`, []string{"note"}},
		{`{"id":1,"titel":"b","statusid":2,"note":"","nyt":7,"opdateringsdato":"2026-11-23T12:00:00"}`, []string{"nyt"}},
		{`{"id":1,"titel":"b","statusid":2,"note":"","opdateringsdato":"2026-11-23T12:00:00"}`, nil},
		{`{"id":1,"titel":"c","statusid":2,"note":"","opdateringsdato":"2026-11-23T13:00:00"}`, []string{"titel"}},
	} {
		row(step.row)
		if got := last(); string(got.Data) != step.row || !slices.Equal(got.Changed, step.want) {
			t.Errorf("%s: changed is %q, want %q", got.Data, got.Changed, step.want)
		}
	}
	// The database is lost: the topic has the version before.
	w.exec(`DELETE FROM poller_ledger; DELETE FROM poller_positions; DELETE FROM poller_watermarks`)
	w.mustOnce()
	row(`{"id":1,"titel":"d","statusid":2,"note":"","opdateringsdato":"2026-11-23T13:00:00"}`)
	if got := last(); !slices.Equal(got.Changed, []string{"titel"}) {
		t.Errorf("changed is %q after the ledger was lost, want titel", got.Changed)
	}
}
