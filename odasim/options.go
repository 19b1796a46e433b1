package odasim

import (
	"fmt"
	"time"

	"odastream/schema"
)

// Options say how a Server behaves; they cannot change once it is made. The zero value is
// what we believe of the real service: pages of 100 rows, stamps compared as SQL Server
// ticks, 400 for an unknown field, an empty set served as an empty page, JSON with æøå as
// they are, no compression.
type Options struct {
	// PageCap is the highest number of rows of a page; 0 means 100. The service had 20 in
	// 2016.
	PageCap int
	// Compare says how stamps are compared; "" means CompareTicks.
	Compare Compare
	// Now drives the clock; nil means time.Now. See SetNow and Advance.
	Now func() time.Time
	// PublicURL is the service's own address in odata.metadata and odata.nextLink,
	// without a slash at its end ("https://oda.ft.dk/api"). "" means the address in the
	// client's request.
	PublicURL string
	// Entities are the sets that the service has; nil means schema.Entities().
	Entities []schema.Entity
	// EmptyMissing answers 404 for a set without rows, instead of an empty page.
	EmptyMissing bool
	// IgnoreUnknownFields answers a $filter that names an unknown field with 200 and
	// every row, instead of 400.
	IgnoreUnknownFields bool
	// EscapeUnicode serves æ as \u00e6.
	EscapeUnicode bool
	// Gzip compresses answers for clients that accept it.
	Gzip bool
	// AtomDefault makes Atom, not JSON, the format for a client that names none.
	AtomDefault bool
	// Lag gives the service a second node, which shows each change this long after. It
	// answers as often as Faults.LagRate says. 0: there is none.
	Lag time.Duration
	// NoDate omits the Date header.
	NoDate bool
}

// Validate returns an error that names the options that are out of range.
func (o Options) Validate() error {
	_, err := o.complete()
	return err
}

// complete sets the defaults of fields that are zero, and returns an error for what is
// out of range.
func (o Options) complete() (Options, error) {
	if o.PageCap == 0 {
		o.PageCap = schema.PageSize
	}
	if o.Compare == "" {
		o.Compare = CompareTicks
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Entities == nil {
		o.Entities = schema.Entities()
	}
	if o.PageCap < 1 {
		return o, fmt.Errorf("page cap is %d, want 1 or more", o.PageCap)
	}
	if o.Lag < 0 {
		return o, fmt.Errorf("lag is %s, want 0s or more", o.Lag)
	}
	if o.Compare != CompareTicks && o.Compare != CompareText {
		return o, fmt.Errorf("compare is %q, want %q or %q", o.Compare, CompareTicks, CompareText)
	}
	return o, nil
}
