package oda

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func at(t testing.TB, text string) time.Time {
	t.Helper()
	got, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestWall(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ t, want string }{
		"winter is an hour ahead of UTC":    {"2026-11-23T15:10:00.123456Z", "2026-11-23T16:10:00.123"},
		"summer is two hours ahead":         {"2027-07-01T22:00:00Z", "2027-07-02T00:00:00.000"},
		"decimals are cut off, not rounded": {"2026-01-01T00:00:00.999999Z", "2026-01-01T01:00:00.999"},
		"the first 02:30 of October":        {"2026-10-25T00:30:00Z", "2026-10-25T02:30:00.000"},
		"the second 02:30 of October":       {"2026-10-25T01:30:00Z", "2026-10-25T02:30:00.000"},
	}
	for claim, tt := range tests {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			if got := Wall(at(t, tt.t)); got != tt.want {
				t.Errorf("Wall(%s) = %s, want %s", tt.t, got, tt.want)
			}
		})
	}
}

func TestEarliestAndLatestWall(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ from, to, earliest, latest string }{
		"a plain span has its ends": {
			"2026-11-23T15:00:00Z", "2026-11-23T15:10:00Z", "2026-11-23T16:00:00.000", "2026-11-23T16:10:00.000",
		},
		"the ends in the wrong order": {
			"2026-11-23T15:10:00Z", "2026-11-23T15:00:00Z", "2026-11-23T16:00:00.000", "2026-11-23T16:10:00.000",
		},
		"one instant": {
			"2026-11-23T15:10:00Z", "2026-11-23T15:10:00Z", "2026-11-23T16:10:00.000", "2026-11-23T16:10:00.000",
		},
		"over the end of summer time the hour from 02 is seen twice": {
			"2026-10-25T00:50:00Z", "2026-10-25T01:05:00Z", "2026-10-25T02:00:00.000", "2026-10-25T02:59:59.999",
		},
		"up to the very change, which shows 02:00 again": {
			"2026-10-25T00:50:00Z", "2026-10-25T01:00:00Z", "2026-10-25T02:00:00.000", "2026-10-25T02:59:59.999",
		},
		"just short of the change": {
			"2026-10-25T00:50:00Z", "2026-10-25T00:59:59.9Z", "2026-10-25T02:50:00.000", "2026-10-25T02:59:59.900",
		},
		"from the very change on": {
			"2026-10-25T01:00:00Z", "2026-10-25T01:05:00Z", "2026-10-25T02:00:00.000", "2026-10-25T02:05:00.000",
		},
		"over the start of summer time an hour is missing": {
			"2027-03-28T00:50:00Z", "2027-03-28T01:05:00Z", "2027-03-28T01:50:00.000", "2027-03-28T03:05:00.000",
		},
		"over two years": {
			"2026-01-01T00:00:00Z", "2028-01-01T00:00:00Z", "2026-01-01T01:00:00.000", "2028-01-01T01:00:00.000",
		},
	}
	for claim, tt := range tests {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			from, to := at(t, tt.from), at(t, tt.to)
			if got := EarliestWall(from, to); got != tt.earliest {
				t.Errorf("EarliestWall = %s, want %s", got, tt.earliest)
			}
			if got := LatestWall(from, to); got != tt.latest {
				t.Errorf("LatestWall = %s, want %s", got, tt.latest)
			}
		})
	}
}

// clockChanges are those of 2026 and 2027.
func clockChanges(t testing.TB) []time.Time {
	return []time.Time{
		at(t, "2026-03-29T01:00:00Z"), at(t, "2026-10-25T01:00:00Z"),
		at(t, "2027-03-28T01:00:00Z"), at(t, "2027-10-31T01:00:00Z"),
	}
}

// near draws an instant around a clock change, often a whole minute.
func near(rt *rapid.T, changes []time.Time, label string) time.Time {
	change := rapid.SampledFrom(changes).Draw(rt, label+" change")
	minutes := rapid.IntRange(-300, 300).Draw(rt, label+" minutes")
	millis := rapid.SampledFrom([]int{0, 0, 1, 500, 59_997, 59_999}).Draw(rt, label+" millis")
	return change.Add(time.Duration(minutes)*time.Minute + time.Duration(millis)*time.Millisecond)
}

// walk checks every minute of [from, to] and the millisecond before it: clocks change
// at whole minutes, so no other text can be an extreme.
func walk(from, to time.Time) (lowest, highest string) {
	lowest, highest = Wall(from), Wall(from)
	see := func(t time.Time) {
		if !t.Before(from) && !t.After(to) {
			lowest, highest = min(lowest, Wall(t)), max(highest, Wall(t))
		}
	}
	for minute := from.Truncate(time.Minute); !minute.After(to); minute = minute.Add(time.Minute) {
		see(minute)
		see(minute.Add(time.Minute - time.Millisecond))
	}
	see(to)
	return lowest, highest
}

func TestEarliestAndLatestWallAgainstAWalk(t *testing.T) {
	t.Parallel()
	changes := clockChanges(t)
	rapid.Check(t, func(rt *rapid.T) {
		from := near(rt, changes, "from")
		to := from.Add(time.Duration(rapid.IntRange(0, 3*24*3600_000).Draw(rt, "span")) * time.Millisecond)
		lowest, highest := walk(from, to)
		if got := EarliestWall(from, to); got != lowest {
			rt.Errorf("EarliestWall(%s, %s) = %s, a walk sees %s", from, to, got, lowest)
		}
		if got := LatestWall(from, to); got != highest {
			rt.Errorf("LatestWall(%s, %s) = %s, a walk sees %s", from, to, got, highest)
		}
	})
}

