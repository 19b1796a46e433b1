package capture

import (
	"slices"
	"strings"
	"testing"
	"time"

	"odastream/oda"
)

// answer returns a page whose Date differs from our clock by skew.
func answer(received time.Time, skew time.Duration) oda.Page {
	return oda.Page{Date: received.Add(skew).Truncate(time.Second), Received: received}
}

// Watermarks follow the earlier of the source's clock and ours, and passes read up to the
// later one.
func TestSourceClockIsBoundedByBothClocks(t *testing.T) {
	t.Parallel()
	now := atNoon()
	for claim, tt := range map[string]struct {
		skews            []time.Duration
		earliest, latest time.Duration
	}{
		"without a Date it is ours":               {nil, 0, 0},
		"the source is ahead":                     {[]time.Duration{time.Hour, time.Hour}, 0, time.Hour},
		"the source is behind":                    {[]time.Duration{-time.Hour}, -time.Hour, 0},
		"the source was put forward just now":     {[]time.Duration{0, 0, time.Hour}, 0, time.Hour},
		"the source was put back just now":        {[]time.Duration{0, 0, -time.Hour}, -time.Hour, 0},
		"two nodes of the source, an hour apart":  {[]time.Duration{-time.Minute, time.Hour}, -time.Minute, time.Hour},
		"a proxy's Date is a day ahead, for good": {slices.Repeat([]time.Duration{24 * time.Hour}, skewSamples+1), 0, 24 * time.Hour},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			var c sourceClock
			for _, skew := range tt.skews {
				c.observe(answer(now, skew))
			}
			if got, want := c.at(now), now.Add(tt.earliest); !got.Equal(want) {
				t.Errorf("earliest time of the source is %s, want %s", got, want)
			}
			if got, want := c.latest(now), now.Add(tt.latest); !got.Equal(want) {
				t.Errorf("latest time of the source is %s, want %s", got, want)
			}
		})
	}
}

func TestSourceClockForgetsOldAnswers(t *testing.T) {
	t.Parallel()
	var c sourceClock
	c.observe(answer(atNoon(), 0))
	later := atNoon().Add(time.Hour) // our clock was set forward by an hour
	for range skewSamples {
		c.observe(answer(later, -time.Hour))
	}
	if got, want := c.at(later), later.Add(-time.Hour); !got.Equal(want) {
		t.Errorf("earliest time of the source is %s, want %s", got, want)
	}
	for range skewSamples {
		c.observe(answer(later, 0)) // it was set right
	}
	if got := c.at(later); !got.Equal(later) {
		t.Errorf("earliest time of the source is %s, want ours, %s", got, later)
	}
}

func TestStatusSaysWhichClockIsFollowedAndWhy(t *testing.T) {
	t.Parallel()
	now := atNoon()
	for claim, tt := range map[string]struct {
		skews    []time.Duration
		followed string
		why      string
		agreeing int
	}{
		"no Date":             {nil, "own", "no answer of the source had a Date", 0},
		"the same":            {[]time.Duration{-time.Second, 0, -time.Second}, "source", "agree", 3},
		"behind":              {[]time.Duration{-time.Hour, -time.Hour}, "source", "the source's clock is behind ours", 2},
		"a proxy a day ahead": {[]time.Duration{24 * time.Hour, 24*time.Hour + time.Second}, "own", "the source's clock is ahead of ours", 2},
		"put forward":         {[]time.Duration{0, 0, time.Hour, time.Hour}, "own", "the source's last answers have different times", 2},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			var c sourceClock
			for _, skew := range tt.skews {
				c.observe(answer(now, skew))
			}
			got := c.status(now)
			if got.Followed != tt.followed || !strings.Contains(got.Why, tt.why) || got.Agreeing != tt.agreeing || got.Answers != len(tt.skews) {
				t.Errorf("status is %+v, want %s, %q, %d answers that agree", got, tt.followed, tt.why, tt.agreeing)
			}
			if n := len(tt.skews); n > 0 && (got.Skew != tt.skews[n-1].Seconds() || !got.Source.Equal(now.Add(tt.skews[n-1]))) {
				t.Errorf("status is %+v, want the newest answer's time", got)
			}
		})
	}
}

// A watermark that was saved while a clock was ahead does not end the reading of what is
// stamped now: a pass goes on where the last one ended.
func TestAWatermarkInTheFutureHidesNothing(t *testing.T) {
	t.Parallel()
	month := 30 * 24 * time.Hour
	for claim, passed := range map[string]time.Duration{"the first pass": 0, "a pass after a pause": 5 * time.Minute} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			now := time.Now()
			tail := tail{clock: new(sourceClock), watermark: now.Add(month)}
			if passed > 0 {
				tail.passed = now.Add(-passed)
			}
			p, err := tail.plan(nearLookBack)
			if err != nil {
				t.Fatal(err)
			}
			if latest := oda.Wall(now.Add(-passed)); p.After >= latest || p.Until <= oda.Wall(now) {
				t.Errorf("the pass reads from %s to %s, want what is stamped from %s on", p.After, p.Until, latest)
			}
		})
	}
}

// A pass whose answers show that the source's clock was put back was planned by the wrong
// time. The next one reads what was stamped since the one before, by the clock as it is.
func TestAPassPlannedByAWrongClockDoesNotCount(t *testing.T) {
	t.Parallel()
	before := time.Now().Add(-10 * time.Minute) // the last pass
	tail := tail{clock: new(sourceClock), reader: new(reader), watermark: before, passed: before}
	p, err := tail.plan(nearLookBack)
	if err != nil {
		t.Fatal(err)
	}
	tail.clock.observe(answer(time.Now(), -time.Hour))
	tail.finish(&p)
	if latest := time.Now().Add(-time.Hour); p.Goal.After(latest) {
		t.Errorf("the watermark would be %s, the source's clock shows %s", p.Goal, latest)
	}
	next, err := tail.plan(nearLookBack)
	if err != nil {
		t.Fatal(err)
	}
	if since := oda.Wall(before.Add(-time.Hour)); next.After >= since {
		t.Errorf("the next pass reads from %s, want what is stamped from %s on", next.After, since)
	}
}

func TestPaceLengthensPausesOfASlowSource(t *testing.T) {
	t.Parallel()
	var p pace
	for range 300 {
		p.observe(100 * time.Millisecond)
	}
	if got := p.slowDown(time.Second); got != time.Second {
		t.Errorf("pause at the usual time is %s, want 1s", got)
	}
	for range 20 {
		p.observe(20 * time.Second)
	}
	if got := p.slowDown(time.Second); got < 3*time.Second || got > maxSlowDown*time.Second {
		t.Errorf("pause at two hundred times the usual time is %s, want 3s to 10s", got)
	}
}
