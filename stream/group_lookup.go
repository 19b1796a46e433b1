package stream

import (
	"context"
	"errors"
	"slices"
	"sync"

	"odastream/schema"
)

// errDiscarded makes assign look up again: a partition was revoked, or its topic was
// purged, while its start offset was looked up.
var errDiscarded = errors.New("partition was revoked meanwhile")

// lookups are the look-ups of start offsets whose results were not taken yet. A
// rebalance ends the call of get, but not the look-up: after the rebalance the client
// asks for the same partitions again, and get waits for the running look-up. Otherwise,
// on a slow machine, a group with frequent rebalances would never finish one.
//
// Invariant 2: an offset that was found before another member had the partition is
// never used. So the look-up of a partition that is revoked or lost is discarded, and
// so is one that was started as another member of the group.
type lookups struct {
	find func(ctx context.Context, want []schema.TopicPartition) (map[schema.TopicPartition]*partition, error)

	mu      sync.Mutex
	pending map[schema.TopicPartition]*lookup
	closed  bool
	running sync.WaitGroup
}

// lookup is one call of find.
type lookup struct {
	member string // id of the group's member that asked
	wanted int    // how many partitions in pending refer to it
	cancel context.CancelFunc

	done  chan struct{} // closed once found and err are set
	found map[schema.TopicPartition]*partition
	err   error
}

// get returns the start offsets of want. It uses the look-ups that run or have ended,
// and starts one for the partitions that have none. After an error the next call looks
// up only what was not found. The end of ctx ends only the wait. Calls of get must not
// overlap.
func (l *lookups) get(ctx context.Context, member string, want []schema.TopicPartition) (map[schema.TopicPartition]*partition, error) {
	joined, err := l.join(ctx, member, want)
	if err != nil {
		return nil, err
	}
	for _, look := range joined {
		select {
		case <-look.done:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return l.take(want)
}

// join returns the look-ups of want, and starts those that are missing.
func (l *lookups) join(ctx context.Context, member string, want []schema.TopicPartition) ([]*lookup, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, ErrClosed
	}
	var joined []*lookup
	var rest []schema.TopicPartition
	for _, tp := range want {
		if look := l.pending[tp]; look != nil && look.member == member {
			joined = append(joined, look)
			continue
		}
		l.drop(tp)
		rest = append(rest, tp)
	}
	if len(rest) > 0 {
		joined = append(joined, l.start(ctx, member, rest))
	}
	return joined, nil
}

// start runs find until it returns, all its partitions are dropped, or close.
func (l *lookups) start(ctx context.Context, member string, want []schema.TopicPartition) *lookup {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	look := &lookup{member: member, wanted: len(want), cancel: cancel, done: make(chan struct{})}
	for _, tp := range want {
		l.pending[tp] = look
	}
	l.running.Go(func() {
		defer cancel()
		defer close(look.done)
		look.found, look.err = l.find(ctx, want)
	})
	return look
}

// take removes want from the look-ups, which have ended. If some failed it removes only
// those, and leaves the others for the next call.
func (l *lookups) take(want []schema.TopicPartition) (map[schema.TopicPartition]*partition, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var failed error
	found := make(map[schema.TopicPartition]*partition, len(want))
	for _, tp := range want {
		switch look := l.pending[tp]; {
		case look == nil:
			failed = errDiscarded
		case look.err != nil:
			failed = look.err
			l.drop(tp)
		default:
			found[tp] = look.found[tp]
		}
	}
	if failed != nil {
		return nil, failed
	}
	for _, tp := range want {
		l.drop(tp)
	}
	return found, nil
}

// discard drops the look-ups of partitions, so that get starts new ones.
func (l *lookups) discard(partitions ...schema.TopicPartition) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, tp := range partitions {
		l.drop(tp)
	}
}

// discardTopics is discard for all partitions of topics.
func (l *lookups) discardTopics(topics []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for tp := range l.pending {
		if slices.Contains(topics, tp.Topic) {
			l.drop(tp)
		}
	}
}

// drop removes one partition; it cancels a look-up without partitions.
func (l *lookups) drop(tp schema.TopicPartition) {
	look := l.pending[tp]
	if look == nil {
		return
	}
	delete(l.pending, tp)
	if look.wanted--; look.wanted == 0 {
		look.cancel()
	}
}

// close cancels all look-ups and waits for them to end.
func (l *lookups) close() {
	l.mu.Lock()
	l.closed = true
	for tp := range l.pending {
		l.drop(tp)
	}
	l.mu.Unlock()
	l.running.Wait()
}
