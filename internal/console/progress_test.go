package console

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// fixture returns a line whose clock the test sets.
func fixture(width int) (p *Progress, screen, log *bytes.Buffer, now *time.Time) {
	screen, log, now = new(bytes.Buffer), new(bytes.Buffer), new(time.Time)
	*now = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	p = NewProgress(screen, slog.New(slog.NewTextHandler(log, nil)))
	p.now = func() time.Time { return *now }
	if width > 0 {
		p.width = func() int { return width }
	}
	return p, screen, log, now
}

func TestProgressLogsEveryTenSecondsWithoutATerminal(t *testing.T) {
	t.Parallel()
	p, screen, log, now := fixture(0)
	for range 250 { // 25 s in steps of 100 ms
		p.Set("Sag 1 of 2")
		*now = now.Add(100 * time.Millisecond)
	}
	p.Done("all loaded")
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

func TestProgressRewritesOneLineOnATerminal(t *testing.T) {
	t.Parallel()
	p, screen, log, now := fixture(20)
	p.Set("one")
	p.Set("too soon")
	*now = now.Add(redrawEvery)
	p.Set("a line longer than the terminal")
	p.Done("done")
	want := "\rone\x1b[K" + "\ra line longer than…\x1b[K" + "\rdone\x1b[K\n"
	if got := screen.String(); got != want {
		t.Errorf("screen got %q, want %q", got, want)
	}
	if log.Len() != 0 {
		t.Errorf("logged %q as well", log)
	}
}

func TestPrintlnPrintsAboveTheProgress(t *testing.T) {
	t.Parallel()
	p, screen, _, _ := fixture(20)
	p.Println("before")
	p.Set("working")
	p.Println("Sag 1 changed")
	p.Done("done")
	p.Println("after")
	want := "before\n" + "\rworking\x1b[K" + "\r\x1b[KSag 1 changed\nworking" + "\rdone\x1b[K\n" + "after\n"
	if got := screen.String(); got != want {
		t.Errorf("screen got %q, want %q", got, want)
	}
}
