package capture

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"odastream/oda"
	"odastream/odasim"
	"odastream/schema"
)

// It fails if a second must have passed.
func TestAScanEverySecondIsAlwaysDue(t *testing.T) {
	t.Parallel()
	w := loaded(t)
	w.cfg.ScanEvery = time.Second
	for id := range int64(3) {
		w.put("Sag", id+1, "i stilhed", stampAt(atNoon().AddDate(0, 0, -1))) // before the look-back of any pass
		w.mustOnce()
		w.checkTopic("Sag")
	}
}

func TestSplitCoversEveryIDOnce(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		extent := oda.Extent{MaxID: rapid.Int64Range(0, 60_000_000).Draw(t, "max"), Count: rapid.Int64Range(-1, 2_000_000).Draw(t, "count")}
		ranges := split(extent)
		if len(ranges) == 0 || len(ranges) > maxRanges {
			t.Fatalf("%+v gives %d ranges", extent, len(ranges))
		}
		if !ranges[0].Open() || ranges[len(ranges)-1].Low != schema.NoStart {
			t.Fatalf("%+v does not reach both ends: %+v", extent, ranges)
		}
		for i, r := range ranges {
			if r.Next != r.Low || r.Done {
				t.Fatalf("range %+v does not start at its beginning", r)
			}
			if i > 0 && r.High != ranges[i-1].Low {
				t.Fatalf("%+v: %+v does not meet %+v", extent, r, ranges[i-1])
			}
		}
	})
}

// The number of requests must depend on rows, not on ids. Each range costs one more.
func TestAScanOfSparseIDsCostsRequestsByRows(t *testing.T) {
	t.Parallel()
	w := newWorld(t, odasim.Options{}, "AktørAktør")
	w.sim.SetNow(atNoon())
	const rows = 20_000
	for i := range int64(rows) {
		w.put("AktørAktør", i*2851+1, "r", stampAt(atNoon().AddDate(0, 0, -1)))
	}
	before := w.sim.Requests()
	w.mustOnce()
	w.checkTopic("AktørAktør")
	pages, others := int64(rows/100), int64(rows/rangeRows+20)
	if got := w.sim.Requests() - before; got > pages+others {
		t.Errorf("first load of %d rows took %d requests, want at most %d", rows, got, pages+others)
	}
}

func TestAScanRequestedDuringAScanIsMade(t *testing.T) {
	t.Parallel()
	w := newWorld(t, odasim.Options{}, "Sag")
	w.sim.SetNow(atNoon())
	yesterday := stampAt(atNoon().AddDate(0, 0, -1))
	for id := range int64(300) {
		w.put("Sag", id+1, "a case", yesterday)
	}
	w.mustOnce()
	mood := w.moods()
	mood.feel(func(asked int, set string, _ oda.Window) error {
		if asked != 3 {
			return nil
		}
		_, err := w.store.RequestScan(t.Context(), set, false)
		return err
	})
	w.cfg.ScanEvery = time.Nanosecond
	w.mustOnce()
	mood.feel(nil)
	w.cfg.ScanEvery = 0 // from now on only requested scans
	w.put("Sag", 300, "edited without a stamp", yesterday)
	w.mustOnce()
	w.checkTopic("Sag")
	before := len(w.changes("Sag"))
	w.put("Sag", 299, "edited without a stamp", yesterday)
	w.mustOnce()
	if got := len(w.changes("Sag")) - before; got != 0 {
		t.Errorf("%d changes were published by a scan that nobody requested", got)
	}
}

func TestAnUnknownHighestIDMakesOneRange(t *testing.T) {
	t.Parallel()
	ranges := split(oda.Extent{Count: 2_000_000, MaxID: schema.NoEnd})
	if len(ranges) != 1 || ranges[0].Low != schema.NoStart || ranges[0].High != schema.NoEnd {
		t.Errorf("split = %+v, want one range without an upper end", ranges)
	}
	if got := split(oda.Extent{Count: 2_000_000, MaxID: 2_100_000}); len(got) < 2 {
		t.Errorf("split of a known extent = %d ranges, want several", len(got))
	}
}
