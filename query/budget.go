package query

import "odastream/odata"

const (
	// maxHeld is how many bytes an answer may hold in memory: more than 20,000 rows of Sag.
	maxHeld = 64 << 20
	// elementBytes is what a row takes in the list of each row that leads to it.
	elementBytes = 48
)

// budget is what an answer may still hold, in bytes. A request of few rows can expand any
// number of others.
type budget struct{ left int }

// take takes bytes from the budget, or returns odata.ErrTooLarge. A nil budget has no end.
func (b *budget) take(n int) error {
	if b == nil {
		return nil
	}
	if b.left -= n; b.left < 0 {
		return odata.ErrTooLarge
	}
	return nil
}
