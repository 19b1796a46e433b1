package capture

import (
	"testing"
	"time"

	"odastream/oda"
	"odastream/odasim"
	"odastream/schema"
)

func TestOncePublishesEveryRow(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]odasim.Options{
		"pages of 100, stamps as ticks": {},
		"pages of 20":                   {PageCap: 20},
		"stamps as text":                {Compare: odasim.CompareText},
		"escaped letters":               {EscapeUnicode: true},
		"no Date header":                {NoDate: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, o, "Sag", "Stemme", "Aktør", "AktørAktør", "Afstemning")
			w.sim.Generate(7, 0.2)
			w.mustOnce()
			for _, e := range w.entities {
				if w.sim.Len(e.Name) == 0 {
					t.Errorf("%s is empty: the test proves nothing", e.Name)
				}
				w.checkTopic(e.Name)
				for _, c := range w.changes(e.Name) {
					if c.Action != schema.Snapshot || c.Origin != schema.OriginSnapshot {
						t.Errorf("%s is %s from %s, want a snapshot", c.Key(), c.Action, c.Origin)
					}
				}
			}
		})
	}
}

func TestSecondOncePublishesOnlyWhatChanged(t *testing.T) {
	t.Parallel()
	w := newWorld(t, odasim.Options{}, "Sag", "Stemme")
	w.sim.SetNow(atNoon())
	w.sim.Generate(3, 0.1)
	w.cfg.ScanEvery = time.Nanosecond // a scan each time: it must publish nothing either
	w.mustOnce()
	before := len(w.messages("Sag"))
	w.mustOnce()
	if got := len(w.messages("Sag")); got != before {
		t.Fatalf("second run published %d records of an unchanged source", got-before)
	}
	w.put("Sag", 900001, "ny", stampAt(w.sim.Now()))
	id := rowID(t, w.sim.Rows("Sag")[0])
	w.put("Sag", id, "ændret", stampAt(w.sim.Now()))
	w.mustOnce()
	w.mustOnce()
	got := map[schema.Action]int64{}
	for _, c := range w.changes("Sag") {
		if c.Action != schema.Snapshot {
			got[c.Action] = c.ID
		}
	}
	if len(w.messages("Sag")) != before+2 || got[schema.Create] != 900001 || got[schema.Update] != id {
		t.Errorf("published %v and %d records more, want one create and one update", got, len(w.messages("Sag"))-before)
	}
	w.checkTopic("Sag")
}

// A vote writes 179 rows with one stamp, a job of the source tens of thousands. A
// cursor that is only a stamp loses those that do not fit on a page.
func TestTailReadsTiesLargerThanAPage(t *testing.T) {
	t.Parallel()
	for name, compare := range map[string]odasim.Compare{"ticks": odasim.CompareTicks, "text": odasim.CompareText} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, odasim.Options{Compare: compare}, "Stemme")
			w.sim.SetNow(atNoon())
			w.mustOnce()
			for _, ending := range []string{".007", ".003", ".11", ".1", ""} {
				stamp := oda.Wall(atNoon())[:len("2026-11-23T12:00:00")] + ending
				for i := range int64(359) {
					w.put("Stemme", int64(len(ending))*1000+i, ending, stamp)
				}
				w.sim.Advance(100 * time.Millisecond)
				w.mustOnce()
				w.checkTopic("Stemme")
			}
		})
	}
}

func TestStampsInTheFutureMoveNoWatermark(t *testing.T) {
	t.Parallel()
	w := newWorld(t, odasim.Options{}, "Sag")
	w.sim.SetNow(atNoon())
	w.mustOnce()
	w.put("Sag", 1, "næste måned", stampAt(atNoon().AddDate(0, 1, 0)))
	w.mustOnce()
	w.sim.Advance(time.Minute)
	w.put("Sag", 2, "nu", stampAt(w.sim.Now()))
	w.mustOnce()
	w.checkTopic("Sag")
	at, err := w.store.Load(t.Context(), "Sag")
	if err != nil || at.Watermark.After(w.sim.Now()) {
		t.Errorf("watermark is %s, the source's clock shows %s (%v)", at.Watermark, w.sim.Now(), err)
	}
}

func TestRowsLateWithinTheOverlapAreFound(t *testing.T) {
	t.Parallel()
	w := newWorld(t, odasim.Options{}, "Sag")
	w.sim.SetNow(atNoon())
	w.mustOnce()
	stamp := stampAt(w.sim.Now())
	w.sim.Advance(9 * time.Minute)
	w.mustOnce() // the watermark is nine minutes past the stamp
	w.put("Sag", 1, "sent", stamp)
	w.mustOnce()
	w.checkTopic("Sag")
}

func TestAnEntityThatTheSourceNeverHadIsNoError(t *testing.T) {
	t.Parallel()
	w := newWorld(t, odasim.Options{}, "Sag", "Sambehandlinger")
	w.put("Sag", 1, "en", stampAt(atNoon()))
	if err := w.sim.SetMissing("Sambehandlinger", true); err != nil {
		t.Fatal(err)
	}
	w.mustOnce()
	w.checkTopic("Sag")
	if err := w.sim.SetMissing("Sag", true); err != nil {
		t.Fatal(err)
	}
	if err := w.once(); err == nil {
		t.Error("poller --once reports no error though a loaded entity is gone")
	}
	w.deleteTopic("Sag")
	if err := w.once(); err == nil {
		t.Error("poller --once reports no error though an entity is gone whose topic must be filled again")
	}
}
