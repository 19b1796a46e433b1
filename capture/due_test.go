package capture

import (
	"testing"
	"time"
)

func TestWhenAScanIsDue(t *testing.T) {
	t.Parallel()
	for claim, tc := range map[string]struct {
		every, since time.Duration
		want         bool
	}{
		"just now":                          {24 * time.Hour, 0, false},
		"long ago":                          {24 * time.Hour, 24 * time.Hour, true},
		"never asked for":                   {0, 1000 * time.Hour, false},
		"by a clock that is ahead a little": {24 * time.Hour, -time.Minute, false},
		"in the future":                     {24 * time.Hour, -720 * time.Hour, true},
		"in the future, never asked for":    {0, -720 * time.Hour, false},
	} {
		if got := (Config{ScanEvery: tc.every}).scanDue(tc.since); got != tc.want {
			t.Errorf("a scan %s is due: %v, want %v", claim, got, tc.want)
		}
	}
}
