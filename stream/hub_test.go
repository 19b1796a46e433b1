package stream

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"odastream/internal/test/faultproxy"
	"odastream/internal/test/machine"
	"odastream/schema"
)

// hub runs a Hub until the test ends.
func (b *bench) hub(t testing.TB, entities ...string) *Hub {
	t.Helper()
	h, stop := b.startHub(t, hubBytes, entities...)
	t.Cleanup(stop)
	return h
}

// startHub returns a hub with room for bytes that has read the topics, and what stops it.
func (b *bench) startHub(t testing.TB, room int, entities ...string) (h *Hub, stop func()) {
	t.Helper()
	h, err := NewHub(b.cfg, entities, b.log.logger(), nil)
	if err != nil {
		t.Fatal(err)
	}
	h.room = room
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := h.Run(ctx); err != nil {
			t.Errorf("Run = %v", err)
		}
	})
	machine.Until(t, "the hub to read the topics", func() bool { return h.Err() == nil })
	return h, func() {
		cancel()
		running.Wait()
		h.Close()
	}
}

// subscriber reads pages and keeps what came.
type subscriber struct {
	hub      *Hub
	entities []string
	at       Cursor
	seen     []string
}

// page reads a page, by the cursor's text as a client would.
func (s *subscriber) page(ctx context.Context, limit int, wait time.Duration) (Page, error) {
	at, err := ParseCursor(s.at.String())
	if err != nil {
		return Page{}, err
	}
	page, err := s.hub.Changes(ctx, s.entities, at, limit, wait)
	if err != nil {
		return page, err
	}
	if len(page.Changes) > limit {
		return page, fmt.Errorf("page has %d changes, want at most %d", len(page.Changes), limit)
	}
	s.at = page.Next
	for _, c := range page.Changes {
		s.seen = append(s.seen, c.EventID()+" "+string(c.Action))
	}
	return page, nil
}

// until reads pages until n changes have come.
func (s *subscriber) until(t testing.TB, n, limit int) {
	t.Helper()
	ctx := machine.Context(t, fmt.Sprintf("%d changes", n))
	for len(s.seen) < n {
		if _, err := s.page(ctx, limit, time.Second); err != nil {
			t.Fatalf("Changes after %d of %d: %v", len(s.seen), n, err)
		}
	}
}

func (b *bench) start(t testing.TB, h *Hub, entities ...string) *subscriber {
	t.Helper()
	at, err := h.Start(entities)
	if err != nil {
		t.Fatal(err)
	}
	return &subscriber{hub: h, entities: entities, at: at}
}

func (b *bench) now(t testing.TB, h *Hub, entities ...string) *subscriber {
	t.Helper()
	at, err := h.Now(entities)
	if err != nil {
		t.Fatal(err)
	}
	return &subscriber{hub: h, entities: entities, at: at}
}

func TestSubscribersHaveEachChangeOnce(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *bench) {
		b.ensure(t, "Sag", "Stemme")
		p := b.publisher(t)
		publish(t, p, update("Sag", 1, 1), remove("Sag", 1, 2), update("Sag", 1, 3), update("Sag", 2, 4), remove("Sag", 2, 5))
		h := b.hub(t, "Sag", "Stemme")
		all, sag, later := b.start(t, h, "Sag", "Stemme"), b.start(t, h, "sag", "SAG"), b.now(t, h, "Stemme", "Sag")
		publish(t, p, update("Stemme", 7, 7))
		publish(t, p, update("Sag", 9, 8))
		all.until(t, 7, 1)
		sag.until(t, 6, 100)
		later.until(t, 2, 1)
		slices.Sort(all.seen)
		slices.Sort(sag.seen)
		slices.Sort(later.seen)
		want := []string{"Sag:1:1 update", "Sag:1:2 delete", "Sag:1:3 update", "Sag:2:4 update", "Sag:2:5 delete", "Sag:9:8 update", "Stemme:7:7 update"}
		if diff := cmp.Diff(want, all.seen); diff != "" {
			t.Errorf("from the start, of both topics (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(want[:6], sag.seen); diff != "" {
			t.Errorf("from the start, of Sag (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"Sag:9:8 update", "Stemme:7:7 update"}, later.seen); diff != "" {
			t.Errorf("from now on (-want +got):\n%s", diff)
		}
		for name, s := range map[string]*subscriber{"all": all, "sag": sag, "later": later} {
			page, err := s.page(t.Context(), 10, 0)
			if err != nil || len(page.Changes) > 0 || page.More {
				t.Errorf("%s at the end: page %v, %v, want an empty one", name, page, err)
			}
		}
	})
}

