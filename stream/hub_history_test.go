package stream

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"odastream/internal/test/checker"
	"odastream/internal/test/faultproxy"
	"odastream/internal/test/kafkaserver"
	"odastream/internal/test/kafkatest"
	"odastream/internal/test/machine"
	"odastream/schema"
)

var followed = []string{"Sag", "Stemme", "Møde"}

// hubHistory is a random history of topics, a hub and subscribers.
type hubHistory struct {
	*testing.T
	*bench
	rand        *rand.Rand
	proxy       *faultproxy.Proxy
	publisher   *Publisher
	hub         *Hub
	stop        func()
	subscribers []*stretch
	seq         int64
	done        []string
}

// stretch is a subscriber with the place at which it began, or went on after an error.
type stretch struct {
	*subscriber
	from Cursor
	told int // how often it was told that its cursor is too old
}

func (h *hubHistory) restart() {
	if h.stop != nil {
		h.stop()
	}
	h.hub, h.stop = h.startHub(h.T, 30*(changeMemory+60), followed...) // some subscribers are behind
	for _, s := range h.subscribers {
		s.hub = h.hub
	}
}

// write publishes some changes of one entity. The other topics lag.
func (h *hubHistory) write() {
	entity := followed[h.rand.IntN(len(followed))]
	var changes []schema.Change
	for range h.rand.IntN(40) + 1 {
		h.seq++
		id := h.rand.Int64N(6)
		if h.rand.IntN(4) == 0 {
			changes = append(changes, remove(entity, id, h.seq))
		} else {
			changes = append(changes, update(entity, id, h.seq))
		}
	}
	publish(h.T, h.publisher, changes...)
}

func (h *hubHistory) join() {
	entities := slices.Clone(followed[:h.rand.IntN(len(followed))+1])
	s := h.start(h.T, h.hub, entities...)
	if h.rand.IntN(2) == 0 {
		s = h.now(h.T, h.hub, entities...)
	}
	h.subscribers = append(h.subscribers, &stretch{subscriber: s, from: s.at})
}

// read reads a page. A subscriber that is told that its cursor is too old goes on from
// now, with nothing seen.
func (h *hubHistory) read(s *stretch, limit int) bool {
	return h.readIn(h.Context(), s, limit)
}

func (h *hubHistory) readIn(ctx context.Context, s *stretch, limit int) bool {
	page, err := s.page(ctx, limit, time.Duration(h.rand.IntN(2))*time.Millisecond)
	old, tooOld := errors.AsType[*TooOldError](err)
	switch {
	case tooOld:
		s.at, s.from, s.seen = old.Now, old.Now, nil
		s.told++
	case errors.Is(err, ErrUnreachable), ctx.Err() != nil:
	case err != nil:
		h.Fatalf("Changes after %v: %v", h.done, err)
	}
	return err != nil || len(page.Changes) > 0 || page.More
}

func (h *hubHistory) outage() {
	h.proxy.Down()
	ctx, cancel := context.WithTimeout(h.Context(), 500*time.Millisecond)
	h.readIn(ctx, h.subscribers[0], 5)
	cancel()
	if err := h.proxy.Up(h.Context()); err != nil {
		h.Fatal(err)
	}
	machine.Until(h.T, "Kafka to answer again", func() bool { return Ping(h.Context(), h.cl, h.cfg) == nil })
}

func (h *hubHistory) recreate() {
	h.bench.recreate(h.T, followed[h.rand.IntN(len(followed))])
	h.publisher = h.bench.publisher(h.T)
}

func (h *hubHistory) step() {
	steps := []struct {
		name  string
		often int
		do    func()
	}{
		{"write", 8, h.write},
		{"read", 12, func() { h.read(h.subscribers[h.rand.IntN(len(h.subscribers))], h.rand.IntN(30)+1) }},
		{"join", 2, h.join},
		{"restart", 1, h.restart},
		{"outage", 1, h.outage},
		{"recreate", 1, h.recreate},
	}
	n := h.rand.IntN(25)
	for _, s := range steps {
		if n -= s.often; n < 0 {
			h.done = append(h.done, s.name)
			s.do()
			return
		}
	}
}

// check reads every subscriber to the end, and compares what it has seen since it began
// with the topics: each change once, those of a row in order.
func (h *hubHistory) check() {
	machine.Until(h.T, "the hub to see the topics as they are", func() bool {
		now, err := h.hub.Now(followed)
		return err == nil && cmp.Equal(now.places, h.ends(), compareCursors)
	})
	for i, s := range h.subscribers {
		for h.read(s, 50) {
		}
		if diff := cmp.Diff(h.expected(s), checker.ByRow(s.seen)); diff != "" {
			h.Errorf("subscriber %d of %v, told %d times, after %v (-topics +seen):\n%s", i, s.entities, s.told, h.done, diff)
		}
	}
}

