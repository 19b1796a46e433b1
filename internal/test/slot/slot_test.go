package slot_test

import (
	"context"
	"errors"
	"testing"

	"odastream/internal/test/slot"
)

// server is the directory that it runs on.
type server string

func (server) Stop() error { return nil }

func start(_ context.Context, dir string) (server, error) { return server(dir), nil }

func TestASlotIsTakenUntilItsServerIsStopped(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	first, err := slot.Start(t.Context(), "x", start)
	if err != nil {
		t.Fatal(err)
	}
	second, err := slot.Start(t.Context(), "x", start)
	if err != nil {
		t.Fatal(err)
	}
	if first.Running == second.Running {
		t.Errorf("two servers run on %s", first.Running)
	}
	if err := first.Stop(); err != nil {
		t.Fatal(err)
	}
	third, err := slot.Start(t.Context(), "x", start)
	if err != nil || third.Running != first.Running {
		t.Errorf("after the first server stopped: %v, %v, want its slot %s", third, err, first.Running)
	}
}

func TestASlotIsFreeAgainIfItsServerDoesNotStart(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	broken, was := errors.New("broken"), ""
	_, err := slot.Start(t.Context(), "x", func(_ context.Context, dir string) (server, error) { was = dir; return "", broken })
	if !errors.Is(err, broken) {
		t.Errorf("Start = %v, want %v", err, broken)
	}
	next, err := slot.Start(t.Context(), "x", start)
	if err != nil || string(next.Running) != was {
		t.Errorf("Start after it = %v, %v, want the slot %s", next, err, was)
	}
}
