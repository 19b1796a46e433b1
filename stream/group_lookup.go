package stream

import (
	"context"
	"errors"
	"slices"
	"sync"
)

// errForgotten is why assign asks again: a partition was given away, or its topic
// purged, while its start offset was looked up.
var errForgotten = errors.New("partition was given away meanwhile")

// lookups are the start offsets that were asked for and not yet taken. A rebalance
// ends the call that asks, but not the look-up: the client asks for the same
// partitions again after the rebalance, and then waits for the rest of it. On a
// slow machine a group whose rebalances follow one another quickly would otherwise
// never get to the end of a look-up.
//
// Invariant 2: an offset that was found before another member had the partition is
// never used. So a partition that is revoked or lost is forgotten, and so is what
// was asked for as another member of the group.
type lookups struct {
	find func(ctx context.Context, want []TopicPartition) (map[TopicPartition]*partition, error)

	mu      sync.Mutex
	pending map[TopicPartition]*lookup
	closed  bool
	running sync.WaitGroup
}

// lookup is one call of find.
type lookup struct {
	member string // of the group, that asked
	wanted int    // partitions that pending has of it
	cancel context.CancelFunc

	done  chan struct{} // closed once found and err are set
	found map[TopicPartition]*partition
	err   error
}

// get returns the start offsets of want. It joins the look-ups that run or have
// ended, and starts one for the partitions that have none. After an error only
// what was not found is looked up by the next call; with ctx only the wait ends.
// Calls must follow one another.
func (l *lookups) get(ctx context.Context, member string, want []TopicPartition) (map[TopicPartition]*partition, error) {
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

// join gives the look-up of each partition of want.
func (l *lookups) join(ctx context.Context, member string, want []TopicPartition) ([]*lookup, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, ErrClosed
	}
	var joined []*lookup
	var rest []TopicPartition
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

// start runs find until it ends, nobody wants it any more, or close.
func (l *lookups) start(ctx context.Context, member string, want []TopicPartition) *lookup {
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

// take removes want from the look-ups, which have ended. With an error it removes
// those that failed and leaves the others for the next call.
func (l *lookups) take(want []TopicPartition) (map[TopicPartition]*partition, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var failed error
	found := make(map[TopicPartition]*partition, len(want))
	for _, tp := range want {
		switch look := l.pending[tp]; {
		case look == nil:
			failed = errForgotten
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

// forget has partitions looked up anew when they are asked for again.
func (l *lookups) forget(partitions ...TopicPartition) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, tp := range partitions {
		l.drop(tp)
	}
}

// forgetTopics is forget for all partitions of topics.
func (l *lookups) forgetTopics(topics []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for tp := range l.pending {
		if slices.Contains(topics, tp.Topic) {
			l.drop(tp)
		}
	}
}

// drop removes one partition; a look-up that nobody wants any more ends.
func (l *lookups) drop(tp TopicPartition) {
	look := l.pending[tp]
	if look == nil {
		return
	}
	delete(l.pending, tp)
	if look.wanted--; look.wanted == 0 {
		look.cancel()
	}
}

// close ends all look-ups and waits for their ends.
func (l *lookups) close() {
	l.mu.Lock()
	l.closed = true
	for tp := range l.pending {
		l.drop(tp)
	}
	l.mu.Unlock()
	l.running.Wait()
}
