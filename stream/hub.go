package stream

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"odastream/schema"
)

// ErrUnreachable is wrapped by the errors of a Hub while Kafka does not answer, and before
// the hub has read the topics for the first time. It ends by itself.
var ErrUnreachable = errors.New("changes cannot be read from Kafka")

// Limits of a Hub.
const (
	hubBytes    = 32 << 20 // of the changes in memory
	hubPage     = 8 << 20  // bytes of changes after which a page ends
	hubBacklog  = 100      // offsets of each partition that are read when it is first followed
	hubReaders  = 4        // readers at once of what is no longer in memory
	hubPollSize = 1000     // records of one poll
)

// Hub reads the topics of entities once, for any number of readers that follow the
// changes. It keeps the newest changes in memory. Who is further behind reads from Kafka,
// few at a time. A reader is a Cursor and nothing else: one that does not read costs
// nothing. Hub joins no group and commits no offset.
//
// Its methods are safe for concurrent use. Nobody may modify the changes that it returns:
// readers share them.
type Hub struct {
	cfg      Config
	entities []string
	log      *slog.Logger
	metrics  *hubMetrics
	ask      *Topics       // with a client apart: a request would wait behind the fetches
	places   chan struct{} // of readers from Kafka
	stale    chan struct{} // asks watch to look at the topics now

	room int // bytes of the changes in memory

	mu      sync.RWMutex
	topics  map[string]*hubTopic // by entity; nil: not read yet
	queue   []*hubPartition      // of each held change its partition, oldest first
	bytes   int
	arrived uint64
	news    chan struct{} // closed when something arrives or changes
	trouble error         // why Kafka does not answer
}

type hubMetrics struct {
	skipped *prometheus.CounterVec
	behind  prometheus.Counter
}

// NewHub makes a hub of the topics of entities; Run runs it, and Close closes it. Topics
// need not exist yet. reg may be nil.
func NewHub(cfg Config, entities []string, log *slog.Logger, reg prometheus.Registerer) (*Hub, error) {
	if len(entities) == 0 {
		return nil, errors.New("read changes: no entity is named")
	}
	cl, err := NewClient(cfg, log)
	if err != nil {
		return nil, err
	}
	m := &hubMetrics{
		skipped: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "odastream_changes_skipped_total",
			Help: "Records of the topics that are no changes and were given to no reader, by class.",
		}, []string{"class"}),
		behind: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "odastream_changes_behind_total",
			Help: "Reads from Kafka for readers that were behind what is in memory.",
		}),
	}
	for _, class := range []Class{ClassDecode, ClassSchema, ClassTooLarge} {
		m.skipped.WithLabelValues(string(class))
	}
	if reg != nil {
		reg.MustRegister(m.skipped, m.behind)
	}
	return &Hub{
		room: hubBytes, cfg: cfg, entities: entities, log: log, metrics: m, ask: NewTopics(cl, cfg, log),
		places: make(chan struct{}, hubReaders), stale: make(chan struct{}, 1), news: make(chan struct{}),
	}, nil
}

// Close ends the connections that readers use. Call it after Run has returned.
func (h *Hub) Close() { h.ask.cl.Close() }

// Err returns nil if Kafka answers, and otherwise why not: an error that wraps
// ErrUnreachable.
func (h *Hub) Err() error {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.err()
}

func (h *Hub) err() error {
	switch {
	case h.trouble != nil:
		return fmt.Errorf("%w: %w", ErrUnreachable, h.trouble)
	case h.topics == nil:
		return fmt.Errorf("%w: the topics were not read yet", ErrUnreachable)
	}
	return nil
}

func (h *Hub) setTrouble(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if (err == nil) == (h.trouble == nil) {
		h.trouble = err
		return
	}
	if h.trouble = err; err != nil {
		h.log.Warn("topics cannot be read, retrying", "err", err)
	}
	h.tell()
}

// tell wakes whoever waits. The caller holds mu.
func (h *Hub) tell() {
	close(h.news)
	h.news = make(chan struct{})
}

// receive decodes the records of a fetch and keeps their changes. It returns false if a
// topic is not as it was: it was recreated or truncated.
func (h *Hub) receive(topics map[string]*hubTopic, fetches kgo.Fetches) bool {
	same := true
	fetches.EachTopic(func(ft kgo.FetchTopic) {
		t := topics[ft.Topic]
		if t == nil {
			return // an error of the call
		}
		if ft.TopicID != t.id && ft.TopicID != [16]byte{} {
			same = false
			return
		}
		for _, part := range ft.Partitions {
			if len(part.Records) > 0 && !h.keep(t.parts[part.Partition], part, h.decode(part.Records)) {
				same = false
			}
		}
	})
	return same
}

// decode returns the changes of records. It counts the others.
func (h *Hub) decode(records []*kgo.Record) []heldChange {
	changes := make([]heldChange, 0, len(records))
	for _, rec := range records {
		m, err := h.cfg.Decode(rec)
		if err != nil {
			class := ClassDecode
			if bad, ok := errors.AsType[*DecodeError](err); ok {
				class = bad.Class
			}
			h.metrics.skipped.WithLabelValues(string(class)).Inc()
			continue
		}
		changes = append(changes, heldChange{Message: m, offset: rec.Offset, next: rec.Offset + 1})
	}
	return changes
}

// keep returns false for a partition that was truncated.
func (h *Hub) keep(p *hubPartition, part kgo.FetchPartition, changes []heldChange) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	first, last := part.Records[0], part.Records[len(part.Records)-1]
	if first.Offset < p.next && largeBatchOf(first) == nil {
		h.log.Error("topic was truncated", "topic", p.topic.name, "partition", p.number, "offset", p.next, "resumed_at", first.Offset)
		p.topic.replaced = true // readers behind the end are told
		return false
	}
	p.trouble = ""
	if part.LogStartOffset > p.next {
		h.drop(p, part.LogStartOffset)
	}
	for _, c := range changes {
		h.arrived++
		c.arrived = h.arrived
		p.held = append(p.held, c)
		h.queue = append(h.queue, p)
		h.bytes += c.size()
	}
	p.next = offsetAfter(last)
	p.end = max(p.next, part.HighWatermark)
	h.evict()
	h.tell()
	return true
}

// drop forgets what is held of p. Readers before next read from Kafka, which tells them
// if it is gone.
func (h *Hub) drop(p *hubPartition, next int64) {
	for _, c := range p.forget(next) {
		h.bytes -= c.size()
	}
	kept := h.queue[:0:0]
	for _, q := range h.queue {
		if q != p {
			kept = append(kept, q)
		}
	}
	h.queue = kept
}

// evict drops the oldest changes until the rest fits.
func (h *Hub) evict() {
	for h.bytes > h.room {
		p := h.queue[0]
		oldest := p.held[0]
		h.queue[0], p.held[0] = nil, heldChange{}
		h.queue, p.held = h.queue[1:], p.held[1:]
		p.from = oldest.next
		h.bytes -= oldest.size()
	}
}

// topic returns the topic of an entity. The caller holds mu.
func (h *Hub) topic(entity string) (*hubTopic, error) {
	if e, err := schema.Lookup(entity); err == nil {
		entity = e.Name
	}
	if t := h.topics[entity]; t != nil {
		return t, nil
	}
	return nil, fmt.Errorf("read changes of %q: %w", cut(entity, 64), ErrNoTopic)
}
