package oda

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// order records the order of the grants.
type order struct {
	mu    sync.Mutex
	lanes []Lane
}

func (o *order) add(l Lane) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.lanes = append(o.lanes, l)
}

// request acquires, notes the grant, works for a while and releases.
func (o *order) request(t *testing.T, b *budget, lane Lane, work time.Duration) {
	if err := b.acquire(t.Context(), lane); err != nil {
		t.Errorf("acquire: %v", err)
		return
	}
	o.add(lane)
	<-time.After(work)
	b.release()
}

func TestBudgetKeepsTheRate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, o := newBudget(5, 4), &order{}
		start := time.Now()
		for range 11 {
			o.request(t, b, Tail, 0)
		}
		if got := time.Since(start); got < 1999*time.Millisecond || got > 2001*time.Millisecond {
			t.Errorf("11 grants at 5 a second took %s, want 2s", got)
		}
		<-time.After(time.Minute) // idle time saves up no burst
		start = time.Now()
		for range 6 {
			o.request(t, b, Scan, 0)
		}
		if got := time.Since(start); got < 999*time.Millisecond || got > 1001*time.Millisecond {
			t.Errorf("6 grants after a rest took %s, want 1s", got)
		}
	})
}

func TestBudgetWithoutRateGrantsAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, o := newBudget(0, 1), &order{}
		start := time.Now()
		for range 10_000 {
			o.request(t, b, Scan, 0)
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("10000 grants without a rate took %s", took)
		}
	})
}

func TestBudgetKeepsTheConcurrency(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(0, 3)
		var mu sync.Mutex
		var wg sync.WaitGroup
		now, most := 0, 0
		count := func(by int) {
			mu.Lock()
			defer mu.Unlock()
			now += by
			most = max(most, now)
		}
		start := time.Now()
		for i := range 30 {
			wg.Go(func() {
				if err := b.acquire(t.Context(), Lane(i%2)); err != nil {
					t.Errorf("acquire: %v", err)
				}
				count(+1)
				<-time.After(time.Second)
				count(-1)
				b.release()
			})
		}
		wg.Wait()
		if most != 3 || time.Since(start) != 10*time.Second {
			t.Errorf("at most %d at once, in %s; want 3 in 10s", most, time.Since(start))
		}
	})
}

func TestTailGoesFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, o := newBudget(0, 1), &order{}
		var wg sync.WaitGroup
		wg.Go(func() { o.request(t, b, Scan, time.Second) })
		synctest.Wait()
		for range 3 {
			wg.Go(func() { o.request(t, b, Scan, time.Second) })
		}
		synctest.Wait()
		wg.Go(func() { o.request(t, b, Tail, time.Second) })
		wg.Wait()
		if want := []Lane{Scan, Tail, Scan, Scan, Scan}; !slices.Equal(o.lanes, want) {
			t.Errorf("granted %v, want %v", o.lanes, want)
		}
	})
}

func TestWaitingScanGetsEveryFifthGrant(t *testing.T) {
	t.Parallel()
	tests := map[string]float64{"with a rate": 5, "without one": 0}
	for claim, perSecond := range tests {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b, o := newBudget(perSecond, 1), &order{}
				var wg sync.WaitGroup
				wg.Go(func() { o.request(t, b, Tail, time.Second) })
				synctest.Wait()
				for i := range 100 {
					lane := Tail
					if i < 20 {
						lane = Scan
					}
					wg.Go(func() { o.request(t, b, lane, 100*time.Millisecond) })
				}
				wg.Wait()
				for i, lane := range o.lanes[1:] {
					if want := i%5 == 4; want != (lane == Scan) {
						t.Fatalf("granted %v, want the scan at every fifth", o.lanes)
					}
				}
			})
		})
	}
}

func TestBusyTailLeavesTheScanAFifth(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, o := newBudget(5, 4), &order{}
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for i := range 50 {
			lane := Lane(min(i/45, 1)) // 45 for the tail, 5 for the scan
			wg.Go(func() {
				for b.acquire(ctx, lane) == nil {
					o.add(lane)
					<-time.After(100 * time.Millisecond)
					b.release()
				}
			})
		}
		<-time.After(10 * time.Minute)
		cancel()
		wg.Wait()
		scans := 0
		for _, l := range o.lanes {
			scans += int(l)
		}
		if len(o.lanes) < 3000 || scans*5 < len(o.lanes)-5 || scans*5 > len(o.lanes)+5 {
			t.Errorf("%d of %d grants to the scan in ten minutes at 5 a second, want a fifth of 3000", scans, len(o.lanes))
		}
	})
}

func TestBudgetDropsACancelledRequest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, o := newBudget(0, 1), &order{}
		if err := b.acquire(t.Context(), Tail); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := b.acquire(ctx, Tail); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("acquire: %v, want the context's end", err)
		}
		b.release()
		o.request(t, b, Scan, 0) // the slot did not go to the abandoned request
		if b.free != 1 || len(b.waiting[Tail])+len(b.waiting[Scan]) != 0 {
			t.Errorf("%d free, waiting %v, want 1 and none", b.free, b.waiting)
		}
	})
}

func TestAGrantToACancelledRequestIsReturned(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	b := newBudget(0, 1)
	for range 1000 {
		if b.acquire(ctx, Tail) == nil {
			b.release()
		}
	}
	if b.free != 1 {
		t.Errorf("%d free after 1000 requests that ended as they were granted, want 1", b.free)
	}
}

func TestBlockUntilStopsBothLanes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, o := newBudget(100, 4), &order{}
		start := time.Now()
		b.blockUntil(start.Add(7 * time.Second))
		b.blockUntil(start.Add(3 * time.Second)) // does not shorten the hold before
		var wg sync.WaitGroup
		for i := range 4 {
			wg.Go(func() { o.request(t, b, Lane(i%2), 0) })
		}
		wg.Wait()
		if took := time.Since(start); took < 7*time.Second || took > 7100*time.Millisecond {
			t.Errorf("granted after %s, want 7s", took)
		}
	})
}
