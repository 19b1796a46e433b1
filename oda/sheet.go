package oda

import (
	"net/url"
	"strings"
	"unicode/utf8"

	"odastream/schema"
)

// sheet is a page's content before anything is checked against a window.
type sheet struct {
	metadata string // value of odata.metadata
	count    int64  // value of odata.count, -1 if there is none
	listed   bool   // there was an array named value
	rows     []Row
	rejects  []Reject
}

// extent reads a sheet that was asked for with one row, the last.
func (s sheet) extent() (Extent, error) {
	extent := Extent{Count: s.count}
	for _, r := range s.rejects {
		if r.ID == 0 { // such as 3.5: no bound is known to lie above it
			return Extent{MaxID: schema.NoEnd, Count: s.count}, nil
		}
		extent.MaxID = max(extent.MaxID, r.ID) // a broken row is there all the same
	}
	for i, row := range s.rows {
		if i > 0 && row.ID >= s.rows[i-1].ID {
			return Extent{}, fault(ErrNotHonoured, "id %d comes after %d, want falling ids", row.ID, s.rows[i-1].ID)
		}
		extent.MaxID = max(extent.MaxID, row.ID)
	}
	if len(s.rows)+len(s.rejects) == 0 && s.count > 0 {
		return Extent{}, fault(ErrNotHonoured, "no row of %d", s.count)
	}
	return extent, nil
}

// isOf tells whether an odata.metadata address is that of set. Letters beyond
// ASCII are left out of the comparison: how the source encodes them in an
// address is not known.
func isOf(metadata, set string) bool {
	_, name, ok := strings.Cut(metadata, "#")
	if !ok {
		return false
	}
	name, _, _ = strings.Cut(name, "&")
	name, _, _ = strings.Cut(name, "/")
	if plain, err := url.PathUnescape(name); err == nil {
		name = plain
	}
	return ascii(name) == ascii(set)
}

// ascii gives text without what is beyond ASCII.
func ascii(text string) string {
	return strings.Map(func(r rune) rune {
		if r >= utf8.RuneSelf {
			return -1
		}
		return r
	}, text)
}
