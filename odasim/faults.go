package odasim

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// Faults are the settings for what goes wrong. A rate is the share of requests that are
// spoiled, 0 to 1. They are chosen by the seed: the same requests in the same order meet
// the same faults. The zero value is a service without fault or delay.
type Faults struct {
	// Seed of the randomness.
	Seed uint64

	// Latency is how long each answer takes. Jitter is the most that is added to it at
	// random.
	Latency, Jitter time.Duration

	// ErrorRate is how often a burst of errors begins: ErrorBurst requests (0 means
	// 1) are answered with ErrorStatus (0 means 500) and a web page, and with
	// Retry-After if that is not 0 (whole seconds).
	ErrorRate   float64
	ErrorBurst  int
	ErrorStatus int
	RetryAfter  time.Duration

	// HTMLRate is how often a web page comes with status 200.
	HTMLRate float64
	// TruncateRate is how often a body ends early. In turn, the connection is closed
	// before the announced length, or the length fits the short body, so that only the
	// JSON shows the fault.
	TruncateRate float64
	// ResetRate is how often the connection is reset before any answer.
	ResetRate float64
	// StallRate is how often the body stops halfway, for Stall (0 means a minute).
	StallRate float64
	Stall     time.Duration
	// UnfilteredRate is how often $filter is ignored.
	UnfilteredRate float64
	// DisorderRate is how often a page's rows are in a wrong order.
	DisorderRate float64
	// ShortRate is how often a page holds fewer rows than it could, but at least one. The
	// service may do this: it does not promise full pages.
	ShortRate float64

	// RedirectRate is how often a redirect to RedirectTo comes instead of an answer;
	// empty means the address of the request itself, an endless loop.
	RedirectRate float64
	RedirectTo   string
	// BombRate is how often a page of twelve million elements comes, 24 MB in 23 kB of
	// gzip, even if the client does not accept gzip.
	BombRate float64

	// EmptyRate is how often an answer is an empty page, although the set has rows. The
	// same question is answered with its rows the next time.
	EmptyRate float64
	// LagRate is how often the service's second node answers, which Options.Lag sets back.
	// A row that it showed as it is no more is shown as it is in the next three answers.
	LagRate float64
	// ForeignRate is how often a page ends with a row that was not asked for.
	ForeignRate float64
	// OversizeRate is how often $top and the page cap are ignored: all rows come.
	OversizeRate float64
}

// Validate returns an error that names the settings that are out of range.
func (f Faults) Validate() error {
	for name, rate := range map[string]float64{
		"error rate": f.ErrorRate, "html rate": f.HTMLRate, "truncate rate": f.TruncateRate, "reset rate": f.ResetRate,
		"stall rate": f.StallRate, "unfiltered rate": f.UnfilteredRate, "disorder rate": f.DisorderRate, "short rate": f.ShortRate,
		"redirect rate": f.RedirectRate, "bomb rate": f.BombRate, "empty rate": f.EmptyRate, "lag rate": f.LagRate,
		"foreign rate": f.ForeignRate, "oversize rate": f.OversizeRate,
	} {
		if !(rate >= 0 && rate <= 1) {
			return fmt.Errorf("%s is %g, want 0 to 1", name, rate)
		}
	}
	for name, d := range map[string]time.Duration{
		"latency": f.Latency, "jitter": f.Jitter, "stall": f.Stall, "retry after": f.RetryAfter,
	} {
		if d < 0 {
			return fmt.Errorf("%s is %s, want 0s or more", name, d)
		}
	}
	if s := f.ErrorStatus; s != 0 && (s < 400 || s > 599) {
		return fmt.Errorf("error status is %d, want 400 to 599", s)
	}
	if f.ErrorBurst < 0 {
		return fmt.Errorf("error burst is %d, want 0 or more", f.ErrorBurst)
	}
	return nil
}

// Flags declares a flag for each setting, with its zero value as the default:
// -error-rate, -latency and so on. Seed has no flag: the program has one seed for
// everything.
func (f *Faults) Flags(set *flag.FlagSet) {
	set.DurationVar(&f.Latency, "latency", 0, "latency of each answer")
	set.DurationVar(&f.Jitter, "jitter", 0, "highest random addition to the latency")
	set.Float64Var(&f.ErrorRate, "error-rate", 0, "share of requests that begin a burst of errors, 0 to 1")
	set.IntVar(&f.ErrorBurst, "error-burst", 1, "errors in a burst")
	set.IntVar(&f.ErrorStatus, "error-status", 500, "HTTP status of the errors")
	set.DurationVar(&f.RetryAfter, "retry-after", 0, "Retry-After header of the errors; 0: none")
	set.Float64Var(&f.HTMLRate, "html-rate", 0, "share of answers that are a web page with 200")
	set.Float64Var(&f.TruncateRate, "truncate-rate", 0, "share of bodies that end early")
	set.Float64Var(&f.ResetRate, "reset-rate", 0, "share of connections that are reset")
	set.Float64Var(&f.StallRate, "stall-rate", 0, "share of bodies that stop halfway")
	set.DurationVar(&f.Stall, "stall", time.Minute, "how long a stalled body stops")
	set.Float64Var(&f.UnfilteredRate, "unfiltered-rate", 0, "share of answers that ignore $filter")
	set.Float64Var(&f.DisorderRate, "disorder-rate", 0, "share of pages in a wrong order")
	set.Float64Var(&f.ShortRate, "short-rate", 0, "share of pages with fewer rows than they could hold")
	set.Float64Var(&f.RedirectRate, "redirect-rate", 0, "share of requests that are redirected")
	set.StringVar(&f.RedirectTo, "redirect-to", "", "`address` that requests are redirected to; empty: the requested one, again and again")
	set.Float64Var(&f.BombRate, "bomb-rate", 0, "share of pages of twelve million elements, 23 kB in gzip")
	set.Float64Var(&f.EmptyRate, "empty-rate", 0, "share of answers that are an empty page; the same question is answered the next time")
	set.Float64Var(&f.LagRate, "lag-rate", 0, "share of answers from a node that is set back by -lag")
	set.Float64Var(&f.ForeignRate, "foreign-rate", 0, "share of pages that end with a row that was not asked for")
	set.Float64Var(&f.OversizeRate, "oversize-rate", 0, "share of answers that ignore $top and the page cap")
}

