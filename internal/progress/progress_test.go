package progress

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// fixture gives a line whose clock the test sets.
func fixture(width int) (l *Line, screen, log *bytes.Buffer, now *time.Time) {
	screen, log, now = new(bytes.Buffer), new(bytes.Buffer), new(time.Time)
	*now = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	l = New(screen, slog.New(slog.NewTextHandler(log, nil)))
	l.now = func() time.Time { return *now }
	if width > 0 {
		l.width = func() int { return width }
	}
	return l, screen, log, now
}

func TestElsewhereItLogsEveryTenSeconds(t *testing.T) {
	t.Parallel()
	l, screen, log, now := fixture(0)
	for range 250 { // 25 s in steps of 100 ms
		l.Set("Sag 1 of 2")
		*now = now.Add(100 * time.Millisecond)
	}
	l.Done("all loaded")
	if got, want := strings.Count(log.String(), "Sag 1 of 2"), 3; got != want {
		t.Errorf("logged %d times in 25 s, want %d:\n%s", got, want, log)
	}
	if !strings.Contains(log.String(), "all loaded") {
		t.Errorf("Done is not logged:\n%s", log)
	}
	if screen.Len() != 0 {
		t.Errorf("wrote %q beside the log", screen)
	}
}

func TestOnATerminalItRewritesOneLine(t *testing.T) {
	t.Parallel()
	l, screen, log, now := fixture(20)
	l.Set("one")
	l.Set("too soon")
	*now = now.Add(redrawEvery)
	l.Set("a line longer than the terminal")
	l.Done("done")
	want := "\rone\x1b[K" + "\ra line longer than…\x1b[K" + "\rdone\x1b[K\n"
	if got := screen.String(); got != want {
		t.Errorf("screen got %q, want %q", got, want)
	}
	if log.Len() != 0 {
		t.Errorf("logged %q as well", log)
	}
}

func TestALineBesideTheProgressStandsAboveIt(t *testing.T) {
	t.Parallel()
	l, screen, _, _ := fixture(20)
	l.Println("before")
	l.Set("working")
	l.Println("Sag 1 changed")
	l.Done("done")
	l.Println("after")
	want := "before\n" + "\rworking\x1b[K" + "\r\x1b[KSag 1 changed\nworking" + "\rdone\x1b[K\n" + "after\n"
	if got := screen.String(); got != want {
		t.Errorf("screen got %q, want %q", got, want)
	}
}
