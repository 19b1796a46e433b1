package stream

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"odastream/schema"
)

// finder is what lookups ask; it answers after a second, unless its context ends.
type finder struct {
	mu    sync.Mutex
	asked int64
	err   error // what the next call returns
}

func (f *finder) find(ctx context.Context, want []schema.TopicPartition) (map[schema.TopicPartition]*partition, error) {
	f.mu.Lock()
	f.asked++
	at, err := f.asked, f.err
	f.err = nil
	f.mu.Unlock()
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-time.After(time.Second):
	}
	found := map[schema.TopicPartition]*partition{}
	for _, tp := range want {
		found[tp] = &partition{at: at}
	}
	return found, err
}

func (f *finder) failNext(err error) {
	synctest.Wait() // for a look-up that has begun just now
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
}

func (f *finder) lookups() *lookups {
	return &lookups{find: f.find, pending: map[schema.TopicPartition]*lookup{}}
}

// getWithin asks for partitions and gives up after d.
func getWithin(t *testing.T, l *lookups, d time.Duration, member string, want ...schema.TopicPartition) (map[schema.TopicPartition]*partition, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	return l.get(ctx, member, want)
}

var (
	sag     = schema.TopicPartition{Topic: "sag"}
	stemme  = schema.TopicPartition{Topic: "stemme"}
	instant = time.Millisecond
)

func TestTheNextCallUsesARunningLookUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &finder{}
		l := f.lookups()
		for range 3 {
			if _, err := getWithin(t, l, instant, "m", sag); !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("get whose context ends = %v, want its error", err)
			}
		}
		found, err := getWithin(t, l, time.Minute, "m", sag, stemme)
		if err != nil || found[sag].at != 1 || found[stemme].at != 2 {
			t.Errorf("get = %v, %v, want the first look-up's Sag and a new one's Stemme", found, err)
		}
		if found, err = getWithin(t, l, time.Minute, "m", sag); err != nil || found[sag].at != 3 {
			t.Errorf("get of what was taken = %v, %v, want a new look-up", found, err)
		}
	})
}

func TestOnlyAFailedLookUpIsRepeated(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &finder{}
		l := f.lookups()
		_, _ = getWithin(t, l, instant, "m", sag)
		f.failNext(errors.New("away"))
		if _, err := getWithin(t, l, time.Minute, "m", sag, stemme); err == nil || err.Error() != "away" {
			t.Fatalf("get = %v, want the look-up's error", err)
		}
		found, err := getWithin(t, l, time.Minute, "m", sag, stemme)
		if err != nil || found[sag].at != 1 || found[stemme].at != 3 {
			t.Errorf("get = %v, %v, want Sag as found before and Stemme looked up again", found, err)
		}
	})
}

func TestALookUpIsNotUsedAfter(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		change func(l *lookups)
		member string
	}{
		"its partition was revoked": {func(l *lookups) { l.discard(sag) }, "m"},
		"its topic was recreated":   {func(l *lookups) { l.discardTopics([]string{sag.Topic}) }, "m"},
		"the member is another":     {func(*lookups) {}, "n"},
	}
	for claim, c := range cases {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := &finder{}
				l := f.lookups()
				_, _ = getWithin(t, l, instant, "m", sag)
				c.change(l)
				if found, err := getWithin(t, l, time.Minute, c.member, sag); err != nil || found[sag].at != 2 {
					t.Errorf("get = %v, %v, want a new look-up", found, err)
				}
			})
		})
	}
}

func TestALookUpWithoutPartitionsIsCanceled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := (&finder{}).lookups()
		_, _ = getWithin(t, l, instant, "m", sag, stemme)
		look := l.pending[sag]
		l.discard(sag)
		if synctest.Wait(); isClosed(look.done) {
			t.Error("the look-up ended although Stemme is still wanted")
		}
		l.discard(stemme)
		if synctest.Wait(); !isClosed(look.done) {
			t.Error("the look-up goes on although nothing of it is wanted")
		}
	})
}

func TestCloseEndsLookUps(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, begun := (&finder{}).lookups(), time.Now()
		_, _ = getWithin(t, l, instant, "m", sag)
		l.close()
		if took := time.Since(begun); took > instant {
			t.Errorf("close waited %s for a look-up", took)
		}
		if _, err := getWithin(t, l, time.Minute, "m", sag); !errors.Is(err, ErrClosed) {
			t.Errorf("get after close = %v, want %v", err, ErrClosed)
		}
	})
}

func isClosed(done chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
		return false
	}
}
