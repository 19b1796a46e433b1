package oda

import "time"

// Page is one answer, read whole and checked against its Window.
type Page struct {
	// Rows are in order of id. None, with no Rejects either, is the end of the
	// window; any other number says nothing of what follows.
	Rows []Row
	// Rejects are what stood among the rows but is none; nil as a rule.
	Rejects []Reject
	// Date is the source's clock from the Date header, in whole seconds, UTC;
	// zero if there was none.
	Date time.Time
	// Sent and Received are our clock when the try that succeeded was sent, and
	// when its last byte was here.
	Sent, Received time.Time
}

// LastID gives the highest id on the page, of rows and of rejects: where the
// next page goes on. It is false if no id was to be read.
func (p Page) LastID() (int64, bool) {
	var last int64
	known := len(p.Rows) > 0
	if known {
		last = p.Rows[len(p.Rows)-1].ID
	}
	for _, r := range p.Rejects {
		if r.ID != 0 && (!known || r.ID > last) {
			last, known = r.ID, true
		}
	}
	return last, known
}

// Row is one entity as the source gave it.
type Row struct {
	// ID is the entity's key.
	ID int64
	// Opdateringsdato is the source's stamp, verbatim: a Danish wall-clock
	// text; empty for null.
	Opdateringsdato string
	// Data is the JSON object byte for byte. It shares memory with all rows of
	// its page: not to be written to, and to be copied if kept for long.
	Data []byte
}

// Reject is an element of a page that cannot be a row: no JSON object, no
// integer id, a stamp that is no text, or bytes that are no UTF-8. It belongs
// into a dead-letter topic.
type Reject struct {
	// ID is the key, 0 if there is none to be read.
	ID int64
	// Data is the element byte for byte, sharing memory like Row.Data.
	Data []byte
	// Reason says what is wrong, in words without the element's content.
	Reason string
}

// Extent is how far a set reaches.
type Extent struct {
	// MaxID is the highest id, 0 for a set without ids above 0. It is schema.NoEnd
	// where the highest row has no id that can be read, and where its id is that
	// number: the set is one open range then.
	MaxID int64
	// Count is the number of rows that the source states, -1 if it states none.
	Count int64
}