func TestParseWall(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ text, earliest, latest string }{
		"winter":                             {"2026-11-23T16:10:00.123", "2026-11-23T15:10:00.123Z", "2026-11-23T15:10:00.123Z"},
		"summer, without a fraction":         {"2027-07-02T00:00:00", "2027-07-01T22:00:00Z", "2027-07-01T22:00:00Z"},
		"the October hour means two":         {"2026-10-25T02:30:00.1", "2026-10-25T00:30:00.1Z", "2026-10-25T01:30:00.1Z"},
		"its start":                          {"2026-10-25T02:00:00", "2026-10-25T00:00:00Z", "2026-10-25T01:00:00Z"},
		"its end is past it":                 {"2026-10-25T03:00:00", "2026-10-25T02:00:00Z", "2026-10-25T02:00:00Z"},
		"just before it":                     {"2026-10-25T01:59:59.997", "2026-10-24T23:59:59.997Z", "2026-10-24T23:59:59.997Z"},
		"the March hour has both its clocks": {"2027-03-28T02:30:00", "2027-03-28T00:30:00Z", "2027-03-28T01:30:00Z"},
		"just before the March hour":         {"2027-03-28T01:59:59.997", "2027-03-28T00:59:59.997Z", "2027-03-28T00:59:59.997Z"},
		"just after it":                      {"2027-03-28T03:00:00", "2027-03-28T01:00:00Z", "2027-03-28T01:00:00Z"},
	}
	for claim, tt := range tests {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			earliest, latest, err := ParseWall(tt.text)
			if err != nil || !earliest.Equal(at(t, tt.earliest)) || !latest.Equal(at(t, tt.latest)) {
				t.Errorf("ParseWall(%s) = %s, %s, %v, want %s, %s", tt.text, earliest, latest, err, tt.earliest, tt.latest)
			}
		})
	}
}

func TestParseWallIsTheInverseOfWall(t *testing.T) {
	t.Parallel()
	changes := clockChanges(t)
	rapid.Check(t, func(rt *rapid.T) {
		instant := near(rt, changes, "instant")
		earliest, latest, err := ParseWall(Wall(instant))
		if err != nil || !instant.Equal(earliest) && !instant.Equal(latest) {
			rt.Fatalf("ParseWall(Wall(%s)) = %s, %s, %v", instant, earliest, latest, err)
		}
		if Wall(earliest) != Wall(latest) {
			rt.Errorf("%s and %s have other texts: %s, %s", earliest, latest, Wall(earliest), Wall(latest))
		}
		if d := latest.Sub(earliest); d != 0 && d != time.Hour {
			rt.Errorf("%s and %s lie %s apart", earliest, latest, d)
		}
	})
}

func TestWallClockTextIsStrict(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"empty":                   "",
		"a date":                  "2026-11-23",
		"no seconds":              "2026-11-23T16:10",
		"a zone":                  "2026-11-23T16:10:00Z",
		"an offset":               "2026-11-23T16:10:00+01:00",
		"a comma":                 "2026-11-23T16:10:00,5",
		"a point without digits":  "2026-11-23T16:10:00.",
		"ten decimals":            "2026-11-23T16:10:00.1234567890",
		"a month that is none":    "2026-13-23T16:10:00",
		"a 30th of February":      "2026-02-30T16:10:00",
		"an apostrophe of a hack": "2026-11-23T16:10:00' or 1 eq 1",
	}
	for claim, text := range tests {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			if a, b, err := ParseWall(text); err == nil {
				t.Errorf("ParseWall(%q) = %s, %s, want an error", text, a, b)
			}
			if got, err := ShiftWall(text, 0); err == nil {
				t.Errorf("ShiftWall(%q) = %s, want an error", text, got)
			}
		})
	}
}

func TestShiftWallIgnoresClockChanges(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		text string
		d    time.Duration
		want string
	}{
		"less 10 ms":            {"2026-11-23T16:10:00.005", -10 * time.Millisecond, "2026-11-23T16:09:59.995"},
		"before a year":         {"2027-01-01T00:00:00", -10 * time.Millisecond, "2026-12-31T23:59:59.990"},
		"into the missing hour": {"2027-03-28T01:59:59.995", 10 * time.Millisecond, "2027-03-28T02:00:00.005"},
	}
	for claim, tt := range tests {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			if got, err := ShiftWall(tt.text, tt.d); err != nil || got != tt.want {
				t.Errorf("ShiftWall(%s, %s) = %s, %v, want %s", tt.text, tt.d, got, err, tt.want)
			}
		})
	}
}

func TestTrimmedTextsOrderAsTimes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		base := at(t, "2026-11-23T23:59:58Z")
		draw := func(label string) (time.Time, string) {
			when := base.Add(time.Duration(rapid.IntRange(0, 3000).Draw(rt, label)) * time.Millisecond)
			return when, trimWall(when.Format(wallLayout))
		}
		a, textA := draw("a")
		b, textB := draw("b")
		if a.Before(b) != (textA < textB) || a.Equal(b) != (textA == textB) {
			rt.Errorf("%s and %s do not order as %s and %s", textA, textB, a, b)
		}
		if !isWall(textA) || literal(textA) != "datetime'"+a.Format(wallLayout)+"'" {
			rt.Errorf("literal(%s) = %s", textA, literal(textA))
		}
	})
}