func TestAPageComesAsSoonAsThereIsAChange(t *testing.T) {
	t.Parallel()
	b := benchFor(t)
	h := b.hub(t, "Sag")
	p := b.publisher(t)
	const subscribers = 50
	var all []*subscriber
	var waiting sync.WaitGroup
	for range subscribers {
		s := b.now(t, h, "Sag")
		all = append(all, s)
		waiting.Go(func() {
			if _, err := s.page(t.Context(), 10, time.Hour); err != nil {
				t.Error(err)
			}
		})
	}
	publish(t, p, update("Sag", 1, 1))
	waiting.Wait()
	for _, s := range all {
		if !slices.Equal(s.seen, []string{"Sag:1:1 update"}) {
			t.Errorf("subscriber has %v, want Sag:1:1", s.seen)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := all[0].page(ctx, 10, time.Hour); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("page of a subscriber that left = %v, want that of its context", err)
	}
}

// Who is behind what is in memory reads from Kafka, and goes on in memory.
func TestSubscribersBehindMemoryMissNothing(t *testing.T) {
	t.Parallel()
	b := benchFor(t)
	p := b.publisher(t)
	publish(t, p, changes("Sag", 1, 500)...)
	h, stop := b.startHub(t, 20*(changeMemory+60), "Sag")
	t.Cleanup(stop)
	slow := b.start(t, h, "Sag")
	slow.until(t, 100, 7)
	publish(t, p, changes("Sag", 501, 900)...)
	slow.until(t, 900, 30)
	slices.Sort(slow.seen)
	if n := len(slices.Compact(slow.seen)); n != 900 {
		t.Errorf("subscriber has %d changes, want each of 900 once", n)
	}
	h.mu.RLock()
	defer h.mu.RUnlock()
	held := 0
	for _, p := range h.topics["Sag"].parts {
		for _, c := range p.held {
			held += c.size()
		}
	}
	if held != h.bytes || held > h.room || held == 0 || len(h.queue) > 20 {
		t.Errorf("hub holds %d bytes of %d changes, counts %d, want at most %d", held, len(h.queue), h.bytes, h.room)
	}
}

// tombstone is a tombstone alone, as compaction leaves it.
func (b *bench) tombstone(id, seq int64) *kgo.Record {
	return &kgo.Record{
		Topic: b.cfg.Topic("Sag"), Key: fmt.Appendf(nil, "Sag:%d", id), Headers: []kgo.RecordHeader{{Key: headerID, Value: fmt.Appendf(nil, "Sag:%d:%d", id, seq)}},
	}
}

func TestADeleteComesOnceWithOrWithoutItsTombstone(t *testing.T) {
	t.Parallel()
	b := benchFor(t)
	b.single(t)
	b.ensure(t, "Stemme")
	h := b.hub(t, "Sag", "Stemme")
	s := b.start(t, h, "Sag", "Stemme")
	p := b.publisher(t)
	alone := b.tombstone(1, 5)
	if err := b.cl.ProduceSync(t.Context(), alone).FirstErr(); err != nil {
		t.Fatal(err)
	}
	s.until(t, 1, 1)
	publish(t, p, remove("Sag", 1, 7), update("Sag", 1, 8), remove("Sag", 1, 9))
	s.until(t, 4, 1) // a page may end between a delete and its tombstone
	publish(t, p, update("Stemme", 1, 1))
	s.until(t, 5, 1)
	want := []string{"Sag:1:5 delete", "Sag:1:7 delete", "Sag:1:8 update", "Sag:1:9 delete", "Stemme:1:1 update"}
	if diff := cmp.Diff(want, s.seen); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	if len(s.at.deleted) > 0 {
		t.Errorf("cursor behind all tombstones waits for %d", len(s.at.deleted))
	}
}

func TestRecordsThatAreNoChangesAreSkipped(t *testing.T) {
	t.Parallel()
	b := benchFor(t)
	b.ensure(t, "Stemme")
	forged := update("Sag", 1, time.Now().Add(2*schema.MaxAhead).UnixMicro())
	foreign := update("Stemme", 1, 1)
	topic := b.cfg.Topic("Sag")
	bad := []*kgo.Record{
		{Topic: topic, Key: []byte("Sag:1"), Value: []byte("{")},
		{Topic: topic, Key: []byte("Sag:1"), Value: forged.AppendJSON(nil)},
		{Topic: topic, Key: []byte("Stemme:1"), Value: foreign.AppendJSON(nil)},
	}
	h := b.hub(t, "Sag")
	first, second := b.start(t, h, "Sag"), b.start(t, h, "Sag")
	if err := b.cl.ProduceSync(t.Context(), bad...).FirstErr(); err != nil {
		t.Fatal(err)
	}
	publish(t, b.publisher(t), update("Sag", 2, 2))
	for _, s := range []*subscriber{first, second} {
		if s.until(t, 1, 10); !slices.Equal(s.seen, []string{"Sag:2:2 update"}) {
			t.Errorf("changes = %v, want the one that is none of the bad records", s.seen)
		}
	}
}

// tooOld reads a page that must be refused, and goes on from where the error says.
func (s *subscriber) tooOld(t *testing.T, why string) {
	t.Helper()
	_, err := s.page(machine.Context(t, "a page that is refused"), 10, time.Hour)
	old, ok := errors.AsType[*TooOldError](err)
	if !ok {
		t.Fatalf("page of a subscriber whose topic %s = %v, want TooOldError", why, err)
	}
	s.at = old.Now
}

func TestASubscriberOfARecreatedTopicIsToldOnce(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *bench) {
		b.ensure(t, "Sag", "Stemme")
		publish(t, b.publisher(t), update("Sag", 1, 1))
		h := b.hub(t, "Sag", "Stemme")
		s, idle := b.start(t, h, "Sag"), b.start(t, h, "Stemme")
		s.until(t, 1, 10)
		refused := make(chan error, 1)
		waits := *s
		go func() {
			_, err := waits.page(t.Context(), 10, time.Hour)
			refused <- err
		}()
		b.recreate(t, "Sag")
		if err := machine.Recv(t, "the end of the page of who waits", refused); !isTooOld(err) {
			t.Errorf("page of who waited while the topic was recreated = %v, want TooOldError", err)
		}
		s.tooOld(t, "was recreated")
		p := b.publisher(t)
		publish(t, p, update("Sag", 1, 2))
		publish(t, p, update("Stemme", 1, 3))
		s.until(t, 2, 10)
		idle.until(t, 1, 10)
		if !slices.Equal(s.seen, []string{"Sag:1:1 update", "Sag:1:2 update"}) || !slices.Equal(idle.seen, []string{"Stemme:1:3 update"}) {
			t.Errorf("changes = %v, and of the other topic %v", s.seen, idle.seen)
		}
	})
}

