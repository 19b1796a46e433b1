// Package outage keeps an error that lasts, and since when it has lasted.
//
// Invariant: the time is that of the first error since the last success. It knows nothing
// of what failed.
package outage

import "time"

// Outage is an error that lasts; the zero value is none. It is not safe for concurrent
// use.
type Outage struct {
	Err   error     // of the last attempt; nil: it succeeded
	Since time.Time // when Err became non-nil, or nil again
}

// Note notes what an attempt returned. It returns true if the outage began or ended with
// it.
func (o *Outage) Note(err error) (changed bool) {
	changed = (o.Err == nil) != (err == nil)
	if changed {
		o.Since = time.Now()
	}
	o.Err = err
	return changed
}
