package capture

import (
	"sync/atomic"
	"testing"
	"time"

	"odastream/oda"
	"odastream/odasim"
)

// emptied returns a page without its rows.
func emptied(page oda.Page) oda.Page {
	return oda.Page{Date: page.Date, Sent: page.Sent, Received: page.Received}
}

// A source that answers once with an empty page has not shown all of its rows, and most
// of them are new.
func TestAnEmptyPageEndsNoScan(t *testing.T) {
	t.Parallel()
	w := newWorld(t, odasim.Options{}, "Sag")
	w.sim.SetNow(atNoon())
	for id := range int64(250) {
		w.put("Sag", id+1, "først", stampAt(atNoon().AddDate(0, 0, -1)))
	}
	w.liar().tell(inTurn(true, func(asked oda.Window, page oda.Page) oda.Page {
		if asked.IDs.Low == 100 {
			return emptied(page)
		}
		return page
	}))
	w.mustOnce()
	w.checkTopic("Sag")
}

// After an outage a pass goes back further than any later one will.
func TestAnEmptyPageEndsNoLongPass(t *testing.T) {
	t.Parallel()
	w := many(t, 250)
	w.sim.Advance(time.Hour)
	for id := range int64(250) {
		w.put("Sag", id+1, "ændret", stampAt(w.sim.Now()))
	}
	w.sim.Advance(time.Hour)
	w.cfg.ScanEvery = 0
	w.liar().tell(inTurn(true, func(asked oda.Window, page oda.Page) oda.Page {
		if asked.After != "" && asked.IDs.Low == 100 {
			return emptied(page)
		}
		return page
	}))
	w.mustOnce()
	w.checkTopic("Sag")
}

// The newest rows have no neighbour above, so that the end of the answer must be certain.
func TestAnEmptyPageProvesNoRowDeleted(t *testing.T) {
	t.Parallel()
	w := many(t, 250)
	lies := 3 // two to the scan, and one to the recheck
	w.liar().tell(func(asked oda.Window, lane oda.Lane, page oda.Page) (oda.Page, error) {
		switch {
		case lane != oda.Scan:
		case asked.IDs.Low == 200:
			return without(page, 248, 249, 250), nil
		case asked.IDs.Low == 246:
			page.Rows = page.Rows[:1]
		case asked.IDs.Low == 247 && lies > 0:
			lies--
			return emptied(page), nil
		}
		return page, nil
	})
	w.mustOnce()
	if got := w.deletes(); got != 0 || lies > 0 {
		t.Errorf("%d deletes were published, %d lies were left", got, lies)
	}
	w.checkTopic("Sag")
}

// A row that a tail sees between a scan and its recheck, which both miss it, is at the
// source: two answers of three came from a node that lags.
func TestARowThatIsSeenBeforeTheRecheckIsNotDeleted(t *testing.T) {
	t.Parallel()
	w := many(t, 250)
	w.sim.Advance(time.Second)
	w.put("Sag", 97, "ændret", stampAt(w.sim.Now()))
	var missed, rechecked atomic.Bool
	seen := 0
	w.liar().tell(func(asked oda.Window, lane oda.Lane, page oda.Page) (oda.Page, error) {
		_, shown := rowOf(page, 97)
		switch {
		case !shown || rechecked.Load():
		case lane != oda.Scan && missed.Load():
			seen++ // the second time, the first page is on its way to the writer
		case lane != oda.Scan:
		case !small(asked):
			missed.Store(true)
			return without(page, 97), nil
		case seen > 1:
			rechecked.Store(true)
			return without(page, 97), nil
		}
		return page, nil
	})
	p, stopProcess := w.process()
	defer stopProcess()
	p.recheckDelay = 500 * time.Millisecond
	stop := w.run(p)
	w.eventually("the scan is complete", func() bool { return missed.Load() && p.Status().Entities[0].State == StateFollowing })
	stop()
	if !rechecked.Load() {
		t.Log("the tail was too slow: nothing is shown")
	}
	if got := w.deletes(); got != 0 {
		t.Errorf("%d deletes were published", got)
	}
	w.checkTopic("Sag")
}

// rowOf returns a row of a page.
func rowOf(page oda.Page, id int64) (oda.Row, bool) {
	for _, r := range page.Rows {
		if r.ID == id {
			return r, true
		}
	}
	return oda.Row{}, false
}