func isTooOld(err error) bool {
	_, ok := errors.AsType[*TooOldError](err)
	return ok
}

// Until the hub has what the topics hold, a page says that there is more, and its cursor is
// as old as before: whoever reads until there is no more has everything.
func TestAPageSaysThatThereIsMoreThanTheHubHas(t *testing.T) {
	t.Parallel()
	b := onFake(t)
	b.ensure(t, "Sag")
	publish(t, b.publisher(t), changes("Sag", 1, 3)...)
	release := make(chan struct{})
	b.fake.ControlKey(int16(kmsg.Fetch), func(kmsg.Request) (kmsg.Response, error, bool) {
		b.fake.KeepControl()
		b.fake.SleepControl(func() { <-release })
		return nil, nil, false
	})
	s := b.start(t, b.hub(t, "Sag"), "Sag")
	away := time.Now().Add(-time.Hour).Truncate(time.Second)
	s.at.since = away
	page, err := s.page(t.Context(), 10, 0)
	if err != nil || len(page.Changes) > 0 || !page.More || !page.Next.since.Equal(away) {
		t.Errorf("page before the hub has anything = %d changes, more %t, cursor of %v, %v, want more and a cursor of %v", len(page.Changes), page.More, page.Next.since, err, away)
	}
	close(release)
	for more := true; more; more = page.More {
		if page, err = s.page(machine.Context(t, "the changes"), 10, 0); err != nil {
			t.Fatal(err)
		}
	}
	if len(s.seen) != 3 || page.Next.since.Equal(away) {
		t.Errorf("read until there is no more: %v, cursor of %v, want three changes and a cursor of now", s.seen, page.Next.since)
	}
}

