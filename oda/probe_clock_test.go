package oda

import (
	"strings"
	"testing"
	"time"

	"odastream/odasim"
)

func TestClocksAreCompared(t *testing.T) {
	t.Parallel()
	for claim, tt := range map[string]struct {
		ahead time.Duration // the source's clock
		want  Verdict
	}{
		"the same":                   {0, VerdictOK},
		"some seconds ahead":         {9 * time.Second, VerdictNote},
		"some seconds behind":        {-9 * time.Second, VerdictNote},
		"two minutes ahead":          {2 * time.Minute, VerdictTrouble},
		"an hour behind":             {-time.Hour, VerdictTrouble},
		"less than a second is none": {700 * time.Millisecond, VerdictOK},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			report := probed(t, parliament(t, odasim.Options{Now: func() time.Time { return time.Now().Add(tt.ahead) }}), nil, false)
			if f := found(t, report, "clock"); f.Verdict != tt.want {
				t.Errorf("clock is %+v, want %s", f, tt.want)
			}
			if tt.ahead < report.SkewLow || tt.ahead > report.SkewHigh {
				t.Errorf("skew is %s to %s, want it around %s", report.SkewLow, report.SkewHigh, tt.ahead)
			}
		})
	}
}

func TestClockSpanNarrowsWithEachAnswer(t *testing.T) {
	t.Parallel()
	base := at(t, "2026-11-23T09:00:00Z")
	var s clockSpan
	// The source is 300 ms ahead; answers take 100 ms, and its Date is truncated.
	for _, ms := range []int{100, 650, 1250, 1899} {
		sent := base.Add(time.Duration(ms) * time.Millisecond)
		s.observe(sent.Add(350*time.Millisecond).Truncate(time.Second), sent, sent.Add(100*time.Millisecond))
	}
	if low, high := s.low, s.high; low > 300*time.Millisecond || high < 300*time.Millisecond || high-low > 500*time.Millisecond {
		t.Errorf("span is %s to %s, want 300ms within half a second", low, high)
	}
}

func TestSeveralClocksAtTheSourceAreNoted(t *testing.T) {
	t.Parallel()
	base := at(t, "2026-11-23T09:00:00Z")
	var s clockSpan
	s.observe(base.Add(3*time.Second), base, base)
	s.observe(base.Add(-3*time.Second), base, base)
	if f := s.finding(); f.Verdict != VerdictNote || !strings.Contains(f.Seen, "several clocks, 5s apart") {
		t.Errorf("finding is %+v, want a note of two clocks", f)
	}
}
