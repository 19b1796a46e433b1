package schema

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// PageSize is the number of rows of a full page: the source gives no more at once.
const PageSize = 100

// The ends of an IDRange that has none.
const (
	// BeforeFirst is the Low of a range that begins with the source's first row.
	// The source's ids are 0 or above.
	BeforeFirst int64 = -1
	// NoEnd is the High of a range without an upper end.
	NoEnd int64 = math.MaxInt64
)

// IDRange is the ids above Low and up to High. The zero value holds no id.
type IDRange struct{ Low, High int64 }

// AllIDs returns the range of all ids that the source can have.
func AllIDs() IDRange { return IDRange{Low: BeforeFirst, High: NoEnd} }

// IDsAbove returns the range of all ids above low.
func IDsAbove(low int64) IDRange { return IDRange{Low: low, High: NoEnd} }

// OneID returns the range that holds id alone.
func OneID(id int64) IDRange { return IDRange{Low: id - 1, High: id} }

// Contains reports whether id lies in the range.
func (r IDRange) Contains(id int64) bool { return r.Low < id && id <= r.High }

// Open reports whether the range has no upper end.
func (r IDRange) Open() bool { return r.High == NoEnd }

// Empty reports whether the range holds no id.
func (r IDRange) Empty() bool { return r.High <= r.Low }

// String gives "(Low, High]", and "(Low, ∞)" for a range without an upper end.
func (r IDRange) String() string {
	if r.Open() {
		return fmt.Sprintf("(%d, ∞)", r.Low)
	}
	return fmt.Sprintf("(%d, %d]", r.Low, r.High)
}

// JoinRanges joins the ranges that overlap or touch, and returns what is left in
// ascending order.
func JoinRanges(ranges []IDRange) []IDRange {
	sorted := slices.SortedFunc(slices.Values(ranges), func(a, b IDRange) int { return cmp.Compare(a.Low, b.Low) })
	var joined []IDRange
	for _, r := range sorted {
		if last := len(joined) - 1; last >= 0 && r.Low <= joined[last].High {
			joined[last].High = max(joined[last].High, r.High)
			continue
		}
		joined = append(joined, r)
	}
	return joined
}
