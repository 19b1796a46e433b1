package machine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"
)

// Patience is how long nothing may move before a wait fails. It counts only time in which
// the process was served (Served).
const Patience = 90 * time.Second

// minChecks is how often a wait checks before it fails. A check may call the test's
// servers, and is slow while they are starved.
const minChecks = 200

// checkEvery is the pause between two checks on an idle machine.
const checkEvery = 5 * time.Millisecond

// Wait is a wait for an effect of the program under test. It fails when nothing has moved
// for Patience. Only go test -timeout bounds it otherwise.
type Wait struct {
	// For names what the wait is for.
	For string
	// Moved returns a value that changes with each step: an offset, a count of rows, the
	// length of a log. Nil: no steps are visible.
	Progress func() any
	// Tell returns details for the error of a failed wait. Nil: none.
	Details func() string

	patience time.Duration // 0: Patience
}

// Until waits until done returns true, and fails the test if the wait fails. It is Wait
// without steps.
func Until(t testing.TB, what string, done func() bool) {
	t.Helper()
	Wait{For: what}.Until(t, done)
}

// Until calls done every few milliseconds until it returns true, and fails the test if
// the wait fails.
func (w Wait) Until(t testing.TB, done func() bool) {
	t.Helper()
	if err := w.Done(t.Context(), func() (bool, error) { return done(), nil }); err != nil {
		t.Fatal(err)
	}
}

// Done calls done every few milliseconds until it returns true. It returns an error if
// done returns one, if ctx ends, or if the wait fails.
func (w Wait) Done(ctx context.Context, done func() (bool, error)) error {
	stall := w.stall()
	for {
		if ok, err := done(); ok || err != nil {
			return err
		}
		if stall.over() {
			return w.failure()
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w", w.For, ctx.Err())
		case <-time.After(Scale(checkEvery)):
		}
	}
}

// Recv waits for a value from ch, and fails the test if the wait fails.
func Recv[T any](t testing.TB, what string, ch <-chan T) (value T) {
	t.Helper()
	Wait{For: what}.Until(t, func() bool {
		select {
		case value = <-ch:
			return true
		default:
			return false
		}
	})
	return value
}

// Context returns a context for calls that block. It ends with the test, or when the wait
// fails, which is then its cause.
func (w Wait) Context(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithCancelCause(t.Context())
	t.Cleanup(func() { cancel(nil) })
	stall := w.stall()
	go func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-time.After(Scale(checkEvery)):
			}
			if stall.over() {
				cancel(w.failure())
				return
			}
		}
	}()
	return ctx
}

// Context is Wait.Context without steps.
func Context(t testing.TB, what string) context.Context {
	t.Helper()
	return Wait{For: what}.Context(t)
}

func (w Wait) failure() error {
	text := fmt.Sprintf("no progress for %s of service (machine's delay %s, at most %s): %s",
		cmp.Or(w.patience, Patience), Delay(), Longest(), w.For)
	if w.Details != nil {
		text += "\n" + w.Details()
	}
	return errors.New(text)
}

// stall measures how long nothing has moved.
type stall struct {
	progress func() any
	last     any
	since    time.Duration // in Served
	checks   int           // since then
	patience time.Duration
}

func (w Wait) stall() *stall {
	s := &stall{progress: w.Progress, since: Served(), patience: cmp.Or(w.patience, Patience)}
	if s.progress != nil {
		s.last = s.progress()
	}
	return s
}

// over reports whether nothing has moved for so long, and over so many checks, that the
// wait fails.
func (s *stall) over() bool {
	s.checks++
	if s.progress != nil {
		if now := s.progress(); now != s.last {
			s.last, s.since, s.checks = now, Served(), 0
		}
	}
	return Served()-s.since > s.patience && s.checks >= minChecks
}
