package capture

import (
	"errors"
	"slices"
	"testing"
	"time"

	"odastream/oda"
	"odastream/schema"
)

// lag replaces rows of a page by older ones.
func lag(page oda.Page, older map[int64][]byte, stamp string) oda.Page {
	page.Rows = slices.Clone(page.Rows)
	for i, r := range page.Rows {
		if data, ok := older[r.ID]; ok {
			page.Rows[i].Data, page.Rows[i].Opdateringsdato = data, stamp
		}
	}
	return page
}

// restamped returns many rows, ten of which have changed since; older are the versions
// of those before.
func restamped(t *testing.T) (w *world, older map[int64][]byte, stamp string) {
	t.Helper()
	w = many(t, 250)
	stamp, older = stampAt(atNoon().AddDate(0, 0, -1)), map[int64][]byte{}
	w.sim.Advance(time.Second)
	for id := int64(95); id < 105; id++ {
		older[id] = w.sim.Row("Sag", id)
		w.put("Sag", id, "ændret", stampAt(w.sim.Now()))
	}
	w.mustOnce()
	return w, older, stamp
}

// Behind the source's balancer one of two nodes lags, and they answer in turn.
func TestANodeThatLagsPublishesNothingOlder(t *testing.T) {
	t.Parallel()
	for name, first := range map[string]int{"the first answer lags": 0, "the second answer lags": 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, older, stamp := restamped(t)
			before := len(w.messages("Sag"))
			requests := first
			w.liar().tell(func(_ oda.Window, _ oda.Lane, page oda.Page) (oda.Page, error) {
				if requests++; requests%2 == 0 {
					return page, nil
				}
				return lag(page, older, stamp), nil
			})
			w.workers = 1
			for range 3 {
				w.mustOnce()
			}
			if got := len(w.messages("Sag")); got != before {
				t.Errorf("%d records were published for older versions of rows", got-before)
			}
			w.checkTopic("Sag")
		})
	}
}

// A correction at the source may set a stamp back. It is published once.
func TestARowThatStaysOlderIsPublished(t *testing.T) {
	t.Parallel()
	for origin, back := range map[schema.Origin]time.Duration{schema.OriginTail: 500 * time.Millisecond, schema.OriginScan: 90 * 24 * time.Hour} {
		t.Run(string(origin), func(t *testing.T) {
			t.Parallel()
			w, _, _ := restamped(t)
			if origin == schema.OriginTail {
				w.cfg.ScanEvery = 0
			}
			for _, id := range []int64{3, 97, 104} {
				w.put("Sag", id, "rettet", stampAt(w.sim.Now().Add(-back)))
			}
			for range 2 {
				w.mustOnce()
			}
			for _, id := range []int64{97, 104} {
				if last := w.lastOf(id); last.Action != schema.Update || last.Origin != origin || len(w.changesOf(id)) != 3 {
					t.Errorf("row %d ends with %s by %s after %d changes, want an update by %s after 3", id, last.Action, last.Origin, len(w.changesOf(id)), origin)
				}
			}
			w.checkTopic("Sag")
		})
	}
}

// The batch of a row that is to be read again is saved only after that.
func TestAKilledRereadLosesNothing(t *testing.T) {
	t.Parallel()
	w, _, _ := restamped(t)
	w.put("Sag", 97, "rettet", stampAt(w.sim.Now().AddDate(0, 0, -90)))
	liar := w.liar()
	liar.tell(func(asked oda.Window, _ oda.Lane, page oda.Page) (oda.Page, error) {
		if asked.IDs == schema.OneID(97) {
			return page, errCrash
		}
		return page, nil
	})
	if err := w.once(); !errors.Is(err, errCrash) {
		t.Fatalf("poller --once gives %v, want the crash at the reread", err)
	}
	liar.tell(nil)
	w.cfg.ScanEvery = 0 // the interrupted scan is continued all the same
	w.mustOnce()
	w.checkTopic("Sag")
}

// A page may be shorter than asked for: what it lacks is read with the next one.
func TestRowsThatStayOlderArePublishedFromShortPages(t *testing.T) {
	t.Parallel()
	w, _, _ := restamped(t)
	for id := int64(95); id < 105; id++ {
		w.put("Sag", id, "rettet", stampAt(w.sim.Now().AddDate(0, 0, -90)))
	}
	w.liar().tell(func(asked oda.Window, _ oda.Lane, page oda.Page) (oda.Page, error) {
		if small(asked) {
			page.Rows = page.Rows[:min(3, len(page.Rows))]
		}
		return page, nil
	})
	w.mustOnce()
	w.checkTopic("Sag")
}

// What a scan saw of such a row is not published, so the scan ends with its delete.
func TestAnOlderRowThatVanishesIsDeletedByTheSameScan(t *testing.T) {
	t.Parallel()
	w, _, _ := restamped(t)
	w.put("Sag", 97, "rettet", stampAt(w.sim.Now().AddDate(0, 0, -90)))
	w.liar().tell(func(asked oda.Window, _ oda.Lane, page oda.Page) (oda.Page, error) {
		if asked.IDs == schema.OneID(97) {
			w.sim.Delete("Sag", 97)
			return without(page, 97), nil
		}
		return page, nil
	})
	w.mustOnce()
	w.checkTopic("Sag")
}

// A row that a recheck saw and a reread did not is not resolved: the scan completes, and
// says of no time that all is published.
func TestARowThatVanishesBehindARecheckIsOutstanding(t *testing.T) {
	t.Parallel()
	w, _, _ := restamped(t)
	w.put("Sag", 97, "rettet", stampAt(w.sim.Now().AddDate(0, 0, -90)))
	frontier := w.frontier()
	w.sim.Advance(2 * time.Second) // the source's clock is known to the second
	liar := w.liar()
	liar.tell(func(asked oda.Window, lane oda.Lane, page oda.Page) (oda.Page, error) {
		if lane == oda.Scan && !small(asked) || asked.IDs == schema.OneID(97) {
			return without(page, 97), nil
		}
		return page, nil
	})
	w.mustOnce()
	if at := w.frontier(); at.After(frontier) {
		t.Errorf("consistent_through moved from %s to %s, and row 97 is outstanding", frontier, at)
	}
	liar.tell(nil)
	w.mustOnce()
	w.checkTopic("Sag")
	if !w.frontier().After(frontier) {
		t.Error("consistent_through did not move once the row was read")
	}
}
