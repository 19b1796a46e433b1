package stream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// errReadAgain is wrapped by errors that a look at the topics may mend.
var errReadAgain = errors.New("read again")

// errFull ends a read of a partition.
var errFull = errors.New("page is full")

// readFor bounds how long a read from Kafka may take: others wait for its place.
const readFor = 10 * time.Second

// resolve returns a reader at the place of a cursor. It checks that no change after the
// cursor is missing.
func (h *Hub) resolve(ctx context.Context, entities []string, after Cursor) (*hubReader, error) {
	h.mu.RLock()
	r, err := h.reader(entities)
	if err != nil {
		h.mu.RUnlock()
		return nil, err
	}
	r.since, r.deleted = after.since, after.deleted
	topic, why := r.seek(after)
	beyond := r.beyond()
	h.mu.RUnlock()
	if why == "" && len(beyond) > 0 {
		if topic, why, err = h.checkEnds(ctx, beyond); err != nil {
			return nil, err
		}
	}
	if why == "" {
		return r, nil
	}
	now, err := h.Now(entities)
	if err != nil {
		return nil, err
	}
	return nil, &TooOldError{Topic: topic, Why: why, Now: now}
}

// seek puts r to the place of a cursor, or says why it cannot. The caller holds mu.
func (r *hubReader) seek(after Cursor) (topic, why string) {
	for _, t := range r.topics {
		next, ok := after.at(t.tag)
		if !ok {
			if next, ok = after.at(topicTag(t.name, [16]byte{}, false)); !ok {
				return t.name, "it was recreated, or the cursor is of other topics"
			}
		}
		if len(next) > len(t.parts) {
			return t.name, "it has fewer partitions than the cursor"
		}
		unread := false
		for _, p := range t.parts {
			p.at = p.start // of a partition that is new, everything is
			if int(p.number) < len(next) {
				p.at = next[p.number]
			}
			p.upto = p.from
			unread = unread || p.at < p.next
		}
		if unread && time.Since(after.since) > t.keeps {
			return t.name, fmt.Sprintf("deletes are kept for %s, and the reader was away for %s", t.keeps, time.Since(after.since).Round(time.Second))
		}
	}
	return "", ""
}

// beyond returns the places behind the ends that were seen. The caller holds mu.
func (r *hubReader) beyond() (parts []*hubReaderPart) {
	for _, p := range r.parts {
		if p.at > max(p.next, p.end) {
			parts = append(parts, p)
		}
	}
	return parts
}

// checkEnds asks for the ends of partitions that end before the places of a reader.
func (h *Hub) checkEnds(ctx context.Context, parts []*hubReaderPart) (topic, why string, err error) {
	done, err := h.place(ctx)
	if err != nil {
		return "", "", err
	}
	defer done()
	var names []string
	for _, p := range parts {
		names = append(names, p.topic.name)
	}
	timed, cancel := context.WithTimeout(ctx, watchFor)
	defer cancel()
	ends, err := h.ask.adm.ListEndOffsets(timed, names...)
	if err != nil {
		return "", "", h.unread(ctx, fmt.Errorf("look up end offsets: %w", err))
	}
	return h.setEnds(parts, ends)
}

func (h *Hub) setEnds(parts []*hubReaderPart, ends kadm.ListedOffsets) (topic, why string, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, p := range parts {
		end, ok := ends.Lookup(p.topic.name, p.number)
		if !ok || end.Err != nil {
			return "", "", fmt.Errorf("%w: look up the end of topic %s partition %d: %w", ErrUnreachable, p.topic.name, p.number, end.Err)
		}
		if p.at > end.Offset {
			return p.topic.name, fmt.Sprintf("partition %d ends at offset %d, before the cursor's %d: it has lost records", p.number, end.Offset, p.at), nil
		}
		p.end = max(p.end, end.Offset)
	}
	return "", "", nil
}

// place waits until the reader may read from Kafka. The reader calls done afterwards.
func (h *Hub) place(ctx context.Context) (done func(), err error) {
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case h.places <- struct{}{}:
		return func() { <-h.places }, nil
	}
}

// unread is the error of a read from Kafka: that of ctx, or ErrUnreachable.
func (h *Hub) unread(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return fmt.Errorf("%w: %w", ErrUnreachable, err)
}

// readBehind reads from Kafka what r has not read and what is no longer in memory.
func (h *Hub) readBehind(ctx context.Context, r *hubReader, limit int) error {
	if !r.behind() || r.full(limit) {
		return nil
	}
	done, err := h.place(ctx)
	if err != nil {
		return err
	}
	defer done()
	h.metrics.behind.Inc()
	timed, cancel := context.WithTimeout(ctx, readFor)
	defer cancel()
	for _, p := range r.parts {
		if p.at >= p.upto || r.full(limit) {
			continue
		}
		if err := h.readPart(timed, r, p, limit); err != nil {
			return h.readError(ctx, r, p, err)
		}
	}
	return nil
}

// readPart reads a partition up to where memory begins, or until the page is full.
func (h *Hub) readPart(ctx context.Context, r *hubReader, p *hubReaderPart, limit int) error {
	h.mu.RLock()
	log := logReader{cl: h.ask.cl, topic: p.topic.name, id: p.topic.id, partition: p.number, leader: p.leader, end: p.upto}
	h.mu.RUnlock()
	next, err := log.read(ctx, p.at, func(records []*kgo.Record) error {
		for _, rec := range records {
			if r.full(limit) {
				return errFull
			}
			for _, c := range h.decode([]*kgo.Record{rec}) {
				r.add(c)
			}
			p.at = offsetAfter(rec)
		}
		return nil
	})
	if errors.Is(err, errFull) {
		return nil
	}
	if err == nil {
		p.at = max(p.at, next)
	}
	return err
}

// readError turns the error of a read into one of Changes.
func (h *Hub) readError(ctx context.Context, r *hubReader, p *hubReaderPart, err error) error {
	if !errors.Is(err, kerr.OffsetOutOfRange) {
		_, answered := errors.AsType[*kerr.Error](err)
		err = h.unread(ctx, fmt.Errorf("read topic %s partition %d: %w", p.topic.name, p.number, err))
		if answered { // a leader that has moved, or a topic that was recreated: both are seen soon
			err = fmt.Errorf("%w (%w)", err, errReadAgain)
		}
		return err
	}
	now, err := h.nowOf(r)
	if err != nil {
		return err
	}
	h.moveStart(ctx, p)
	return &TooOldError{Topic: p.topic.name, Why: fmt.Sprintf("partition %d no longer has offset %d", p.number, p.at), Now: now}
}

// moveStart looks up the first offset of a partition that has moved, so that Start is
// right.
func (h *Hub) moveStart(ctx context.Context, p *hubReaderPart) {
	ctx, cancel := context.WithTimeout(ctx, watchFor)
	defer cancel()
	starts, err := h.ask.adm.ListStartOffsets(ctx, p.topic.name)
	if err != nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if start, ok := starts.Lookup(p.topic.name, p.number); ok && start.Err == nil {
		p.start = max(p.start, start.Offset)
	}
}

func (h *Hub) nowOf(r *hubReader) (Cursor, error) {
	var entities []string
	for _, t := range r.topics {
		entities = append(entities, t.entity)
	}
	return h.Now(entities)
}
