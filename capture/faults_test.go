package capture

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	runtimemetrics "runtime/metrics"
	"testing"
	"time"

	"odastream/checkpoint"
	"odastream/internal/test/machine"
	"odastream/oda"
	"odastream/odasim"
)

func (w *world) load(entity string) checkpoint.Checkpoint {
	w.t.Helper()
	at, err := w.store.Load(w.t.Context(), entity)
	if err != nil {
		w.t.Fatal(err)
	}
	return at
}

// A source that breaks its rules or cannot be reached changes neither the watermark,
// nor consistent_through, nor the topic. When it works again, the changes made
// meanwhile are found.
func TestAFaultySourceChangesNothing(t *testing.T) {
	t.Parallel()
	for claim, tt := range map[string]struct {
		faults odasim.Faults
		want   error
	}{
		"filters ignored":         {odasim.Faults{UnfilteredRate: 1}, oda.ErrNotHonoured},
		"order broken":            {odasim.Faults{DisorderRate: 1}, oda.ErrNotHonoured},
		"bodies cut off":          {odasim.Faults{TruncateRate: 1}, oda.ErrTruncated},
		"web pages with 200":      {odasim.Faults{HTMLRate: 1}, oda.ErrNotOData},
		"500 and a web page":      {odasim.Faults{ErrorRate: 1}, oda.ErrServer},
		"503 with Retry-After":    {odasim.Faults{ErrorRate: 1, ErrorStatus: 503, RetryAfter: time.Second}, oda.ErrServer},
		"connections reset":       {odasim.Faults{ResetRate: 1}, oda.ErrUnreachable},
		"pages that are not full": {odasim.Faults{ShortRate: 1}, nil},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			w := many(t, 120)
			w.quiet = true
			before := w.load("Sag")
			w.sim.Advance(2 * time.Second)
			w.put("Sag", 121, "nu", stampAt(w.sim.Now()))
			w.put("Sag", 7, "og nu", stampAt(w.sim.Now()))
			w.vanish(50, 51)
			w.sim.SetFaults(tt.faults)
			err := w.once()
			if !errors.Is(err, tt.want) || (err == nil) != (tt.want == nil) {
				t.Fatalf("poller --once gives %v, want %v", err, tt.want)
			}
			if tt.want != nil {
				after := w.load("Sag")
				if !after.Watermark.Equal(before.Watermark) || !after.ConsistentThrough.Equal(before.ConsistentThrough) {
					t.Errorf("watermark and consistent_through moved from %s, %s to %s, %s",
						before.Watermark, before.ConsistentThrough, after.Watermark, after.ConsistentThrough)
				}
				if n := len(w.messages("Sag")); n != 120 {
					t.Errorf("topic holds %d records, want the 120 of before", n)
				}
			}
			w.sim.SetFaults(odasim.Faults{})
			w.mustOnce()
			w.checkTopic("Sag")
			if got := w.deletes(); got != 2 {
				t.Errorf("%d deletes, want 2", got)
			}
		})
	}
}

// A person sees that nothing is asked, and until when.
func TestAPauseThatTheSourceAskedForIsSaid(t *testing.T) {
	t.Parallel()
	w := loaded(t)
	p, stop := w.follow()
	defer stop()
	w.eventually("the daemon follows", func() bool { return !p.Status().Entities[0].Watermark.IsZero() })
	if got := p.Status().Entities[0].PausedUntil; !got.IsZero() {
		t.Errorf("paused until %s before the source asked for it", got)
	}
	w.sim.SetFaults(odasim.Faults{ErrorRate: 1, ErrorStatus: 503, RetryAfter: time.Hour})
	w.eventually("the pause is said", func() bool { return p.Status().Entities[0].PausedUntil.After(time.Now()) })
}

