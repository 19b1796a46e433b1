// Package oda is the client of the parliament's open data at oda.ft.dk: an
// OData v3 service that says little about itself and keeps few promises.
//
// It asks for pages of rows, splits them without copying or re-encoding a row,
// and keeps one invariant (number 7 of docs/architecture.md): every returned
// row is checked against what was asked for, and a page that breaks the rules
// is an error, never rows. It also keeps the manners: one rate, one number of
// connections and one circuit breaker for everything a process asks.
//
// It knows nothing of Kafka, of Postgres, nor of what was asked before; it holds
// no rows between two calls. Which entities there are only Probe knows, to name
// how the source's schema has changed.
package oda