// The end of a topic may hold no record. A reader reaches it all the same.
func TestAnEndWithoutRecordsIsReached(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *bench) {
		b.ensure(t, "Sag")
		publish(t, b.publisher(t), changes("Sag", 1, 3)...)
		b.marker(t, "Sag")
		s := b.start(t, b.hub(t, "Sag"), "Sag")
		page := Page{More: true}
		for n := 0; page.More && n < 60; n++ { // each takes a second if nothing comes
			var err error
			if page, err = s.page(t.Context(), 10, 0); err != nil {
				t.Fatal(err)
			}
		}
		if page.More || len(s.seen) != 3 {
			t.Errorf("changes = %v, and more %t, want three and no more", s.seen, page.More)
		}
	})
}

// marker ends the topic of an entity with the marker of a transaction, which is no
// record of a consumer.
func (b *bench) marker(t *testing.T, entity string) {
	t.Helper()
	cl, err := NewClient(b.cfg, b.log.logger(), kgo.TransactionalID(b.cfg.TopicPrefix), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	if err := cl.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	bad := &kgo.Record{Topic: b.cfg.Topic(entity), Key: []byte("no key"), Value: []byte("no change")}
	if err := cl.ProduceSync(t.Context(), bad).FirstErr(); err != nil {
		t.Fatal(err)
	}
	if err := cl.EndTransaction(t.Context(), kgo.TryCommit); err != nil {
		t.Fatal(err)
	}
}

// A topic that did not exist is read from its start.
func TestASubscriberWaitsForATopicToBeMade(t *testing.T) {
	t.Parallel()
	b := benchFor(t)
	h := b.hub(t, "Sag", "Stemme")
	s := b.now(t, h, "Stemme", "Sag")
	if page, err := s.page(t.Context(), 10, 0); err != nil || len(page.Changes) > 0 {
		t.Fatalf("page without the topic = %v, %v, want an empty one", page, err)
	}
	b.ensure(t, "Stemme")
	publish(t, b.publisher(t), update("Stemme", 1, 1))
	s.until(t, 1, 10)
	if _, err := h.Now([]string{"Møde"}); !errors.Is(err, ErrNoTopic) {
		t.Errorf("Now of an entity that is not followed = %v, want ErrNoTopic", err)
	}
}

func TestASubscriberOfACutTopicIsTold(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *bench) {
		b.single(t)
		config := map[string]*string{configCleanup: new("compact,delete")} // Kafka cuts nothing off a topic that is only compacted
		if _, err := b.topics.adm.CreateTopic(t.Context(), 1, 1, config, b.cfg.Topic("Sag")); err != nil {
			t.Fatal(err)
		}
		b.ensure(t, "Sag")
		publish(t, b.publisher(t), changes("Sag", 1, 300)...)
		h := b.hub(t, "Sag")
		s, start := b.start(t, h, "Sag"), b.start(t, h, "Sag")
		s.until(t, 10, 10)
		cutOff := kadm.Offsets{}
		cutOff.Add(kadm.Offset{Topic: b.cfg.Topic("Sag"), Partition: 0, At: 150})
		cut, err := b.topics.adm.DeleteRecords(t.Context(), cutOff)
		if err == nil {
			err = cut.Error()
		}
		if err != nil {
			t.Fatal(err)
		}
		s.tooOld(t, "was cut off")
		start.tooOld(t, "was cut off")
		again := b.start(t, h, "Sag")
		again.until(t, 150, 100)
	})
}

