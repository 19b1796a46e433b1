package schema

import (
	"math"
	"testing"
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
		"all ids begin with 0":                           {AllIDs(), []int64{0, 1, math.MaxInt64}, []int64{-1}, true, false, "(-1, ∞)"},
		"a range without an upper end holds the rest":    {IDsAbove(7), []int64{8, math.MaxInt64}, []int64{7}, true, false, "(7, ∞)"},
		"a single id": {OneID(0), []int64{0}, []int64{-1, 1}, false, false, "(-1, 0]"},
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
