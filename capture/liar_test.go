package capture

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"odastream/oda"
)

// liar is a source whose pages are wrong in ways that no check of a page can find.
type liar struct {
	source

	mu  sync.Mutex
	lie func(w oda.Window, lane oda.Lane, page oda.Page) (oda.Page, error) // nil: pages are as they are
}

func (l *liar) Page(ctx context.Context, set string, w oda.Window, lane oda.Lane) (oda.Page, error) {
	page, err := l.source.Page(ctx, set, w, lane)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil || l.lie == nil {
		return page, err
	}
	return l.lie(w, lane, page)
}

func (l *liar) tell(lie func(w oda.Window, lane oda.Lane, page oda.Page) (oda.Page, error)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lie = lie
}

func (w *world) liar() *liar {
	l := &liar{source: w.source}
	w.source = l
	return l
}

// without returns page without these rows.
func without(page oda.Page, ids ...int64) oda.Page {
	page.Rows = slices.DeleteFunc(slices.Clone(page.Rows), func(r oda.Row) bool { return slices.Contains(ids, r.ID) })
	return page
}

// small reports whether a window is of a recheck: its range has an upper end.
func small(w oda.Window) bool { return !w.IDs.Open() }

// No single answer proves a row deleted. It fails without the recheck, and with one
// that does not read the neighbours.
func TestAPageThatLacksARowDeletesNothing(t *testing.T) {
	t.Parallel()
	for claim, lie := range map[string]func(w oda.Window, lane oda.Lane, page oda.Page) (oda.Page, error){
		"a page that shifted while it was read": func(w oda.Window, lane oda.Lane, page oda.Page) (oda.Page, error) {
			if lane == oda.Scan && !small(w) {
				return without(page, 42, 43), nil
			}
			return page, nil
		},
		"an empty page in the middle": func(w oda.Window, lane oda.Lane, page oda.Page) (oda.Page, error) {
			if lane == oda.Scan && !small(w) && w.IDs.Low >= 200 {
				return oda.Page{Date: page.Date, Sent: page.Sent, Received: page.Received}, nil
			}
			return page, nil
		},
		"a second look without the neighbour below": func(w oda.Window, lane oda.Lane, page oda.Page) (oda.Page, error) {
			if lane == oda.Scan && small(w) {
				return without(page, 41, 42, 43), nil
			}
			return without(page, 42, 43), nil
		},
		"a second look without the neighbour above": func(w oda.Window, lane oda.Lane, page oda.Page) (oda.Page, error) {
			if lane == oda.Scan && small(w) {
				return without(page, 42, 43, 44), nil
			}
			return without(page, 42, 43), nil
		},
		"a second look that is cut off": func(w oda.Window, lane oda.Lane, page oda.Page) (oda.Page, error) {
			if lane == oda.Scan && small(w) {
				return oda.Page{}, trouble("Sag", oda.ErrTruncated)
			}
			return without(page, 42, 43), nil
		},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			w := many(t, 250)
			liar := w.liar()
			liar.tell(lie)
			for range 3 {
				if err := w.once(); err != nil && !errors.Is(err, oda.ErrTruncated) {
					t.Fatal(err)
				}
			}
			if got := w.deletes(); got != 0 {
				t.Errorf("%d deletes were published", got)
			}
			liar.tell(nil)
			w.mustOnce()
			w.checkTopic("Sag")
		})
	}
}

// A row that is broken is still at the source.
func TestABrokenRowIsNotDeleted(t *testing.T) {
	t.Parallel()
	w := many(t, 30)
	for _, id := range []int64{7, 30} {
		broken := fmt.Appendf(nil, `{"id":%d,"opdateringsdato":"2026-11-23T11:00:00","opdateringsdato":"2026-11-23T11:00:00"}`, id)
		if err := w.sim.Put("Sag", broken); err != nil {
			t.Fatal(err)
		}
	}
	w.mustOnce()
	w.mustOnce()
	if got := w.deletes(); got != 0 {
		t.Errorf("%d deletes were published of rows that are there, broken", got)
	}
}

// An element without a readable id may be any row that the page lacks.
func TestAnElementWithoutAnIDMayBeAnyRow(t *testing.T) {
	t.Parallel()
	w := many(t, 30)
	liar := w.liar()
	liar.tell(func(_ oda.Window, lane oda.Lane, page oda.Page) (oda.Page, error) {
		if lane == oda.Scan && len(page.Rows) > 0 {
			page = without(page, 7)
			page.Rejects = []oda.Reject{{Data: []byte(`null`), Reason: "is not a JSON object"}}
		}
		return page, nil
	})
	w.mustOnce()
	w.mustOnce()
	if got := w.deletes(); got != 0 {
		t.Errorf("%d deletes were published", got)
	}
	liar.tell(nil)
	w.mustOnce()
	w.checkTopic("Sag")
}

// If a process dies before it rechecks vanished rows, the next one does, and does not
// read the ranges again.
func TestAKilledScanContinuesWithTheRecheck(t *testing.T) {
	t.Parallel()
	w := many(t, 250)
	w.vanish(42, 43)
	liar := w.liar()
	liar.tell(func(w oda.Window, lane oda.Lane, page oda.Page) (oda.Page, error) {
		if lane == oda.Scan && small(w) {
			return page, errCrash
		}
		return page, nil
	})
	if err := w.once(); !errors.Is(err, errCrash) {
		t.Fatalf("poller --once gives %v, want the crash at the recheck", err)
	}
	w.cfg.ScanEvery = 0
	liar.tell(func(asked oda.Window, lane oda.Lane, page oda.Page) (oda.Page, error) {
		if lane == oda.Scan && !small(asked) {
			t.Errorf("the scan reads %+v again", asked)
		}
		return page, nil
	})
	w.mustOnce()
	w.checkTopic("Sag")
	if got := w.deletes(); got != 2 {
		t.Errorf("%d deletes, want 2", got)
	}
}

// The scan of an earlier process is completed, and followed by a new one if SCAN_EVERY
// says so: the rows that it had read may have changed.
func TestAResumedScanIsFollowedByANewOne(t *testing.T) {
	t.Parallel()
	w := many(t, 250)
	liar := w.liar()
	liar.tell(func(w oda.Window, lane oda.Lane, page oda.Page) (oda.Page, error) {
		if lane == oda.Scan && w.IDs.Low >= 200 {
			return page, errCrash
		}
		return page, nil
	})
	if err := w.once(); !errors.Is(err, errCrash) {
		t.Fatalf("poller --once gives %v, want the crash", err)
	}
	liar.tell(nil)
	if err := w.sim.Edit("Sag", 1, "titel", "rettet i stilhed"); err != nil {
		t.Fatal(err)
	}
	w.sim.Advance(time.Second)
	w.mustOnce()
	w.checkTopic("Sag")
}
