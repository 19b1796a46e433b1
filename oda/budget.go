package oda

import (
	"context"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// tailRun is how many grants in a row the tail gets while a scan waits. The scan then
// gets every fifth grant, 20 %.
const tailRun = 4

// budget limits the requests at once and the requests a second. The tail goes before
// the scan. A grant is decided only when it can be given, so a tail that arrives while
// scans wait goes before all of them.
type budget struct {
	limiter *rate.Limiter // nil: no limit

	mu           sync.Mutex
	free         int
	waiting      [lanes][]chan struct{} // in order of arrival; closed to grant
	tails        int                    // grants to the tail since a waiting scan's last
	blockedUntil time.Time              // no grant before
	timerSet     bool                   // a timer will dispatch
}

// newBudget makes a budget of perSecond grants a second (0: no limit), without
// bursts, and atOnce at the same time.
func newBudget(perSecond float64, atOnce int) *budget {
	b := &budget{free: atOnce}
	if perSecond > 0 {
		b.limiter = rate.NewLimiter(rate.Limit(perSecond), 1)
	}
	return b
}

// acquire waits for a grant. The caller releases it once its request is over. An error
// is ctx's; nothing is granted then.
func (b *budget) acquire(ctx context.Context, lane Lane) error {
	granted := make(chan struct{})
	b.mu.Lock()
	b.waiting[lane] = append(b.waiting[lane], granted)
	b.dispatch()
	b.mu.Unlock()
	select {
	case <-granted:
		return nil
	case <-ctx.Done():
		b.abandon(lane, granted)
		return ctx.Err()
	}
}

// abandon withdraws a waiting request, or returns a grant that came as the context
// ended.
func (b *budget) abandon(lane Lane, granted chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if i := slices.Index(b.waiting[lane], granted); i >= 0 {
		b.waiting[lane] = slices.Delete(b.waiting[lane], i, i+1)
		return
	}
	b.free++
	b.dispatch()
}

// release returns a grant.
func (b *budget) release() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.free++
	b.dispatch()
}

// blockUntil stops all grants until t, because the source asked for a pause.
func (b *budget) blockUntil(t time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if t.After(b.blockedUntil) {
		b.blockedUntil = t
	}
}

// dispatch gives the grants that are possible now, and sets a timer for the rest if
// they only wait for time. It is called with mu held.
func (b *budget) dispatch() {
	for b.free > 0 && len(b.waiting[Tail])+len(b.waiting[Scan]) > 0 {
		if wait := b.reserve(time.Now()); wait > 0 {
			b.setTimer(wait)
			return
		}
		b.free--
		close(b.next())
	}
}

// reserve takes a token and returns 0, or returns how long until there is one.
func (b *budget) reserve(now time.Time) time.Duration {
	if wait := b.blockedUntil.Sub(now); wait > 0 {
		return wait
	}
	if b.limiter == nil {
		return 0
	}
	token := b.limiter.ReserveN(now, 1)
	wait := token.DelayFrom(now)
	if wait > 0 {
		token.CancelAt(now)
	}
	return wait
}

// next removes the request whose turn it is from its queue.
func (b *budget) next() chan struct{} {
	lane := Tail
	if len(b.waiting[Scan]) > 0 {
		if len(b.waiting[Tail]) == 0 || b.tails >= tailRun {
			lane, b.tails = Scan, 0
		} else {
			b.tails++
		}
	}
	granted := b.waiting[lane][0]
	b.waiting[lane] = slices.Delete(b.waiting[lane], 0, 1)
	return granted
}

// setTimer dispatches again after wait. One timer is enough: it is set for the earliest
// grant, and dispatch sets it again if that has moved.
func (b *budget) setTimer(wait time.Duration) {
	if b.timerSet {
		return
	}
	b.timerSet = true
	time.AfterFunc(wait, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.timerSet = false
		b.dispatch()
	})
}