// With a little of every fault a poller completes its work in some attempts, and
// publishes nothing wrong before.
func TestALittleOfEveryFaultPublishesNothingWrong(t *testing.T) {
	t.Parallel()
	w := newWorld(t, odasim.Options{PageCap: 20}, "Sag", "Stemme", "Aktør")
	w.quiet = true
	w.sim.SetNow(atNoon())
	w.sim.Generate(11, 0.05)
	w.cfg.ScanEvery = time.Nanosecond
	w.sim.SetFaults(odasim.Faults{
		Seed: 5, ErrorRate: 0.01, ErrorBurst: 3, HTMLRate: 0.01, TruncateRate: 0.01, ResetRate: 0.01,
		UnfilteredRate: 0.01, DisorderRate: 0.01, ShortRate: 0.2, Jitter: time.Millisecond,
	})
	attempts := 0
	for w.once() != nil {
		if attempts++; attempts > 40 {
			t.Fatal("not complete after 40 attempts")
		}
	}
	counts := w.sim.FaultCounts()
	t.Logf("%d attempts, faults %+v", attempts+1, counts)
	if counts.Errors == 0 || counts.Short == 0 || counts.Disordered == 0 || counts.Unfiltered == 0 {
		t.Error("no fault happened: the test proves nothing")
	}
	w.sim.SetFaults(odasim.Faults{})
	w.mustOnce()
	for _, e := range w.entities {
		w.checkTopic(e.Name)
	}
}

// Rows that are created, deleted and stamped while they are read shift the pages.
// Paging by id within fixed bounds loses no row and deletes none.
func TestPagesThatShiftWhileTheyAreReadLoseNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, odasim.Options{PageCap: 20}, "Sag")
	w.sim.SetNow(atNoon())
	w.cfg.ScanEvery = time.Nanosecond
	for id := range int64(300) {
		w.put("Sag", 10*id+10, "først", stampAt(atNoon()))
	}
	mood := w.moods()
	mood.feel(func(asked int, _ string, _ oda.Window) error {
		n := int64(asked)
		w.put("Sag", 10*(n%300)+10, fmt.Sprint("ændret ", asked), stampAt(w.sim.Now())) // a row that was read
		w.put("Sag", 3010-10*(n%300), fmt.Sprint("også ", asked), stampAt(w.sim.Now())) // a row that will be read
		w.put("Sag", 10*(n%300)+5, "ny", stampAt(w.sim.Now()))
		return nil
	})
	for range 4 {
		w.mustOnce()
	}
	if got := w.deletes(); got != 0 {
		t.Errorf("%d deletes of rows that are all there", got)
	}
	mood.feel(nil)
	w.mustOnce()
	w.checkTopic("Sag")
}

// 80,000 rows with one stamp, the most ever seen, are read once, page by page: in
// little memory, and the passes that follow do not read them again. The test runs
// alone, since it measures the process's memory.
func TestATieOf80000IsReadOnceAndInLittleMemory(t *testing.T) { //nolint:paralleltest // it measures memory
	if testing.Short() {
		t.Skip("takes seconds")
	}
	const rows = 80_000
	w := newWorld(t, odasim.Options{}, "Stemme")
	w.sim.SetNow(atNoon())
	w.mustOnce()
	stamp := stampAt(w.sim.Now())
	for id := range int64(rows) {
		w.put("Stemme", id+1, "stemme", stamp)
	}
	peak := watchHeap(t)
	w.mustOnce()
	if used := peak(); used > 100<<20 {
		t.Errorf("reading a tie of %d took %d MiB, want less than 100", rows, used>>20)
	}
	w.checkTopic("Stemme")
	w.sim.Advance(time.Hour)
	w.mustOnce() // rows of an hour ago, and the overlap
	w.sim.Advance(time.Minute)
	before := w.sim.Requests()
	w.mustOnce()
	if asked := w.sim.Requests() - before; asked > 5 {
		t.Errorf("a pass of a quiet entity made %d requests", asked)
	}
}

// watchHeap measures the live heap until the returned function is called, which
// returns by how many bytes the heap grew at most.
func watchHeap(t *testing.T) (peak func() uint64) {
	t.Helper()
	live := func() uint64 {
		sample := []runtimemetrics.Sample{{Name: "/gc/heap/live:bytes"}}
		runtimemetrics.Read(sample)
		return sample[0].Value.Uint64()
	}
	runtime.GC()
	base, highest := live(), uint64(0)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for ctx.Err() == nil {
			highest = max(highest, live())
			select {
			case <-ctx.Done():
			case <-tick.C:
			}
		}
	}()
	return func() uint64 {
		cancel()
		<-done
		return highest - min(base, highest)
	}
}

// badSource fails for some entities.
type badSource struct {
	source
	treat map[string]func(ctx context.Context) error
}

func (b badSource) Page(ctx context.Context, set string, w oda.Window, lane oda.Lane) (oda.Page, error) {
	if treat := b.treat[set]; treat != nil {
		return oda.Page{}, treat(ctx)
	}
	return b.source.Page(ctx, set, w, lane)
}

