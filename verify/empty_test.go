package verify_test

import (
	"context"
	"fmt"
	"math"
	"sync"
	"testing"

	"odastream/cache"
	"odastream/checkpoint"
	"odastream/oda"
	"odastream/verify"
)

// emptyOnce is a source that answers each question with nothing the first time.
type emptyOnce struct {
	*oda.Client

	mu     sync.Mutex
	asked  map[oda.Window]bool
	extent bool
}

func (s *emptyOnce) Page(ctx context.Context, set string, w oda.Window, lane oda.Lane) (oda.Page, error) {
	page, err := s.Client.Page(ctx, set, w, lane)
	s.mu.Lock()
	defer s.mu.Unlock()
	if again := s.asked[w]; again || err != nil {
		return page, err
	}
	s.asked[w] = true
	return oda.Page{Date: page.Date, Sent: page.Sent, Received: page.Received}, nil
}

func (s *emptyOnce) Extent(ctx context.Context, set string, lane oda.Lane) (oda.Extent, error) {
	s.mu.Lock()
	again := s.extent
	s.extent = true
	s.mu.Unlock()
	if !again {
		return oda.Extent{}, nil
	}
	return s.Client.Extent(ctx, set, lane)
}

// A single empty answer hides no row, also where neither ledger nor cache knows it.
func TestAnEmptyAnswerHidesNoRow(t *testing.T) {
	t.Parallel()
	for name, known := range map[string]int{"most rows are unknown": 100, "all rows are unknown": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.put("Sagstype", known, 1, 1)
			w.copied("Sagstype")
			w.put("Sagstype", 250-known, int64(known)+1, 1)
			source := &emptyOnce{Client: w.client, asked: map[oda.Window]bool{}}
			v := verify.New(source, checkpoint.New(w.pool), cache.NewReader(w.pool))
			r, err := v.Verify(t.Context(), lookup(t, "Sagstype"), verify.Options{Full: true, Patience: 1})
			if err != nil {
				t.Fatal(err)
			}
			if e := r.Entities[0]; r.OK || e.Source != 250 {
				t.Errorf("OK %v with %d rows at the source, %d in the ledger, %d in the cache; want 250 and differences", r.OK, e.Source, e.Ledger, e.Cache)
			}
		})
	}
}

// The lowest id of all has none below it.
func TestTheLowestIDIsReadAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put("Sagstype", 20, 1, 1)
	w.copied("Sagstype")
	w.put("Sagstype", 1, math.MinInt64, 1)
	r := w.verify(verify.Options{Full: true}, "Sagstype")
	if want := fmt.Sprintf("Sagstype/%d missing in the ledger and in the cache", math.MinInt64); found(r) != want {
		t.Errorf("verify finds %q, want %q", found(r), want)
	}
}
