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
//
// No set can keep the others from the source: scans leave one request to the tail, a
// set leaves one to the others, a set that answers too slowly gets one, and of those
// that wait the one with the fewest running goes first. Where only one request may run
// at once, it goes to each in turn.
type budget struct {
	limiter *rate.Limiter // nil: no limit
	atOnce  int

	mu           sync.Mutex
	running      int
	scans        int                 // of running
	sets         map[string]*share   // by name; kept, since there are only some fifty
	waiting      [lanes][]*candidate // in order of arrival
	tails        int                 // grants to the tail since a waiting scan's last
	blockedUntil time.Time           // no grant before
	timer        *time.Timer         // will dispatch at timerAt
	timerAt      time.Time           // zero: the timer is not set
}

// share is what a set has of the budget.
type share struct {
	running   int
	slow      bool      // its last answer did not come in time
	heldUntil time.Time // no grant before
}

// candidate is a request that waits for its grant.
type candidate struct {
	set     string
	granted chan struct{} // closed to grant
}

// newBudget makes a budget of perSecond grants a second (0: no limit), without
// bursts, and atOnce at the same time.
func newBudget(perSecond float64, atOnce int) *budget {
	b := &budget{atOnce: atOnce, sets: map[string]*share{}}
	if perSecond > 0 {
		b.limiter = rate.NewLimiter(rate.Limit(perSecond), 1)
	}
	return b
}

// acquire waits for a grant to a set. The caller releases it once its request is over.
// An error is ctx's; nothing is granted then.
func (b *budget) acquire(ctx context.Context, set string, lane Lane) error {
	c := &candidate{set: set, granted: make(chan struct{})}
	b.mu.Lock()
	b.waiting[lane] = append(b.waiting[lane], c)
	b.dispatch()
	b.mu.Unlock()
	select {
	case <-c.granted:
		return nil
	case <-ctx.Done():
		b.abandon(c, lane)
		return ctx.Err()
	}
}

// abandon withdraws a waiting request, or returns a grant that came as the context
// ended.
func (b *budget) abandon(c *candidate, lane Lane) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if i := slices.Index(b.waiting[lane], c); i >= 0 {
		b.waiting[lane] = slices.Delete(b.waiting[lane], i, i+1)
		return
	}
	b.giveBack(c.set, lane)
}

// release returns a grant.
func (b *budget) release(set string, lane Lane) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.giveBack(set, lane)
}

func (b *budget) giveBack(set string, lane Lane) {
	b.running--
	b.share(set).running--
	if lane == Scan {
		b.scans--
	}
	b.dispatch()
}

// answered notes whether a set's answer came in time.
func (b *budget) answered(set string, inTime bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.share(set).slow = !inTime
}

// hold stops the grants to a set until t, because the source asked for a pause.
func (b *budget) hold(set string, t time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if s := b.share(set); t.After(s.heldUntil) {
		s.heldUntil = t
	}
}

// holdAll stops all grants until t.
func (b *budget) holdAll(t time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if t.After(b.blockedUntil) {
		b.blockedUntil = t
	}
}

// heldUntil returns the end of the pause that the source asked for, for a set or for
// all; the zero value if there is none.
func (b *budget) heldUntil(set string) time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	until := b.blockedUntil
	if s := b.sets[set]; s != nil && s.heldUntil.After(until) {
		until = s.heldUntil
	}
	if !until.After(time.Now()) {
		return time.Time{}
	}
	return until
}

func (b *budget) share(set string) *share {
	s := b.sets[set]
	if s == nil {
		s = &share{}
		b.sets[set] = s
	}
	return s
}

// dispatch gives the grants that are possible now, and sets a timer for the rest if
// they only wait for time. It is called with mu held.
func (b *budget) dispatch() {
	for b.running < b.atOnce {
		now := time.Now()
		c, lane, due := b.next(now)
		if c == nil {
			if !due.IsZero() {
				b.setTimer(now, due)
			}
			return
		}
		if wait := b.reserve(now); wait > 0 {
			b.setTimer(now, now.Add(wait))
			return
		}
		b.grant(c, lane)
	}
}

// grant starts a request that waits. The tail's run counts only while a scan waits.
func (b *budget) grant(c *candidate, lane Lane) {
	switch {
	case lane == Scan:
		b.scans++
		b.tails = 0
	case len(b.waiting[Scan]) > 0:
		b.tails++
	}
	b.running++
	b.share(c.set).running++
	i := slices.Index(b.waiting[lane], c)
	b.waiting[lane] = slices.Delete(b.waiting[lane], i, i+1)
	close(c.granted)
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

// next returns the request whose turn it is, or when a held one may be: the zero value
// if none is held.
func (b *budget) next(now time.Time) (c *candidate, lane Lane, due time.Time) {
	tail, tailDue := b.first(Tail, now)
	scan, scanDue := b.first(Scan, now)
	switch {
	case scan != nil && (tail == nil || b.tails >= tailRun):
		return scan, Scan, time.Time{}
	case tail != nil:
		return tail, Tail, time.Time{}
	case tailDue.IsZero() || !scanDue.IsZero() && scanDue.Before(tailDue):
		return nil, 0, scanDue
	}
	return nil, 0, tailDue
}

// first returns the request of a lane that may run and whose set has the fewest running,
// or when the first of the held sets may be asked again.
func (b *budget) first(lane Lane, now time.Time) (best *candidate, due time.Time) {
	if lane == Scan && b.scans >= leaveOne(b.atOnce) {
		return nil, time.Time{}
	}
	for _, c := range b.waiting[lane] {
		s := b.share(c.set)
		switch {
		case s.running >= b.most(s):
		case s.heldUntil.After(now):
			if due.IsZero() || s.heldUntil.Before(due) {
				due = s.heldUntil
			}
		case best == nil || s.running < b.share(best.set).running:
			best = c
		}
	}
	return best, due
}

// most returns how many requests of a set may run at once.
func (b *budget) most(s *share) int {
	if s.slow {
		return 1
	}
	return leaveOne(b.atOnce)
}

func leaveOne(n int) int { return max(n-1, 1) }

// setTimer dispatches again at a time. One timer is enough: dispatch sets it again.
func (b *budget) setTimer(now, at time.Time) {
	if !b.timerAt.IsZero() && !at.Before(b.timerAt) {
		return // it dispatches sooner
	}
	if b.timer != nil {
		b.timer.Stop()
	}
	b.timerAt = at
	b.timer = time.AfterFunc(at.Sub(now), func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.timerAt = time.Time{}
		b.dispatch()
	})
}
