package stream

import (
	"cmp"
	"slices"
	"time"

	"odastream/schema"
)

// hubReader is a reader while it reads one page.
type hubReader struct {
	topics  []hubReaderTopic // by growing tag
	parts   []*hubReaderPart // of all topics
	since   time.Time
	deleted []uint64

	changes []schema.Change
	bytes   int
}

type hubReaderTopic struct {
	*hubTopic
	parts []*hubReaderPart
}

// hubReaderPart is a reader's place in a partition.
type hubReaderPart struct {
	*hubPartition
	at   int64        // the next offset to read
	upto int64        // up to here it is read from Kafka
	rest []heldChange // what is in memory from at on; only within take
}

// reader makes a reader of the topics. The caller holds mu.
func (h *Hub) reader(entities []string) (*hubReader, error) {
	if h.topics == nil {
		return nil, h.err()
	}
	r := &hubReader{since: time.Now()}
	for _, name := range entities {
		t, err := h.topic(name)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(r.topics, func(other hubReaderTopic) bool { return other.hubTopic == t }) {
			continue
		}
		parts := make([]*hubReaderPart, len(t.parts))
		for i, p := range t.parts {
			parts[i] = &hubReaderPart{hubPartition: p}
		}
		r.topics = append(r.topics, hubReaderTopic{t, parts})
		r.parts = append(r.parts, parts...)
	}
	slices.SortFunc(r.topics, func(a, b hubReaderTopic) int { return cmp.Compare(a.tag, b.tag) })
	return r, nil
}

// cursor is the place of r.
func (r *hubReader) cursor() Cursor {
	c := Cursor{since: r.since.Truncate(time.Second), deleted: r.deleted}
	for _, t := range r.topics {
		at := place{tag: t.tag}
		for _, p := range t.parts {
			at.next = append(at.next, p.at)
		}
		c.places = append(c.places, at)
	}
	return c
}

// replaced reports whether one of the topics is no longer followed. The caller holds mu.
func (r *hubReader) replaced() bool {
	return slices.ContainsFunc(r.topics, func(t hubReaderTopic) bool { return t.replaced })
}

// behind reports whether r has yet to read from Kafka.
func (r *hubReader) behind() bool {
	return slices.ContainsFunc(r.parts, func(p *hubReaderPart) bool { return p.at < p.upto })
}

// unfetched reports whether the topics hold more than the hub has. The caller holds mu.
func (r *hubReader) unfetched() bool {
	return slices.ContainsFunc(r.parts, func(p *hubReaderPart) bool { return p.at < p.end })
}

// full reports whether the page of r has enough.
func (r *hubReader) full(limit int) bool { return len(r.changes) >= limit || r.bytes >= hubPage }

// take takes what is in memory for r, in the order in which it arrived, and reports
// whether there is more. The caller holds mu.
func (r *hubReader) take(limit int) (more bool) {
	some := r.held()
	for len(some) > 0 {
		if r.full(limit) {
			return true
		}
		first := slices.MinFunc(some, func(a, b *hubReaderPart) int { return cmp.Compare(a.rest[0].arrived, b.rest[0].arrived) })
		r.add(first.rest[0])
		first.at, first.rest = first.rest[0].next, first.rest[1:]
		if len(first.rest) == 0 {
			some = slices.DeleteFunc(some, func(p *hubReaderPart) bool { return p == first })
		}
	}
	for _, p := range r.parts {
		if p.at >= p.from {
			p.at = max(p.at, p.next)
		}
	}
	return r.behind()
}

// held returns the places with changes in memory.
func (r *hubReader) held() (some []*hubReaderPart) {
	for _, p := range r.parts {
		if p.upto = p.from; p.at < p.from {
			continue
		}
		if p.rest = p.after(p.at); len(p.rest) > 0 {
			some = append(some, p)
		}
	}
	return some
}

// add gives a change to r, unless it is the tombstone of a delete that r has. Compaction
// removes a delete before its tombstone, which then stands for it.
func (r *hubReader) add(c heldChange) {
	if c.Change.Action == schema.Delete || len(r.deleted) > 0 {
		key := keyHash(c.Change)
		known := slices.Contains(r.deleted, key)
		r.deleted = slices.DeleteFunc(slices.Clone(r.deleted), func(d uint64) bool { return d == key })
		switch {
		case c.Tombstone && known:
			return
		case c.Change.Action == schema.Delete && !c.Tombstone:
			r.deleted = append(r.deleted, key)
			r.deleted = r.deleted[max(0, len(r.deleted)-maxDeleted):]
		}
	}
	r.changes = append(r.changes, c.Change)
	r.bytes += c.size()
}
