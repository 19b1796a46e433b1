package schema

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestIDSetAgainstAMap(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var s IDSet
		model := map[int64]bool{}
		id := rapid.OneOf(rapid.Int64Range(-70, 70), rapid.SampledFrom([]int64{math.MinInt64, math.MaxInt64, 4095, 4096, -4096, -4097}))
		for range rapid.IntRange(0, 60).Draw(t, "steps") {
			at := id.Draw(t, "id")
			if rapid.Bool().Draw(t, "add") {
				model[at] = true
				if !s.Add(at) {
					t.Fatalf("Add(%d) = false", at)
				}
			} else {
				delete(model, at)
				s.Remove(at)
			}
			if other := id.Draw(t, "other"); s.Has(other) != model[other] || s.Len() != int64(len(model)) {
				t.Fatalf("Has(%d) = %v of %d, want %v of %d", other, s.Has(other), s.Len(), model[other], len(model))
			}
		}
	})
}

func TestIDSetIsBounded(t *testing.T) {
	t.Parallel()
	var s IDSet
	for i := range int64(maxIDPages) {
		if !s.Add(i << 20) {
			t.Fatalf("Add of page %d = false", i)
		}
	}
	if s.Add(-1) || !s.Add(5<<20) || s.Has(-1) {
		t.Error("a full set takes another page, or refuses an id that it has")
	}
}
