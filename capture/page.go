package capture

import (
	"slices"

	"odastream/checkpoint"
	"odastream/oda"
	"odastream/schema"
)

// span is the time that a request took, by the session's seqClock. The source read
// the rows of its answer somewhere within it.
type span struct{ began, ended int64 }

// row is a row of a page, with its checksum.
type row struct {
	oda.Row
	checksum schema.Checksum
}

// page is what one request to the source brought.
type page struct {
	span
	origin    schema.Origin
	watermark int64 // when the request began; microseconds since 1970, 0 if there was none
	rows      []row
	rejects   []oda.Reject
	last      int64 // the highest id on the page
	more      bool  // false: nothing is left of the window
	// complete is set for a scan's page: the page has all rows with these ids.
	complete *schema.IDRange
	progress checkpoint.Progress // how far the pass or scan is once the page is saved
}

// empty reports whether the page has no element.
func (p page) empty() bool { return len(p.rows)+len(p.rejects) == 0 }

// completeIDs returns the ids of which p, asked for with w, has all rows.
func (p page) completeIDs(w oda.Window) *schema.IDRange {
	ids := w.IDs
	if p.more {
		ids.High = p.last
	}
	return &ids
}

// has reports whether the row is on the page.
func (p page) has(id int64) bool {
	return slices.ContainsFunc(p.rows, func(row row) bool { return row.ID == id })
}

// hasRejectWithoutID reports whether an element of the page could be any row that
// is not on it. Such a page proves no row absent.
func (p page) hasRejectWithoutID() bool {
	return slices.ContainsFunc(p.rejects, func(reject oda.Reject) bool { return reject.ID == 0 })
}

// rejected reports whether the row is on the page, but broken: it is not absent.
func (p page) rejected(id int64) bool {
	return slices.ContainsFunc(p.rejects, func(reject oda.Reject) bool { return reject.ID == id })
}

// withChecksums returns the rows of a page, each with its checksum.
func withChecksums(list []oda.Row) []row {
	rows := make([]row, len(list))
	for i, r := range list {
		rows[i] = row{r, schema.ChecksumOf(r.Data)}
	}
	return rows
}