func TestAPlaceBeyondTheEndIsTooOld(t *testing.T) {
	t.Parallel()
	b := benchFor(t)
	h := b.hub(t, "Sag")
	s := b.now(t, h, "Sag")
	s.at.places[0].next[1] = 1 << 40
	s.tooOld(t, "ends before the place")
	publish(t, b.publisher(t), update("Sag", 1, 1))
	s.until(t, 1, 10)
}

// Compaction removes deletes after a time. Who was away for longer may have missed one.
func TestAReaderThatWasAwayForLongIsTold(t *testing.T) {
	t.Parallel()
	b := benchFor(t)
	h := b.hub(t, "Sag")
	s := b.now(t, h, "Sag")
	month := time.Duration(retentionMillis) * time.Millisecond
	s.at.since = time.Now().Add(-month - time.Hour)
	away := *s
	if page, err := s.page(t.Context(), 10, 0); err != nil {
		t.Errorf("page of a reader that was away while nothing came = %v, %v", page, err)
	}
	publish(t, b.publisher(t), update("Sag", 1, 1))
	s.until(t, 1, 10)
	away.tooOld(t, "lost deletes")
	// Reading from the start for long is being away, too: the end was not reached.
	slow := b.start(t, h, "Sag")
	slow.at.since = time.Now().Add(-month - time.Hour)
	slow.tooOld(t, "lost deletes")
}

// proxied is a listener that a server advertises at the address of a proxy.
type proxied struct {
	net.Listener
	proxy *faultproxy.Proxy
}

func (l proxied) Addr() net.Addr {
	addr, err := net.ResolveTCPAddr("tcp", l.proxy.Addr())
	if err != nil {
		return l.Listener.Addr()
	}
	return addr
}

// behindProxy is a bench whose connections all go through a proxy.
func behindProxy(t *testing.T) (*bench, *faultproxy.Proxy) {
	t.Helper()
	var proxy *faultproxy.Proxy
	b := onFake(t, kfake.ListenFn(func(network, address string) (net.Listener, error) {
		ln, err := new(net.ListenConfig).Listen(t.Context(), network, address)
		if err != nil {
			return nil, err
		}
		proxy = faultproxy.New(t, ln.Addr().String())
		return proxied{ln, proxy}, nil
	}))
	return b, proxy
}

func TestWithoutKafkaThereIsAnErrorAndThenTheRest(t *testing.T) {
	t.Parallel()
	b, proxy := behindProxy(t)
	b.ensure(t, "Sag")
	p := b.publisher(t)
	h := b.hub(t, "Sag")
	s := b.start(t, h, "Sag")
	publish(t, p, update("Sag", 1, 1))
	s.until(t, 1, 10)
	proxy.Down()
	if _, err := s.page(machine.Context(t, "an error without Kafka"), 10, time.Hour); !errors.Is(err, ErrUnreachable) {
		t.Errorf("page while Kafka does not answer = %v, want ErrUnreachable", err)
	}
	if err := proxy.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	publish(t, p, update("Sag", 1, 2))
	machine.Until(t, "the hub to reach Kafka again", func() bool { return h.Err() == nil })
	s.until(t, 2, 10)
	if !slices.Equal(s.seen, []string{"Sag:1:1 update", "Sag:1:2 update"}) {
		t.Errorf("changes = %v, want both", s.seen)
	}
}

func TestBeforeKafkaIsReachedThereIsAnError(t *testing.T) {
	t.Parallel()
	h, err := NewHub(Config{Brokers: []string{"127.0.0.1:1"}}, []string{"Sag"}, new(logBuffer).logger(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	if _, err := h.Now([]string{"Sag"}); !errors.Is(err, ErrUnreachable) {
		t.Errorf("Now before Kafka was reached = %v, want ErrUnreachable", err)
	}
	if _, err := h.Changes(t.Context(), []string{"Sag"}, Cursor{}, 1, time.Hour); !errors.Is(err, ErrUnreachable) {
		t.Errorf("Changes before Kafka was reached = %v, want ErrUnreachable", err)
	}
}
