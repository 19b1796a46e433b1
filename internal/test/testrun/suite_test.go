package main

import (
	"strings"
	"testing"
	"time"
)

// outputOf returns a suite after the events, and its output.
func outputOf(events ...event) (*suite, *strings.Builder) {
	var out strings.Builder
	s := newSuite(func(line string) { out.WriteString(line + "\n") }, false)
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	s.now = func() time.Time { now = now.Add(time.Second); return now }
	s.plan("m/a", "m/b", "m/c", "m/d", "m/e", "m/f", "m/g")
	for _, e := range events {
		e.Package = "m/a"
		s.take(e)
	}
	return s, &out
}

func TestOutputAfterATestsEndIsShownIfThePackageFails(t *testing.T) {
	t.Parallel()
	for verdict, want := range map[string]bool{"pass": false, "fail": true} {
		_, out := outputOf(
			event{Test: "TestX", Action: "run"},
			event{Test: "TestX", Action: "output", Output: "WARNING: DATA RACE\n"},
			event{Test: "TestX", Action: "output", Output: "of two\n"},
			event{Test: "TestX", Action: "pass"},
			event{Test: "TestX", Action: "output", Output: "panic: later\n"},
			event{Action: verdict},
		)
		for _, line := range []string{"WARNING: DATA RACE\nof two\n", "panic: later\n"} {
			if got := strings.Contains(out.String(), line); got != want {
				t.Errorf("package's end %s: printed %q is %t, want %t", verdict, line, got, want)
			}
		}
	}
}

func TestProgressNamesRunningAndRemainingPackages(t *testing.T) {
	t.Parallel()
	s, _ := outputOf(
		event{Action: "start"},
		event{Test: "TestX", Action: "run"},
		event{Test: "TestX", Action: "pause"},
		event{Test: "TestY", Action: "run"},
		event{Test: "TestX", Action: "cont"},
		event{Test: "TestY/one", Action: "run"},
	)
	if got, want := s.progress(), "7 left: a 5s (TestX 2s); then b, c, d, e and 2 more"; got != want {
		t.Errorf("progress = %q, want %q", got, want)
	}
}

func TestSlowTestIsNamedWhereItsTimeWasSpent(t *testing.T) {
	t.Parallel()
	s, out := outputOf(
		event{Test: "TestX/one", Action: "pass", Elapsed: 8},
		event{Test: "TestX/two", Action: "pass", Elapsed: 1},
		event{Test: "TestX", Action: "pass", Elapsed: 9},
		event{Test: "TestY/one", Action: "pass", Elapsed: 2},
		event{Test: "TestY/two", Action: "pass", Elapsed: 2},
		event{Test: "TestY/three", Action: "pass", Elapsed: 2},
		event{Test: "TestY", Action: "pass", Elapsed: 6},
		event{Test: "TestZ", Action: "pass", Elapsed: 0.01},
		event{Test: "TestWaits/one", Action: "run"},
		event{Test: "TestWaits/one", Action: "pause"},
		event{Test: "TestWaits/one", Action: "pass", Elapsed: 1},
		event{Test: "TestWaits", Action: "pass", Elapsed: 20},
	)
	s.report()
	want := "slowest tests:\n     8.0s m/a TestX/one\n     6.0s m/a TestY\n     2.0s"
	if !strings.Contains(out.String(), want) || strings.Contains(out.String(), "TestX\n") || strings.Contains(out.String(), "TestZ") {
		t.Errorf("report = %q, want %q in it, and not TestX or TestZ", out, want)
	}
}

func TestDelaysReportTheHighestAndItsPackages(t *testing.T) {
	t.Parallel()
	d := delays{first: 2 * time.Millisecond}
	d.note(3*time.Millisecond, "2 left: linking; then a, b")
	d.note(40*time.Millisecond, "2 left: a 4s (TestX 1s); then b")
	d.note(5*time.Millisecond, "1 left: b 1s; then nothing")
	if got, want := d.String(), "delay 2ms at the start, at most 40ms (2 left: a 4s (TestX 1s)); one beat "; !strings.Contains(got, want) {
		t.Errorf("delays = %q, want %q in it", got, want)
	}
}
