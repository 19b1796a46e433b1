package machine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"
)

// Patience is how long nothing may move before a wait is given up, in time in which
// the process was served (Served).
const Patience = 90 * time.Second

// asksAtLeast is how often a wait asks before it is given up. A question goes to the
// servers that the test uses: while these are starved, it takes its time.
const asksAtLeast = 200

// askEvery is the pause between two questions, on a machine that serves at once.
const askEvery = 5 * time.Millisecond

// Wait is a wait for what the program under test brings about. It ends badly when
// nothing has moved for Patience; nothing else bounds it but go test -timeout.
type Wait struct {
	// For says what is waited for.
	For string
	// Moved gives a value that changes with each step on the way: an offset, a count
	// of rows, the length of a log. Nil: there are no steps to be seen.
	Moved func() any
	// Tell says more of a wait in vain. Nil: nothing.
	Tell func() string

	patience time.Duration // 0: Patience
}

// Until waits until done is true, and fails the test if it is in vain. It is
// Wait without steps.
func Until(t testing.TB, what string, done func() bool) {
	t.Helper()
	Wait{For: what}.Until(t, done)
}

// Until asks done every few milliseconds until it is true, and fails the test if
// that is in vain.
func (w Wait) Until(t testing.TB, done func() bool) {
	t.Helper()
	if err := w.Done(t.Context(), func() (bool, error) { return done(), nil }); err != nil {
		t.Fatal(err)
	}
}

// Done asks done every few milliseconds until it is true, and returns an error if
// it gives one, if ctx ends, or if the wait is in vain.
func (w Wait) Done(ctx context.Context, done func() (bool, error)) error {
	stall := w.stall()
	for {
		if ok, err := done(); ok || err != nil {
			return err
		}
		if stall.over() {
			return w.inVain()
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w", w.For, ctx.Err())
		case <-time.After(Stretch(askEvery)):
		}
	}
}

// Recv waits for a value of ch, and fails the test if that is in vain.
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

// Context gives a context for calls that block. It ends when the wait is in vain,
// with that as its cause, and with the test.
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
			case <-time.After(Stretch(askEvery)):
			}
			if stall.over() {
				cancel(w.inVain())
				return
			}
		}
	}()
	return ctx
}

// Context is Wait's without steps.
func Context(t testing.TB, what string) context.Context {
	t.Helper()
	return Wait{For: what}.Context(t)
}

func (w Wait) inVain() error {
	text := fmt.Sprintf("nothing moved for %s of service (machine's delay %s, at most %s): %s",
		cmp.Or(w.patience, Patience), Delay(), Longest(), w.For)
	if w.Tell != nil {
		text += "\n" + w.Tell()
	}
	return errors.New(text)
}

// stall is how long nothing has moved.
type stall struct {
	moved    func() any
	last     any
	since    time.Duration // in Served
	asked    int           // since then
	patience time.Duration
}

func (w Wait) stall() *stall {
	s := &stall{moved: w.Moved, since: Served(), patience: cmp.Or(w.patience, Patience)}
	if s.moved != nil {
		s.last = s.moved()
	}
	return s
}

// over tells whether nothing has moved for so long, and over so many questions,
// that nothing will.
func (s *stall) over() bool {
	s.asked++
	if s.moved != nil {
		if now := s.moved(); now != s.last {
			s.last, s.since, s.asked = now, Served(), 0
		}
	}
	return Served()-s.since > s.patience && s.asked >= asksAtLeast
}
