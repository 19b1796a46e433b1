package oda

import (
	"net/url"
	"strings"
	"unicode/utf8"

	"odastream/schema"
)

// content is a page's content before it is checked against a window.
type content struct {
	metadata string // value of odata.metadata
	count    int64  // value of odata.count, -1 if there is none
	hasValue bool   // there was an array named "value"
	rows     []Row
	rejects  []Reject
}

// extent returns the extent from the answer to a request for the last row.
func (s content) extent() (Extent, error) {
	extent := Extent{Count: s.count}
	for _, r := range s.rejects {
		if r.ID == 0 { // such as 3.5: no upper bound is known
			return Extent{MaxID: schema.NoEnd, Count: s.count}, nil
		}
		extent.MaxID = max(extent.MaxID, r.ID) // a broken row counts too
	}
	for i, row := range s.rows {
		if i > 0 && row.ID >= s.rows[i-1].ID {
			return Extent{}, fault(ErrNotHonoured, "id %d comes after %d, want falling ids", row.ID, s.rows[i-1].ID)
		}
		extent.MaxID = max(extent.MaxID, row.ID)
	}
	if len(s.rows)+len(s.rejects) == 0 && s.count > 0 {
		return Extent{}, fault(ErrNotHonoured, "none of %d rows returned", s.count)
	}
	return extent, nil
}

// isMetadataOf reports whether an odata.metadata address is that of set. It compares only ASCII
// letters: how the source encodes others in an address is not known.
func isMetadataOf(metadata, set string) bool {
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

// ascii returns text without its non-ASCII bytes.
func ascii(text string) string {
	return strings.Map(func(r rune) rune {
		if r >= utf8.RuneSelf {
			return -1
		}
		return r
	}, text)
}
