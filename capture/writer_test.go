package capture

import (
	"testing"

	"odastream/oda"
	"odastream/schema"
)

func TestOnlyTheProgressOfAScanMayWaitForMore(t *testing.T) {
	t.Parallel()
	page := func(rows int) reading {
		return reading{window: &schema.IDRange{}, rows: make([]row, rows)}
	}
	tail, broken, awaited := page(1), page(1), page(1)
	tail.window, broken.rejects, awaited.saved = nil, []oda.Reject{{}}, make(chan struct{})
	for claim, c := range map[string]struct {
		held []reading
		want bool
	}{
		"pages of a scan":            {[]reading{page(100), page(0), page(batchRows - 101)}, true},
		"enough of them":             {[]reading{page(100), page(batchRows - 100)}, false},
		"with one of the tail":       {[]reading{page(1), tail}, false},
		"with a broken row":          {[]reading{broken, page(1)}, false},
		"with one that is waited on": {[]reading{page(1), awaited}, false},
	} {
		if got := canWait(c.held); got != c.want {
			t.Errorf("%s: canWait is %t, want %t", claim, got, c.want)
		}
	}
}