// FaultCounts is how many requests met each fault since the server was made.
type FaultCounts struct {
	Errors, HTML, Truncated, Reset, Stalled, Unfiltered, Disordered, Short, Redirected, Bombs, Empty, Lagged, Foreign, Oversized int64
}

// SetFaults sets the faults from the next request on, and restarts their randomness. It
// panics on faults that Validate refuses.
func (s *Server) SetFaults(f Faults) {
	if err := f.Validate(); err != nil {
		panic("odasim: " + err.Error())
	}
	s.faults.set(f)
}

// FaultCounts returns how often each fault has occurred so far.
func (s *Server) FaultCounts() FaultCounts {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	return s.faults.counts
}

// faultKind is what spoils an answer as a whole.
type faultKind int

const (
	noFault faultKind = iota
	errorFault
	htmlFault
	resetFault
	abortFault     // the connection closes before the announced length
	shortBodyFault // the body is short, and its length says so
	stallFault
	redirectFault
	bombFault
)

// fault is what one request meets.
type fault struct {
	kind       faultKind
	status     int
	retryAfter string
	latency    time.Duration
	stall      time.Duration
	unfiltered bool
	location   string  // of a redirect
	rotate     int     // rows are rotated by this; 0 for none
	short      float64 // share of the page that is served; 0 for all
	empty      bool    // no row is served
	lagging    bool    // the second node answers
	foreign    bool    // a row is served that was not asked for
	oversized  bool    // every row is served
}

// faultSource draws the faults.
type faultSource struct {
	mu        sync.Mutex
	rates     Faults
	random    *rand.Rand
	hostile   *rand.Rand // its own, so that the other faults do not move
	burst     int        // errors still to come
	shortened bool
	emptied   map[string]bool // questions whose last answer was an empty page by fault
	counts    FaultCounts
}

func (s *faultSource) set(f Faults) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rates, s.burst, s.emptied = f, 0, map[string]bool{}
	s.random = rand.New(rand.NewPCG(f.Seed, 0x0da))
	s.hostile = rand.New(rand.NewPCG(f.Seed, 0x0db))
}

// draw returns what the next request meets. Each setting uses its random number every
// time, so that changing one does not move the faults of the others.
func (s *faultSource) draw() fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.random == nil {
		return fault{}
	}
	k := s.rates
	f := fault{latency: k.Latency, stall: k.Stall}
	if k.Jitter > 0 {
		f.latency += time.Duration(s.random.Int64N(int64(k.Jitter) + 1))
	}
	s.drawFault(&f)
	s.drawContent(&f)
	s.drawHostile(&f)
	return f
}

// drawFault draws what spoils the answer as a whole. If several do, the first one counts.
func (s *faultSource) drawFault(f *fault) {
	k := s.rates
	begins := s.chance(k.ErrorRate)
	if begins && s.burst == 0 {
		s.burst = max(1, k.ErrorBurst)
	}
	reset, html, cut, stall := s.chance(k.ResetRate), s.chance(k.HTMLRate), s.chance(k.TruncateRate), s.chance(k.StallRate)
	switch {
	case s.burst > 0:
		s.burst--
		s.counts.Errors++
		s.fail(f)
	case reset:
		s.counts.Reset++
		f.kind = resetFault
	case html:
		s.counts.HTML++
		f.kind = htmlFault
	case cut:
		s.counts.Truncated++
		f.kind = abortFault
		if s.shortened = !s.shortened; !s.shortened {
			f.kind = shortBodyFault
		}
	case stall:
		s.counts.Stalled++
		f.kind = stallFault
		if f.stall == 0 {
			f.stall = time.Minute
		}
	}
}

// fail makes the fault an error answer.
func (s *faultSource) fail(f *fault) {
	f.kind, f.status = errorFault, s.rates.ErrorStatus
	if f.status == 0 {
		f.status = http.StatusInternalServerError
	}
	if after := s.rates.RetryAfter; after > 0 {
		f.retryAfter = strconv.Itoa(int((after + time.Second - 1) / time.Second))
	}
}

// drawContent draws what makes a good-looking answer wrong.
func (s *faultSource) drawContent(f *fault) {
	k := s.rates
	unfiltered, disorder, short := s.chance(k.UnfilteredRate), s.chance(k.DisorderRate), s.chance(k.ShortRate)
	share, rotate := s.random.Float64(), 1+s.random.IntN(1000)
	if f.kind != noFault {
		return
	}
	if unfiltered {
		s.counts.Unfiltered++
		f.unfiltered = true
	}
	if disorder {
		s.counts.Disordered++
		f.rotate = rotate
	}
	if short {
		s.counts.Short++
		f.short = max(share, 1e-9)
	}
}

// chance reports whether a fault of this rate occurs now.
func (s *faultSource) chance(rate float64) bool { return s.random.Float64() < rate }
