package stream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"odastream/schema"
)

const (
	hubPoll    = time.Second     // the longest wait for records
	watchEvery = 2 * time.Second // how often the topics are looked at
	watchFor   = 5 * time.Second // how long an answer may take
)

// errTopicsChanged ends a session: topics were made, deleted, recreated or given more
// partitions.
var errTopicsChanged = errors.New("topics have changed")

// Run reads the topics until ctx ends, and returns nil then. It waits for brokers that
// are down, and for topics that do not exist yet. Who waits for changes when it ends gets
// an error that wraps ErrClosed.
func (h *Hub) Run(ctx context.Context) error {
	defer h.end()
	for try := 0; ctx.Err() == nil; {
		err := h.session(ctx)
		switch {
		case ctx.Err() != nil:
		case errors.Is(err, errTopicsChanged):
			try = 0
			_ = backoff(ctx, 0) // longer than metadataMinAge, for which an old answer may come
		default:
			h.setTrouble(err)
			_ = backoff(ctx, try)
			try++
		}
	}
	return nil
}

// end wakes whoever waits.
func (h *Hub) end() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.trouble = ErrClosed
	h.tell()
}

// session follows the topics as they are now.
func (h *Hub) session(ctx context.Context) error {
	topics, err := h.look(ctx)
	if err != nil {
		return err
	}
	h.follow(topics)
	cl, err := h.open(topics)
	if err != nil {
		return err
	}
	defer cl.Close()
	h.setTrouble(nil)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return h.watch(ctx, topics) })
	g.Go(func() error { return h.tail(ctx, cl, topics) })
	return g.Wait()
}

// open makes the client that fetches from where each partition is held up to.
func (h *Hub) open(topics []*hubTopic) (*kgo.Client, error) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	offsets := map[string]map[int32]kgo.Offset{}
	for _, t := range topics {
		for _, p := range t.parts {
			if offsets[t.name] == nil {
				offsets[t.name] = map[int32]kgo.Offset{}
			}
			offsets[t.name][p.number] = kgo.NewOffset().At(p.next)
		}
	}
	cc := ConsumerConfig{}
	return NewClient(h.cfg, h.log, append(cc.fetchOptions(), kgo.ConsumePartitions(offsets))...)
}

// tail keeps what arrives.
func (h *Hub) tail(ctx context.Context, cl *kgo.Client, topics []*hubTopic) error {
	byName := map[string]*hubTopic{}
	for _, t := range topics {
		byName[t.name] = t
	}
	for {
		timed, cancel := context.WithTimeout(ctx, hubPoll)
		fetches := cl.PollRecords(timed, hubPollSize)
		cancel()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		PassLargeBatches(cl, fetches)
		if !h.receive(byName, fetches) {
			return errTopicsChanged
		}
		gone, failed := h.note(byName, fetches)
		switch {
		case gone:
			return errTopicsChanged
		case failed:
			_ = backoff(ctx, 1) // a partition that fails at once would make this a busy loop
		}
	}
}

// note logs why partitions yield no records, each reason once. It reports whether a topic
// is gone, and whether anything else failed.
func (h *Hub) note(topics map[string]*hubTopic, fetches kgo.Fetches) (gone, failed bool) {
	fetches.EachError(func(topic string, part int32, err error) {
		switch {
		case topic == "": // of the call, not of a partition
		case errors.Is(err, kerr.UnknownTopicID) || errors.Is(err, kerr.UnknownTopicOrPartition):
			gone = true
		default:
			failed = true
			if p := topics[topic].parts[part]; p.trouble != err.Error() {
				p.trouble = err.Error()
				h.log.Warn("no records from partition", "topic", topic, "partition", part, "err", err)
			}
		}
	})
	return gone, failed
}

// watch looks at the topics every few seconds, or when a reader has asked for it: a fetch
// that waits for records does not notice that the brokers are down.
func (h *Hub) watch(ctx context.Context, topics []*hubTopic) error {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	before := map[*hubPartition]int64{}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		case <-h.stale:
		}
		timed, cancel := context.WithTimeout(ctx, watchFor)
		seen, err := h.ask.adm.ListTopics(timed, hubNames(topics)...)
		cancel()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if h.setTrouble(err); err != nil {
			continue
		}
		if slices.ContainsFunc(topics, func(t *hubTopic) bool { return t.differs(seen[t.name]) }) {
			return errTopicsChanged
		}
		h.setLeaders(topics, seen)
		h.passEmptyEnds(ctx, topics, before)
	}
}