// One entity's filters are ignored, one is gone, and one never answers. Each reports
// that in its status, and a fourth is followed as if the others worked.
func TestAFailingEntitySlowsNoOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t, odasim.Options{}, "Sag", "Aktør", "Stemme", "Periode")
	w.quiet = true
	w.sim.SetNow(atNoon())
	w.mustOnce()
	w.source = badSource{w.source, map[string]func(ctx context.Context) error{
		"Sag":   func(context.Context) error { return trouble("Sag", oda.ErrNotHonoured) },
		"Aktør": func(context.Context) error { return trouble("Aktør", oda.ErrNotFound) },
		"Stemme": func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		},
	}}
	p, stop := w.follow()
	defer stop()
	for id := range int64(20) {
		w.sim.Advance(10 * time.Millisecond)
		w.put("Periode", id+1, "i gang", stampAt(w.sim.Now()))
		began := machine.Served()
		w.eventually("the good entity's row is published", func() bool { return int64(len(w.changes("Periode"))) == id+1 })
		if took := machine.Served() - began; took > 10*time.Second {
			t.Errorf("row %d took %s of service", id+1, took)
		}
	}
	// Each does while it backs off, but not while it is tried again.
	for i := range 2 {
		w.eventually("a bad entity says so", func() bool {
			s := p.Status().Entities[i]
			return s.State == StateFailed && s.Reason != ""
		})
	}
}

// A window that the source cannot answer in time is halved again and again. --once
// ends only when the whole window is read.
func TestAWindowThatTimesOutIsReadInParts(t *testing.T) {
	t.Parallel()
	w := loaded(t)
	w.quiet = true
	for minute := range int64(60) { // from after the load on, however long it took
		w.sim.SetNow(atNoon().Add(time.Duration(minute+1) * time.Minute))
		w.put("Sag", 100+minute, "imens", stampAt(w.sim.Now()))
	}
	liar := w.liar()
	liar.tell(func(asked oda.Window, lane oda.Lane, page oda.Page) (oda.Page, error) {
		if lane == oda.Tail && width(t, asked) > 10*time.Minute {
			return oda.Page{}, trouble("Sag", oda.ErrTimeout)
		}
		return page, nil
	})
	w.mustOnce()
	w.checkTopic("Sag")

	before := w.load("Sag").Watermark
	liar.tell(func(oda.Window, oda.Lane, oda.Page) (oda.Page, error) {
		return oda.Page{}, trouble("Sag", oda.ErrTimeout)
	})
	w.sim.Advance(time.Hour)
	if err := w.once(); !errors.Is(err, oda.ErrTimeout) {
		t.Errorf("poller --once gives %v, want ErrTimeout", err)
	}
	if after := w.load("Sag").Watermark; !after.Equal(before) {
		t.Errorf("watermark moved from %s to %s though nothing was answered", before, after)
	}
}

// width returns the time between the bounds of a window, 0 if it has none.
func width(t *testing.T, w oda.Window) time.Duration {
	if w.After == "" || w.Until == "" {
		return 0
	}
	from, _, err := oda.ParseWall(w.After)
	_, to, err2 := oda.ParseWall(w.Until)
	if err := errors.Join(err, err2); err != nil {
		t.Error(err)
		return math.MaxInt64
	}
	return to.Sub(from)
}

// A job of the source gives each row of an entity a new stamp, in no order, without
// changing its content. None of these rows is published; a row that changes meanwhile
// is.
func TestAMassOfNewStampsPublishesOnlyWhatChanges(t *testing.T) {
	t.Parallel()
	const rows = 5000
	w := many(t, rows)
	w.cfg.ScanEvery = 0
	for i := range int64(rows) {
		id := (i*2377)%rows + 1 // each once
		w.sim.SetNow(atNoon().Add(time.Duration(i) * 2 * time.Hour / rows))
		if err := w.sim.Edit("Sag", id, "opdateringsdato", stampAt(w.sim.Now())); err != nil {
			t.Fatal(err)
		}
		if i == rows/2 {
			w.put("Sag", id, "ændret", stampAt(w.sim.Now()))
		}
		if i%1000 == 500 {
			w.mustOnce()
		}
	}
	w.mustOnce()
	w.checkTopic("Sag")
	if got := len(w.messages("Sag")); got != rows+1 {
		t.Errorf("topic holds %d records, want one more than the %d of before", got, rows)
	}
}
