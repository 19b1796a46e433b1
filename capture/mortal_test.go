package capture

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"odastream/checkpoint"
	"odastream/oda"
	"odastream/schema"
	"odastream/stream"
)

// death is what happens to the step at which a process ends.
type death int

const (
	diesBefore death = iota // nothing of the step happens
	diesWithin              // half of a publish is acknowledged; of a save, which is one transaction, nothing happens
	diesAfter               // the step happens, but the process does not learn that
	stumbles                // nothing of the step happens, and the process lives: an error of the environment
	freezes                 // the step happens after another process has taken over, as after a SIGSTOP
)

func (d death) String() string {
	return [...]string{"dies before", "dies within", "dies after", "stumbles before", "freezes before"}[d]
}

// life ends a process at a step, which is a save, a publish or a burial: from then on nothing
// that the process does has an effect, as after a SIGKILL. A process that freezes
// makes no step until meanwhile returns, and then goes on: late is called with what
// it may publish meanwhile or afterwards.
type life struct {
	how       death
	meanwhile func()
	late      func([]schema.Change)

	mu         sync.Mutex
	left       int // steps up to the last one; 0: the process does not die
	dead       bool
	frozen     chan struct{} // closed once the freeze is over; nil: the process never froze
	publishing [][]schema.Change
}

func (l *life) step(do, half func() error) error {
	last, dead, frozen := l.next()
	switch {
	case frozen != nil && !last:
		<-frozen
		return do()
	case dead:
		return errCrash
	case !last:
		return do()
	case l.how == diesAfter:
		if err := do(); err != nil {
			return err
		}
	case l.how == diesWithin:
		if err := half(); err != nil {
			return err
		}
	case l.how == freezes:
		l.meanwhile()
		close(frozen)
		return do()
	}
	return errCrash
}

// next counts a step.
func (l *life) next() (last, dead bool, frozen chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dead {
		return false, true, nil
	}
	l.left--
	last = l.left == 0
	l.dead = last && l.how < stumbles
	if last && l.how == freezes {
		l.frozen = make(chan struct{})
		for _, changes := range l.publishing {
			l.late(changes)
		}
	}
	return last, false, l.frozen
}

// publishes notes what the process is about to publish. done notes that it is published.
func (l *life) publishes(changes []schema.Change) (done func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.frozen != nil {
		l.late(changes)
	}
	l.publishing = append(l.publishing, changes)
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.publishing = slices.DeleteFunc(l.publishing, func(c []schema.Change) bool { return &c[0] == &changes[0] })
	}
}

// stopped reports whether the process is frozen.
func (l *life) stopped() bool {
	if l.frozen == nil {
		return false
	}
	select {
	case <-l.frozen:
		return false
	default:
		return true
	}
}

// end ends the process.
func (l *life) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dead = true
}

// over returns an error if the process has ended.
func (l *life) over() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dead || l.stopped() {
		return errCrash
	}
	return nil
}

// mortalStore is the store of a process with a life.
type mortalStore struct {
	store
	life *life
}

func nothing() error { return nil }

func (s mortalStore) Save(ctx context.Context, lease checkpoint.Lease, p checkpoint.Progress) error {
	return s.life.step(func() error { return s.store.Save(ctx, lease, p) }, nothing)
}

func (s mortalStore) Fold(ctx context.Context, lease checkpoint.Lease, p checkpoint.Progress) error {
	return s.life.step(func() error { return s.store.Fold(ctx, lease, p) }, nothing)
}

func (s mortalStore) StartScan(ctx context.Context, lease checkpoint.Lease, id int64, began time.Time, ranges []checkpoint.ScanRange) error {
	return s.life.step(func() error { return s.store.StartScan(ctx, lease, id, began, ranges) }, nothing)
}

func (s mortalStore) ResetTopic(ctx context.Context, lease checkpoint.Lease) error {
	return s.life.step(func() error { return s.store.ResetTopic(ctx, lease) }, nothing)
}

func (s mortalStore) Announce(ctx context.Context, holder string, ttl time.Duration) ([]string, error) {
	if err := s.life.over(); err != nil {
		return nil, err
	}
	return s.store.Announce(ctx, holder, ttl)
}

