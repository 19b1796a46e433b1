package oda

import (
	"fmt"
	"time"
)

const (
	// skewNoted is the difference of the clocks from which it is a note.
	skewNoted = 5 * time.Second
	// skewTrouble is the difference from which a person should act: seq and timestamps
	// of the changes come from our clock.
	skewTrouble = time.Minute
)

// clockSpan bounds the source's clock minus ours; each answer can narrow it.
type clockSpan struct {
	low, high time.Duration
	known     bool
}

// observe adds the Date of an answer. Date is truncated to seconds, and was written
// between sent and received.
func (s *clockSpan) observe(date, sent, received time.Time) {
	if date.IsZero() {
		return
	}
	low, high := date.Sub(received), date.Add(time.Second).Sub(sent)
	if s.known {
		low, high = max(low, s.low), min(high, s.high)
	}
	s.low, s.high, s.known = low, high, true
}

// least returns the smallest difference that the answers allow.
func (s *clockSpan) least() time.Duration {
	switch {
	case s.low > s.high: // several clocks at the source
		return max(s.low.Abs(), s.high.Abs())
	case s.low > 0:
		return s.low
	case s.high < 0:
		return -s.high
	}
	return 0
}

// finding says what the difference means.
func (s *clockSpan) finding() Finding {
	f := Finding{Name: "clock", Verdict: VerdictOK, Means: "our clock agrees with the source's"}
	if !s.known {
		f.Verdict, f.Seen, f.Means = VerdictNote, "no answer has a Date header", "our own clock is used"
		return f
	}
	f.Seen = fmt.Sprintf("the source's clock is ahead of ours by %s to %s", round(s.low), round(s.high))
	if s.low > s.high {
		f.Seen = fmt.Sprintf("the source's answers have several clocks, %s apart", round(s.low-s.high))
	}
	switch least := s.least(); {
	case least >= skewTrouble:
		f.Verdict = VerdictTrouble
		f.Means = "seq and timestamp of every change are wrong by as much; watermarks use the source's clock and lose nothing"
		f.Remedy = "set this machine's clock (NTP); if it is right, the source's is wrong and nothing needs to be done here"
	case least >= skewNoted || s.low > s.high:
		f.Verdict, f.Means = VerdictNote, "watermarks use the source's clock and lose nothing"
	}
	return f
}

func round(d time.Duration) time.Duration { return d.Round(10 * time.Millisecond) }
