package capture

import (
	"testing"
	"time"

	"odastream/oda"
)

// answer returns a page whose Date differs from our clock by skew.
func answer(received time.Time, skew time.Duration) oda.Page {
	return oda.Page{Date: received.Add(skew).Truncate(time.Second), Received: received}
}

func TestSourceClockIsNeverTooLate(t *testing.T) {
	t.Parallel()
	var c sourceClock
	now := atNoon().Add(700 * time.Millisecond)
	if got := c.at(now); !got.Equal(now) {
		t.Errorf("without any Date the source's time is %s, want ours", got)
	}
	for _, skew := range []time.Duration{time.Hour, time.Hour + 300*time.Millisecond} {
		c.observe(answer(now, skew))
	}
	if got := c.at(now); got.After(now.Add(time.Hour)) || got.Before(now.Add(time.Hour-time.Second)) {
		t.Errorf("source's time is %s, want at most a second before %s", got, now.Add(time.Hour))
	}
}

func TestSourceClockFollowsAClockThatIsSet(t *testing.T) {
	t.Parallel()
	var c sourceClock
	c.observe(answer(atNoon(), 0))
	later := atNoon().Add(-time.Hour) // our clock was set back by an hour
	for range skewSamples {
		c.observe(answer(later, time.Hour))
	}
	if got, want := c.at(later), later.Add(time.Hour); !got.Equal(want) {
		t.Errorf("source's time is %s, want %s", got, want)
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