func (s mortalStore) Withdraw(ctx context.Context, holder string) error {
	if err := s.life.over(); err != nil {
		return err
	}
	return s.store.Withdraw(ctx, holder)
}

func (s mortalStore) Acquire(ctx context.Context, entity, holder string, ttl time.Duration) (checkpoint.Lease, error) {
	if err := s.life.over(); err != nil {
		return checkpoint.Lease{}, err
	}
	return s.store.Acquire(ctx, entity, holder, ttl)
}

func (s mortalStore) Renew(ctx context.Context, lease checkpoint.Lease, ttl time.Duration) (checkpoint.Lease, error) {
	if err := s.life.over(); err != nil {
		return lease, err
	}
	return s.store.Renew(ctx, lease, ttl)
}

func (s mortalStore) Release(ctx context.Context, lease checkpoint.Lease) error {
	if err := s.life.over(); err != nil {
		return err
	}
	return s.store.Release(ctx, lease)
}

// mortalPublisher is the publisher of a process with a life.
type mortalPublisher struct {
	publisher
	life *life
}

func (p mortalPublisher) Publish(ctx context.Context, changes []schema.Change) (acks []stream.Ack, err error) {
	err = p.life.step(func() error {
		defer p.life.publishes(changes)()
		acks, err = p.publisher.Publish(ctx, changes)
		return err
	}, func() error {
		_, err := p.publisher.Publish(ctx, changes[:(len(changes)+1)/2])
		return err
	})
	return acks, err
}

func (p mortalPublisher) Bury(ctx context.Context, misplaced []*kgo.Record) error {
	return p.life.step(func() error { return p.publisher.Bury(ctx, misplaced) }, func() error {
		return p.publisher.Bury(ctx, misplaced[:(len(misplaced)+1)/2])
	})
}

// living gives the world's next processes the life l, until restore is called.
func (w *world) living(l *life) (restore func()) {
	wrapStore, wrapPublisher := w.wrapStore, w.wrapPublisher
	w.wrapStore = func(s store) store { return mortalStore{s, l} }
	w.wrapPublisher = func(p publisher) publisher { return mortalPublisher{p, l} }
	return func() { w.wrapStore, w.wrapPublisher = wrapStore, wrapPublisher }
}

// moody is a source that calls a function before each request, which may return an
// error, change a row, or stop a process. With such a function it answers one request
// at a time.
type moody struct {
	source

	mu    sync.Mutex
	asked int
	mood  func(asked int, set string, w oda.Window) error // nil: none
}

func (m *moody) Page(ctx context.Context, set string, w oda.Window, lane oda.Lane) (oda.Page, error) {
	if err := m.stir(set, w); err != nil {
		return oda.Page{}, err
	}
	return m.source.Page(ctx, set, w, lane)
}

func (m *moody) stir(set string, w oda.Window) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asked++
	if m.mood == nil {
		return nil
	}
	return m.mood(m.asked, set, w)
}

// feel sets the mood and counts the requests from 1 again.
func (m *moody) feel(mood func(asked int, set string, w oda.Window) error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asked, m.mood = 0, mood
}

func (m *moody) pages() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.asked
}

// trouble is an error of the source's client after all its tries.
func trouble(set string, kind error) error {
	return &oda.Error{Set: set, Kind: kind, Tries: 1, Cause: fmt.Errorf("so the test wants it")}
}

// moods puts a moody source before the world's parliament.
func (w *world) moods() *moody {
	m := &moody{source: w.source}
	w.source = m
	return m
}

// renewTopic deletes an entity's topic and creates it again.
func (w *world) renewTopic(entity string) {
	w.t.Helper()
	before, err := w.topics.State(w.t.Context(), entity)
	if err != nil {
		w.t.Fatal(err)
	}
	w.deleteTopic(entity)
	// A new client: that of the world has cached the old topic.
	client, err := stream.NewClient(w.kafka, w.logger())
	if err != nil {
		w.t.Fatal(err)
	}
	defer client.Close()
	if err := stream.NewTopics(client, w.kafka, w.logger()).Ensure(w.t.Context(), []string{entity}); err != nil {
		w.t.Fatal(err)
	}
	w.eventually("the new topic is seen", func() bool {
		now, err := w.topics.State(w.t.Context(), entity)
		return err == nil && now.ID != before.ID
	})
}
