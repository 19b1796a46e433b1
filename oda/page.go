package oda

import "time"

// Page is one answer, read whole and checked against its Window.
type Page struct {
	// Rows are in order of id. No Rows and no Rejects mean the end of the window; any
	// other number says nothing about what follows.
	Rows []Row
	// Rejects are elements among the rows that are no rows; usually nil.
	Rejects []Reject
	// Date is the source's clock from the Date header, in whole seconds, UTC;
	// zero if there was none.
	Date time.Time
	// Sent and Received are the times, by our clock, at which the successful try was
	// sent and its last byte arrived.
	Sent, Received time.Time
}

// LastID returns the highest id on the page, of rows and rejects. The next page
// continues from there. It returns false if no id could be read.
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
	// Data is the JSON object byte for byte. It shares memory with all rows of its
	// page: do not write to it, and copy it to keep it for long.
	Data []byte
}

// Reject is an element of a page that cannot be a row: no JSON object, no integer id, a
// stamp that is not a text or has a NUL, or bytes that are no UTF-8. It belongs in a dead-letter topic.
type Reject struct {
	// ID is the key, 0 if it could not be read.
	ID int64
	// Data is the element byte for byte, sharing memory like Row.Data.
	Data []byte
	// Reason says what is wrong, without quoting the element.
	Reason string
}

// Extent is a set's highest id and number of rows.
type Extent struct {
	// MaxID is the highest id, 0 for a set without ids above 0. It is schema.NoEnd
	// where the highest row's id cannot be read or is that number; the set is then one
	// open range.
	MaxID int64
	// Count is the number of rows that the source states, -1 if it states none.
	Count int64
}