// ends are the places at the ends of the topics.
func (h *hubHistory) ends() (places []place) {
	for _, entity := range followed {
		state, err := h.topics.State(h.Context(), entity)
		if err != nil {
			h.Fatal(err)
		}
		places = append(places, place{topicTag(h.cfg.Topic(entity), state.ID, true), state.End})
	}
	slices.SortFunc(places, func(a, b place) int { return int(int64(a.tag) - int64(b.tag)) })
	return places
}

// expected is what the topics hold after the place at which s began.
func (h *hubHistory) expected(s *stretch) map[string][]string {
	var events []string
	for _, entity := range s.entities {
		state, err := h.topics.State(h.Context(), entity)
		if err != nil {
			h.Fatal(err)
		}
		from, ok := s.from.at(topicTag(h.cfg.Topic(entity), state.ID, true))
		if !ok {
			// s may have begun while the topic was deleted: all that it holds now is new.
			if from, ok = s.from.at(topicTag(h.cfg.Topic(entity), [16]byte{}, false)); !ok {
				h.Fatalf("topic of %s was recreated, and its subscriber was not told", entity)
			}
		}
		deleted := map[string]bool{}
		_, err = h.topics.ReadLog(h.Context(), entity, from, func(records []*kgo.Record) error {
			for _, rec := range records {
				m, err := h.cfg.Decode(rec)
				event := m.Change.EventID()
				// A tombstone stands for its delete if s began between the two, where records of
				// other rows may lie.
				if err != nil || m.Tombstone && deleted[event] {
					continue
				}
				deleted[event] = m.Change.Action == schema.Delete
				events = append(events, event+" "+string(m.Change.Action))
			}
			return nil
		})
		if err != nil {
			h.Fatal(err)
		}
	}
	return checker.ByRow(events)
}

// Topics are written and recreated, the hub is restarted, connections break, and
// subscribers come, read and fall behind: each has seen exactly what the topics hold
// since it began, or was told that its cursor is too old.
func TestSubscribersSeeWhatTheTopicsHold(t *testing.T) {
	t.Parallel()
	for range 6 {
		seed := rand.Uint64()
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			b, proxy := behindProxy(t)
			b.ensure(t, followed...)
			h := &hubHistory{T: t, bench: b, rand: rand.New(rand.NewPCG(seed, 0)), proxy: proxy, publisher: b.publisher(t)}
			h.restart()
			defer func() { h.stop() }()
			for range 3 {
				h.join()
			}
			for range 60 {
				h.step()
			}
			h.check()
		})
	}
}

// A real broker is killed while it is read and written.
func TestSubscribersSurviveAKilledBroker(t *testing.T) {
	t.Parallel()
	options := kafkaserver.Options{Dir: t.TempDir()}
	server := kafkatest.Own(t, options)
	b := newBench(t, server.Brokers())
	b.ensure(t, "Sag")
	p := b.publisher(t)
	publish(t, p, changes("Sag", 1, 200)...)
	h := b.hub(t, "Sag")
	s := b.start(t, h, "Sag")
	s.until(t, 50, 20)
	server.Kill()
	<-server.Done()
	again, err := kafkaserver.Start(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(again.Kill)
	publish(t, p, changes("Sag", 201, 300)...)
	machine.Until(t, "the hub to reach the broker", func() bool { return h.Err() == nil })
	ctx := machine.Context(t, "the rest of the changes")
	for len(s.seen) < 300 {
		if _, err := s.page(ctx, 50, time.Second); err != nil && !errors.Is(err, ErrUnreachable) {
			t.Fatal(err)
		}
	}
	slices.Sort(s.seen)
	if n := len(slices.Compact(s.seen)); n != 300 {
		t.Errorf("subscriber has %d changes of 300 in %d pages", n, len(s.seen))
	}
}

// Many subscribers share one reading of the topics.
func TestAThousandSubscribers(t *testing.T) {
	t.Parallel()
	b := benchFor(t)
	h := b.hub(t, "Sag")
	p := b.publisher(t)
	const subscribers, writes = 1000, 20
	ctx, cancel := context.WithCancel(machine.Context(t, "a thousand subscribers"))
	defer cancel()
	var reading sync.WaitGroup
	all := make([]*subscriber, subscribers)
	for i := range all {
		s := b.now(t, h, "Sag")
		all[i] = s
		reading.Go(func() {
			for len(s.seen) < writes {
				if _, err := s.page(ctx, 5, time.Minute); err != nil {
					t.Errorf("subscriber %d after %d changes: %v", i, len(s.seen), err)
					return
				}
			}
		})
	}
	for i := range int64(writes) {
		publish(t, p, update("Sag", 1, i+1))
	}
	reading.Wait()
	for i, s := range all {
		if !slices.Equal(s.seen, all[0].seen) || len(s.seen) != writes {
			t.Fatalf("subscriber %d has %v, want each of %d changes once", i, s.seen, writes)
		}
	}
}
