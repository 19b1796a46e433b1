package capture

import (
	"testing"

	"odastream/oda"
	"odastream/schema"
)

func TestOnlyTheProgressOfAScanCanWait(t *testing.T) {
	t.Parallel()
	scanned := func(rows int) page { return page{complete: &schema.IDRange{}, rows: make([]row, rows)} }
	tail, broken := scanned(1), scanned(1)
	tail.complete, broken.rejects = nil, []oda.Reject{{}}
	for claim, c := range map[string]struct {
		messages []message
		want     bool
	}{
		"pages of a scan":       {[]message{scanned(100), scanned(0), scanned(batchRows - 101)}, true},
		"enough of them":        {[]message{scanned(100), scanned(batchRows - 100)}, false},
		"with one of the tail":  {[]message{scanned(1), tail}, false},
		"with a broken row":     {[]message{broken, scanned(1)}, false},
		"with a flush":          {[]message{scanned(1), flush{saved: make(chan struct{})}}, false},
		"with an absence":       {[]message{scanned(1), absence{}}, false},
		"with an order to fold": {[]message{refold{}, scanned(1)}, true},
	} {
		var b batch
		for _, m := range c.messages {
			m.addTo(&b)
		}
		if got := b.canWait(); got != c.want {
			t.Errorf("%s: canWait is %t, want %t", claim, got, c.want)
		}
	}
}
