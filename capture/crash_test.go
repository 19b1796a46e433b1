package capture

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"odastream/checkpoint"
	"odastream/odasim"
	"odastream/schema"
	"odastream/stream"
)

var errCrash = errors.New("crash")

// crashingStore ends the process before or after its n-th save.
type crashingStore struct {
	store
	after bool
	left  *atomic.Int64
}

func (s crashingStore) Save(ctx context.Context, lease checkpoint.Lease, p checkpoint.Progress) error {
	return s.crash(func() error { return s.store.Save(ctx, lease, p) })
}

func (s crashingStore) Fold(ctx context.Context, lease checkpoint.Lease, p checkpoint.Progress) error {
	return s.crash(func() error { return s.store.Fold(ctx, lease, p) })
}

func (s crashingStore) StartScan(ctx context.Context, lease checkpoint.Lease, id int64, began time.Time, ranges []checkpoint.ScanRange) error {
	return s.crash(func() error { return s.store.StartScan(ctx, lease, id, began, ranges) })
}

func (s crashingStore) crash(save func() error) error {
	left := s.left.Add(-1)
	if left > 0 || left < 0 && !s.after {
		return save()
	}
	if s.after {
		if err := save(); err != nil {
			return err
		}
	}
	return errCrash
}

// crashingPublisher ends the process before its n-th publish, or when half of it is
// acknowledged.
type crashingPublisher struct {
	publisher
	half bool
	left *atomic.Int64
}

func (p crashingPublisher) Publish(ctx context.Context, changes []schema.Change) ([]stream.Ack, error) {
	if p.left.Add(-1) != 0 {
		return p.publisher.Publish(ctx, changes)
	}
	if p.half {
		if _, err := p.publisher.Publish(ctx, changes[:(len(changes)+1)/2]); err != nil {
			return nil, err
		}
	}
	return nil, errCrash
}

// Invariants 1 and 8: at whatever step a process dies, the next one loses nothing and
// publishes nothing twice. It fails without the fold at the start of a session.
func TestACrashAtAnyStepLosesAndRepeatsNothing(t *testing.T) {
	t.Parallel()
	for name, arm := range map[string]func(w *world, left *atomic.Int64){
		"before a save": func(w *world, left *atomic.Int64) {
			w.wrapStore = func(s store) store { return crashingStore{store: s, left: left} }
		},
		"after a save": func(w *world, left *atomic.Int64) {
			w.wrapStore = func(s store) store { return crashingStore{store: s, left: left, after: true} }
		},
		"before a publish": func(w *world, left *atomic.Int64) {
			w.wrapPublisher = func(p publisher) publisher { return crashingPublisher{publisher: p, left: left} }
		},
		"within a publish": func(w *world, left *atomic.Int64) {
			w.wrapPublisher = func(p publisher) publisher { return crashingPublisher{publisher: p, left: left, half: true} }
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			crashes := 0
			w := newWorld(t, odasim.Options{}, "Sag")
			for step := 1; ; step++ {
				w.anew(odasim.Options{PageCap: 20})
				if !w.crashAt(step, arm) {
					break
				}
				crashes++
			}
			if crashes == 0 {
				t.Error("no step crashed: the test proves nothing")
			}
		})
	}
}

// crashAt ends a process at its step-th save or publish, during a first load and
// after it. It returns false if there is no such step.
func (w *world) crashAt(step int, arm func(*world, *atomic.Int64)) bool {
	w.t.Helper()
	w.sim.SetNow(atNoon())
	for id := range int64(70) {
		w.put("Sag", id+1, "først", stampAt(atNoon()))
	}
	var left atomic.Int64
	left.Store(int64(step))
	arm(w, &left)
	crashed := 0
	for range 4 {
		if err := w.once(); errors.Is(err, errCrash) {
			crashed++
		} else if err != nil {
			w.t.Fatalf("step %d: %v", step, err)
		}
		w.expireLeases()
		w.sim.Advance(time.Second)
		w.put("Sag", int64(crashed+1), "siden", stampAt(w.sim.Now()))
	}
	w.wrapStore, w.wrapPublisher = nil, nil
	w.mustOnce()
	w.checkTopic("Sag")
	return crashed > 0
}
