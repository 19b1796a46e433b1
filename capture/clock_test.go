package capture

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"odastream/oda"
	"odastream/odasim"
)

// clockChanges are those of 2025 and 2026: in March the clock skips the hour from two
// to three, in October it repeats it. They are over: no watermark passes our own clock.
func clockChanges() []time.Time {
	return []time.Time{
		time.Date(2025, 3, 30, 1, 0, 0, 0, time.UTC), time.Date(2025, 10, 26, 1, 0, 0, 0, time.UTC),
		time.Date(2026, 3, 29, 1, 0, 0, 0, time.UTC), time.Date(2026, 10, 25, 1, 0, 0, 0, time.UTC),
	}
}

// Around a clock change the tail alone finds every row, also rows that are minutes
// late, whether the tail runs all the time or not for an hour. It fails if stamps are
// converted to UTC before they are compared, and without the look-back.
func TestTheTailLosesNothingOverAClockChange(t *testing.T) {
	t.Parallel()
	for claim, follow := range map[string]func(w *world, change time.Time){
		"poller --once each three minutes": func(w *world, change time.Time) {
			w.liveThrough(change, 3*time.Minute, func(time.Duration) { w.mustOnce() })
		},
		"an outage across the hour": func(w *world, change time.Time) {
			w.liveThrough(change, 3*time.Minute, func(since time.Duration) {
				if since < -12*time.Minute || since > 66*time.Minute {
					w.mustOnce()
				}
			})
		},
		"a daemon that looks each minute": func(w *world, change time.Time) {
			look, stop := w.followByHand()
			defer stop()
			w.liveThrough(change, time.Minute, func(time.Duration) { look() })
		},
		"a daemon that rests": func(w *world, change time.Time) {
			look, stop := w.followByHand()
			defer stop()
			w.liveThrough(change, 5*time.Minute, func(time.Duration) {
				look()
				w.checkTopic("Sag") // each of its passes is a wide one
			})
		},
	} {
		for _, compare := range []odasim.Compare{odasim.CompareTicks, odasim.CompareText} {
			t.Run(claim+", stamps as "+string(compare), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, odasim.Options{}, "Sag")
				for _, change := range clockChanges() {
					w.anew(odasim.Options{Compare: compare, PageCap: 20})
					w.cfg.ScanEvery = 0
					w.sim.SetNow(change.Add(-30 * time.Minute))
					w.mustOnce()
					follow(w, change)
					w.checkTopic("Sag")
					for _, c := range w.changes("Sag") {
						if c.Origin == "scan" {
							t.Fatalf("%s was found by a scan: the tail was to find it", c.Key())
						}
					}
				}
			})
		}
	}
}

// liveThrough runs the source from before a clock change until after the hour that
// it repeats. In each step rows are written, some of them minutes after their stamp,
// and the poller runs. since is the time since the change.
func (w *world) liveThrough(change time.Time, step time.Duration, look func(since time.Duration)) {
	w.t.Helper()
	id := int64(0)
	for since := -30*time.Minute + step; since <= 90*time.Minute; since += step {
		w.sim.SetNow(change.Add(since))
		for _, late := range []time.Duration{0, 2 * time.Minute, 6*time.Minute + 30*time.Second} {
			id++
			row := sagRow(id, fmt.Sprintf("%s after the change, late by %s", since, late), stampAt(w.sim.Now()))
			if err := w.sim.PutLate("Sag", row, w.sim.Now().Add(late)); err != nil {
				w.t.Fatal(err)
			}
		}
		look(since)
	}
	w.sim.SetNow(change.Add(97 * time.Minute))
	look(97 * time.Minute)
}

// followByHand runs a daemon that makes a pass when the test says so, and that knows
// the source's clock: the test sets the clock ahead between two passes.
func (w *world) followByHand() (look, stop func()) {
	w.t.Helper()
	w.cfg.Interval, w.cfg.IntervalMax = time.Hour, time.Hour
	p, stop := w.follow()
	watermark := func() time.Time { return p.Status().Entities[0].Watermark }
	w.eventually("the daemon follows", func() bool { return !watermark().IsZero() })
	return func() {
		before := watermark()
		p.clock.mu.Lock()
		p.clock.skews = []time.Duration{time.Until(w.sim.Now())}
		p.clock.mu.Unlock()
		p.wakers["Sag"] <- struct{}{}
		w.eventually("a pass is over", func() bool { return watermark().After(before) })
	}, stop
}

// The watermark is when a pass began, not when it ended: rows that were read already
// may be written during the pass.
func TestTheWatermarkIsWhenThePassBegan(t *testing.T) {
	t.Parallel()
	w := many(t, 50)
	w.cfg.ScanEvery = 0
	w.sim.Advance(time.Hour)
	w.mustOnce()
	mood := w.moods()
	var written time.Time
	mood.feel(func(asked int, _ string, asks oda.Window) error {
		if asks.After != "" && asks.IDs.Low >= 0 && written.IsZero() { // within a tail pass
			written = w.sim.Now()
			w.put("Sag", 1, "imens", stampAt(written))
		}
		return nil
	})
	for id := range int64(5) {
		w.put("Sag", 10*id+2, "først", stampAt(w.sim.Now()))
	}
	// The source's clock is known to the second: the pass has to last for longer.
	w.sim.SetFaults(odasim.Faults{Latency: 1200 * time.Millisecond})
	w.mustOnce()
	if written.IsZero() {
		t.Fatal("nothing was written within the pass: the test proves nothing")
	}
	if at := w.load("Sag").Watermark; at.After(written) {
		t.Errorf("watermark is %s, past what was written at %s behind the pass", at, written)
	}
	w.sim.SetFaults(odasim.Faults{})
	w.mustOnce()
	w.checkTopic("Sag")
}

// A daemon that completes the pass of an earlier process makes a wide pass at once:
// rows that came late in between are behind that pass, and the next wide one may be
// far off.
func TestASavedPassIsFollowedByAWideOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t, odasim.Options{PageCap: 20}, "Sag")
	w.sim.SetNow(atNoon())
	w.mustOnce()
	w.sim.Advance(time.Hour)
	for id := range int64(50) {
		w.put("Sag", id+10, "først", stampAt(w.sim.Now()))
	}
	mood := w.moods()
	mood.feel(func(_ int, _ string, asks oda.Window) error {
		if asks.After != "" && asks.IDs.Low >= 20 {
			return errCrash
		}
		return nil
	})
	if err := w.once(); !errors.Is(err, errCrash) {
		t.Fatalf("poller --once gives %v, want the crash", err)
	}
	if w.load("Sag").Pass == nil {
		t.Fatal("no pass is running: the test proves nothing")
	}
	mood.feel(nil)
	w.put("Sag", 1, "sent", stampAt(w.sim.Now().Add(-3*time.Minute)))
	w.sim.Advance(time.Minute)
	w.cfg.Interval, w.cfg.IntervalMax = time.Hour, time.Hour
	p, stop := w.follow()
	defer stop()
	w.eventually("the daemon follows", func() bool { return !p.Status().Entities[0].Watermark.IsZero() })
	w.checkTopic("Sag")
}
