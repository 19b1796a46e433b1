package oda

import (
	"context"
	"crypto/rand"
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

// request acquires for a set of its own, notes the grant, works for a while and releases.
func (o *order) request(t *testing.T, b *budget, lane Lane, work time.Duration) {
	set := rand.Text()
	if err := b.acquire(t.Context(), set, lane); err != nil {
		t.Errorf("acquire: %v", err)
		return
	}
	o.add(lane)
	<-time.After(work)
	b.release(set, lane)
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
		for range 30 {
			wg.Go(func() {
				set := rand.Text()
				if err := b.acquire(t.Context(), set, Tail); err != nil {
					t.Errorf("acquire: %v", err)
				}
				count(+1)
				<-time.After(time.Second)
				count(-1)
				b.release(set, Tail)
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
				set := rand.Text()
				for b.acquire(ctx, set, lane) == nil {
					o.add(lane)
					<-time.After(100 * time.Millisecond)
					b.release(set, lane)
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
		if err := b.acquire(t.Context(), "Sag", Tail); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := b.acquire(ctx, "Aktør", Tail); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("acquire: %v, want the context's end", err)
		}
		b.release("Sag", Tail)
		o.request(t, b, Scan, 0) // the slot did not go to the abandoned request
		if b.running != 0 || len(b.waiting[Tail])+len(b.waiting[Scan]) != 0 {
			t.Errorf("%d running, waiting %v, want none", b.running, b.waiting)
		}
	})
}

func TestAGrantToACancelledRequestIsReturned(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	b := newBudget(0, 1)
	for range 1000 {
		if b.acquire(ctx, "Aktør", Tail) == nil {
			b.release("Aktør", Tail)
		}
	}
	if b.running != 0 || b.share("Aktør").running != 0 {
		t.Errorf("%d running, %d of the set, after 1000 requests that ended as they were granted, want none", b.running, b.share("Aktør").running)
	}
}

func TestHoldAllStopsBothLanes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, o := newBudget(100, 4), &order{}
		start := time.Now()
		b.holdAll(start.Add(7 * time.Second))
		b.holdAll(start.Add(3 * time.Second)) // does not shorten the hold before
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

// grants acquires n requests of a set that never end, and returns a counter of those
// that were granted.
func grants(ctx context.Context, b *budget, set string, lane Lane, n int) func() int {
	var mu sync.Mutex
	granted := 0
	for range n {
		go func() {
			if b.acquire(ctx, set, lane) == nil {
				mu.Lock()
				defer mu.Unlock()
				granted++
			}
		}()
	}
	return func() int {
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		return granted
	}
}

func TestNoSetKeepsTheOthersFromTheSource(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		atOnce int
		before func(b *budget, ctx context.Context) // takes what it can
		want   []int                                // granted to three more sets of the tail, which ask in turn
	}{
		"a scan leaves the tail one":      {4, func(b *budget, ctx context.Context) { grants(ctx, b, "Dokument", Scan, 9)() }, []int{1, 0, 0}},
		"scans together leave the tail 1": {4, func(b *budget, ctx context.Context) { grants(ctx, b, "a", Scan, 2)(); grants(ctx, b, "b", Scan, 2)() }, []int{1, 0, 0}},
		"a tail leaves the others one":    {4, func(b *budget, ctx context.Context) { grants(ctx, b, "Dokument", Tail, 9)() }, []int{1, 0, 0}},
		"a slow set has one": {4, func(b *budget, ctx context.Context) {
			b.answered("Dokument", false)
			grants(ctx, b, "Dokument", Tail, 9)()
		}, []int{1, 1, 1}},
		"a set that was slow has its share again": {4, func(b *budget, ctx context.Context) {
			b.answered("Dokument", false)
			b.answered("Dokument", true)
			grants(ctx, b, "Dokument", Tail, 9)()
		}, []int{1, 0, 0}},
		"of one at once, each has its turn": {1, func(*budget, context.Context) {}, []int{1, 0, 0}},
	}
	for claim, tt := range tests {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				b := newBudget(0, tt.atOnce)
				tt.before(b, ctx)
				for i, set := range []string{"Sag", "Stemme", "Møde"} {
					if got := grants(ctx, b, set, Tail, 1)(); got != tt.want[i] {
						t.Errorf("%d grants to %s, the other set number %d; want %d", got, set, i+1, tt.want[i])
					}
				}
			})
		})
	}
}

func TestTheSetWithTheFewestRequestsGoesFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		b := newBudget(0, 4)
		first := grants(ctx, b, "Dokument", Scan, 3)()
		waits := grants(ctx, b, "Dokument", Scan, 3)
		waits()
		other := grants(ctx, b, "Sag", Scan, 1)
		other()
		b.release("Dokument", Scan)
		if first != 3 || other() != 1 || waits() != 0 {
			t.Errorf("of one free request, %d went to the other set and %d to the first, which came before; want 1 and 0", other(), waits())
		}
	})
}

func TestAHoldIsOfOneSet(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		b := newBudget(0, 4)
		start := time.Now()
		b.hold("Dokument", start.Add(7*time.Second))
		b.hold("Dokument", start.Add(3*time.Second)) // does not shorten the hold before
		b.hold("Sag", start.Add(9*time.Second))
		held, later, other := grants(ctx, b, "Dokument", Tail, 1), grants(ctx, b, "Sag", Scan, 1), grants(ctx, b, "Møde", Scan, 1)
		if held() != 0 || later() != 0 || other() != 1 {
			t.Errorf("granted %d, %d to the held sets and %d to another; want 0, 0 and 1", held(), later(), other())
		}
		if got := b.heldUntil("Dokument").Sub(start); got != 7*time.Second || !b.heldUntil("Møde").IsZero() {
			t.Errorf("heldUntil = %s, and %s of the other set; want 7s and none", got, b.heldUntil("Møde"))
		}
		<-time.After(7 * time.Second)
		if held() != 1 || later() != 0 {
			t.Errorf("granted %d, %d after 7s, want 1 and 0", held(), later())
		}
		<-time.After(2 * time.Second)
		if later() != 1 || !b.heldUntil("Dokument").IsZero() {
			t.Errorf("granted %d after 9s, want 1; held until %s", later(), b.heldUntil("Dokument"))
		}
	})
}
