package schema

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestIDRange(t *testing.T) {
	t.Parallel()
	for claim, c := range map[string]struct {
		ids         IDRange
		in, out     []int64
		open, empty bool
		text        string
	}{
		"a range holds its high end and not its low one": {IDRange{Low: 10, High: 12}, []int64{11, 12}, []int64{10, 13}, false, false, "(10, 12]"},
		"a range may end at id 0":                        {IDRange{Low: -2, High: 0}, []int64{-1, 0}, []int64{-2, 1}, false, false, "(-2, 0]"},
		"the zero value holds no id":                     {IDRange{}, nil, []int64{-1, 0, 1}, false, true, "(0, 0]"},
		"a range that ends before it begins is empty":    {IDRange{Low: 5, High: 3}, nil, []int64{3, 4, 5}, false, true, "(5, 3]"},
		"all ids are every Int64":                        {AllIDs(), []int64{math.MinInt64, -1, 0, 1, math.MaxInt64}, nil, true, false, "(-∞, ∞)"},
		"a range without an upper end holds the rest":    {IDsAbove(7), []int64{8, math.MaxInt64}, []int64{7}, true, false, "(7, ∞)"},
		"the range of one id holds it alone":             {OneID(0), []int64{0}, []int64{-1, 1}, false, false, "(-1, 0]"},
		"no end on either side holds every id":           {IDRange{Low: NoStart, High: NoEnd}, []int64{math.MinInt64, -1, 0, math.MaxInt64}, nil, true, false, "(-∞, ∞)"},
		"a range without a lower end ends":               {IDRange{Low: NoStart, High: -5}, []int64{math.MinInt64, -5}, []int64{-4, 0}, false, false, "(-∞, -5]"},
		"the lowest id alone":                            {OneID(math.MinInt64), []int64{math.MinInt64}, []int64{math.MinInt64 + 1, math.MaxInt64}, false, false, "(-∞, -9223372036854775808]"},
		"the highest id alone":                           {OneID(math.MaxInt64), []int64{math.MaxInt64}, []int64{math.MaxInt64 - 1}, true, false, "(9223372036854775806, ∞)"},
		"above the highest id is none":                   {IDsAbove(math.MaxInt64), nil, []int64{math.MaxInt64, math.MinInt64}, true, true, "(9223372036854775807, ∞)"},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			for _, id := range c.in {
				if !c.ids.Contains(id) {
					t.Errorf("%s.Contains(%d) = false, want true", c.ids, id)
				}
			}
			for _, id := range c.out {
				if c.ids.Contains(id) {
					t.Errorf("%s.Contains(%d) = true, want false", c.ids, id)
				}
			}
			if c.ids.Open() != c.open || c.ids.Empty() != c.empty || c.ids.String() != c.text {
				t.Errorf("Open, Empty, String = %t, %t, %s, want %t, %t, %s", c.ids.Open(), c.ids.Empty(), c.ids, c.open, c.empty, c.text)
			}
		})
	}
}

func TestJoinedRangesHoldTheSameIDs(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		ranges := rapid.SliceOf(rapid.Custom(func(t *rapid.T) IDRange {
			low := rapid.Int64Range(-20, 20).Draw(t, "low")
			return IDRange{Low: low, High: low + rapid.Int64Range(0, 10).Draw(t, "width")}
		})).Draw(t, "ranges")
		together := JoinRanges(ranges)
		for id := int64(-21); id <= 31; id++ {
			if a, b := inside(ranges, id), inside(together, id); (a > 0) != (b > 0) || b > 1 {
				t.Fatalf("%v joined are %v: id %d is in %d of them, and in %d of those before", ranges, together, id, b, a)
			}
		}
	})
}

func inside(ranges []IDRange, id int64) (n int) {
	for _, r := range ranges {
		if r.Contains(id) {
			n++
		}
	}
	return n
}
