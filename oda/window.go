package oda

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"odastream/schema"
)

const (
	// stampTolerance is how far outside its window a stamp may lie. The source
	// may compare in ticks of 1/300 s, which its texts round to 0, 3 and 7 ms.
	stampTolerance = 10 * time.Millisecond
)

// Window says which rows a page is asked for.
type Window struct {
	// After and Until bound opdateringsdato: gt After, le Until. Danish wall-clock
	// texts of up to three decimals; empty is open. If either is set, rows without a
	// stamp are not asked for.
	After, Until string
	// IDs bounds the id: gt Low, le High, each omitted at an open end. An empty range
	// is an error, and nothing is sent.
	IDs schema.IDRange
}

// query returns the window as an escaped query string.
func (w Window) query() string {
	filter := make([]string, 0, 4)
	if w.IDs.Low != schema.NoStart {
		filter = append(filter, "id gt "+strconv.FormatInt(w.IDs.Low, 10))
	}
	if !w.IDs.Open() {
		filter = append(filter, "id le "+strconv.FormatInt(w.IDs.High, 10))
	}
	if w.After != "" {
		filter = append(filter, "opdateringsdato gt "+literal(w.After))
	}
	if w.Until != "" {
		filter = append(filter, "opdateringsdato le "+literal(w.Until))
	}
	rest := "$orderby=id&$top=" + strconv.Itoa(schema.PageSize)
	if len(filter) == 0 {
		return rest
	}
	// Escape as in a path: a space as %20 and not as the + of forms, which the source
	// may not know.
	return "$filter=" + url.PathEscape(strings.Join(filter, " and ")) + "&" + rest
}

// rule is a window prepared for checking a page's rows in order.
type rule struct {
	window  Window
	stamped bool   // rows must have a stamp
	lo, hi  string // lowest and highest stamp, trimmed; empty is open
	any     bool   // the next row may have any id: it is the first, and there is no bound
	last    int64  // id of the row before
}

// rule prepares the check. A bound that is no wall clock, or an empty range, is the
// caller's error.
func (w Window) rule() (rule, error) {
	if w.IDs.Empty() {
		return rule{}, fmt.Errorf("the range of ids %s is empty", w.IDs)
	}
	r := rule{window: w, stamped: w.After != "" || w.Until != "", any: w.IDs.Low == schema.NoStart, last: w.IDs.Low}
	var err error
	if w.After != "" {
		if r.lo, err = ShiftWall(w.After, -stampTolerance); err != nil {
			return rule{}, err
		}
		r.lo = trimWall(r.lo)
	}
	if w.Until != "" {
		if r.hi, err = ShiftWall(w.Until, stampTolerance); err != nil {
			return rule{}, err
		}
		r.hi = trimWall(r.hi)
	}
	return r, nil
}

// admit checks the next row of a page. Invariant 7: a row that was not asked for means
// that the source ignored or misread the query. No part of the page can be trusted
// then, and rows may be missing from it.
func (r *rule) admit(id int64, stamp string) error {
	if err := r.admitID(id); err != nil || !r.stamped {
		return err
	}
	return r.admitStamp(id, stamp)
}

// admitID checks that ids grow, also from one page to the next, and stay within the
// upper bound.
func (r *rule) admitID(id int64) error {
	if id <= r.last && !r.any {
		return fmt.Errorf("id %d is not above %d, the row or the bound before it", id, r.last)
	}
	if id > r.window.IDs.High {
		return fmt.Errorf("id %d is above %d", id, r.window.IDs.High)
	}
	r.any, r.last = false, id
	return nil
}

// admitStamp compares texts, never instants: the source's clock shows one hour twice.
func (r *rule) admitStamp(id int64, stamp string) error {
	if !isWall(stamp) {
		return fmt.Errorf("id %d has the stamp %q, which no bound admits", id, clip(stamp))
	}
	stamp = trimWall(stamp)
	if r.lo != "" && stamp < r.lo {
		return fmt.Errorf("id %d is stamped %s, not after %s", id, stamp, r.window.After)
	}
	if r.hi != "" && stamp > r.hi {
		return fmt.Errorf("id %d is stamped %s, after %s", id, stamp, r.window.Until)
	}
	return nil
}
