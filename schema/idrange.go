package schema

import (
	"cmp"
	"math"
	"slices"
	"strconv"
)

// PageSize is the number of rows of a full page, the most that the source returns.
const PageSize = 100

// The open ends of an IDRange.
const (
	// NoStart is the Low of a range without a lower end. Such a range also holds the id
	// NoStart itself, so that a range can hold every Int64.
	NoStart int64 = math.MinInt64
	// NoEnd is the High of a range without an upper end.
	NoEnd int64 = math.MaxInt64
)

// IDRange is the ids above Low, or from the lowest if Low is NoStart, up to High. The
// zero value holds no id.
type IDRange struct{ Low, High int64 }

// AllIDs returns the range of all possible ids of the source.
func AllIDs() IDRange { return IDRange{Low: NoStart, High: NoEnd} }

// IDsAbove returns the range of all ids above low.
func IDsAbove(low int64) IDRange { return IDRange{Low: low, High: NoEnd} }

// OneID returns the range that holds only id.
func OneID(id int64) IDRange {
	if id == NoStart {
		return IDRange{Low: NoStart, High: id}
	}
	return IDRange{Low: id - 1, High: id}
}

// First returns the lowest id of the range, which must not be empty.
func (r IDRange) First() int64 {
	if r.Low == NoStart {
		return NoStart
	}
	return r.Low + 1
}

// Contains reports whether id lies in the range.
func (r IDRange) Contains(id int64) bool {
	return (r.Low < id || r.Low == NoStart) && id <= r.High
}

// Open reports whether the range has no upper end.
func (r IDRange) Open() bool { return r.High == NoEnd }

// Empty reports whether the range holds no id.
func (r IDRange) Empty() bool { return r.High <= r.Low && r.Low != NoStart }

// String returns "(Low, High]", with -∞ and "∞)" for open ends.
func (r IDRange) String() string {
	low, high := strconv.FormatInt(r.Low, 10), strconv.FormatInt(r.High, 10)+"]"
	if r.Low == NoStart {
		low = "-∞"
	}
	if r.Open() {
		high = "∞)"
	}
	return "(" + low + ", " + high
}

// JoinRanges joins the ranges that overlap or touch, and returns the result in
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