// passEmptyEnds moves on in partitions that hold no record up to their ends: compaction or
// a transaction leaves such ends, and the client does not report them. before is how far
// each was at the last look: one that has moved since needs no help.
func (h *Hub) passEmptyEnds(ctx context.Context, topics []*hubTopic, before map[*hubPartition]int64) {
	ctx, cancel := context.WithTimeout(ctx, watchFor)
	defer cancel()
	for _, t := range topics {
		for _, p := range t.parts {
			h.mu.RLock()
			at, log := p.next, logReader{cl: h.ask.cl, topic: t.name, id: t.id, partition: p.number, leader: p.leader, end: p.end}
			h.mu.RUnlock()
			last, looked := before[p]
			before[p] = at
			if at >= log.end || !looked || last != at {
				continue
			}
			next, err := log.read(ctx, at, func([]*kgo.Record) error { return errRecords })
			if err == nil {
				h.pass(p, at, next)
			}
		}
	}
}

// pass moves from an offset of a partition to the next one that may have a record.
func (h *Hub) pass(p *hubPartition, at, next int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if p.next == at {
		p.next = next
		h.tell()
	}
}

// differs reports whether the topic is no longer as t has it.
func (t *hubTopic) differs(now kadm.TopicDetail) bool {
	if errors.Is(now.Err, kerr.UnknownTopicOrPartition) {
		return len(t.parts) > 0
	}
	return now.Err == nil && (now.ID != t.id || len(now.Partitions) != len(t.parts))
}

func (h *Hub) setLeaders(topics []*hubTopic, seen kadm.TopicDetails) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, t := range topics {
		for _, p := range t.parts {
			if now, ok := seen[t.name].Partitions[p.number]; ok && now.Leader >= 0 {
				p.leader = now.Leader
			}
		}
	}
}

func hubNames(topics []*hubTopic) (names []string) {
	for _, t := range topics {
		names = append(names, t.name)
	}
	return names
}

// look asks for the topics as they are.
func (h *Hub) look(ctx context.Context) ([]*hubTopic, error) {
	ctx, cancel := context.WithTimeout(ctx, visibleWithin)
	defer cancel()
	var topics []*hubTopic
	var have []string
	for _, name := range h.entities {
		topics = append(topics, &hubTopic{entity: name, name: h.cfg.Topic(name)})
	}
	seen, err := h.ask.adm.ListTopics(ctx, hubNames(topics)...)
	if err != nil {
		return nil, fmt.Errorf("look up topics: %w", err)
	}
	for _, t := range topics {
		d := seen[t.name]
		exists := !errors.Is(d.Err, kerr.UnknownTopicOrPartition)
		if exists {
			if !usable(d) {
				return nil, errors.Join(fmt.Errorf("look up topic %s: not each partition has a leader", t.name), d.Err)
			}
			have = append(have, t.name)
		}
		if exists { // the id of a deleted topic may still be known
			t.id = d.ID
		}
		t.tag = topicTag(t.name, t.id, exists)
		for p := range d.Partitions {
			t.parts = append(t.parts, &hubPartition{topic: t, number: p, leader: d.Partitions[p].Leader})
		}
		slices.SortFunc(t.parts, func(a, b *hubPartition) int { return int(a.number - b.number) })
	}
	return topics, h.measure(ctx, topics, have)
}

// measure reads where the topics that exist start and end, and how long they keep
// tombstones.
func (h *Hub) measure(ctx context.Context, topics []*hubTopic, have []string) error {
	if len(have) == 0 {
		return nil // an empty list would mean all topics
	}
	settings, err := h.ask.settings(ctx, have)
	if err != nil {
		return err
	}
	starts, ends, err := (&starts{adm: h.ask.adm}).bounds(ctx, have)
	if err != nil {
		return err
	}
	for _, t := range topics {
		t.keeps = settings[t.name].keeps()
		for _, p := range t.parts {
			if p.start, p.end, err = bound(starts, ends, schema.TopicPartition{Topic: t.name, Partition: p.number}); err != nil {
				return err
			}
			p.forget(max(p.start, p.end-hubBacklog))
		}
	}
	return nil
}

// follow puts the topics in the place of those that were followed. One that is the same
// still keeps what it holds.
func (h *Hub) follow(topics []*hubTopic) {
	h.mu.Lock()
	defer h.mu.Unlock()
	next := make(map[string]*hubTopic, len(topics))
	for i, t := range topics {
		if old := h.topics[t.entity]; old != nil {
			if !old.replaced && old.continues(t) {
				topics[i] = old
			} else {
				old.replaced = true
				for _, p := range old.parts {
					h.drop(p, p.next)
				}
			}
		}
		next[topics[i].entity] = topics[i]
	}
	h.topics = next
	h.tell()
}

// continues reports whether now is the same topic and still has what t would read next.
// It then takes over what is new.
func (t *hubTopic) continues(now *hubTopic) bool {
	if now.tag != t.tag || len(now.parts) != len(t.parts) {
		return false
	}
	for i, p := range now.parts {
		if t.parts[i].next < p.start || t.parts[i].next > p.end {
			return false
		}
	}
	for i, p := range now.parts {
		t.parts[i].leader, t.parts[i].end, t.parts[i].start = p.leader, p.end, p.start
	}
	t.keeps = now.keeps
	return true
}
