// Package oda is the client of the parliament's open data at oda.ft.dk: an OData v3
// service with little documentation and few guarantees.
//
// Invariant 7: every returned row is checked against the query, and a page that breaks
// the rules is an error, never rows.
//
// The package reads pages of rows and splits them without copying or re-encoding a row.
// All requests of a process share one rate limit, one limit of connections and one
// circuit breaker, and no set keeps the others from them.
//
// It knows nothing of Kafka, of Postgres or of earlier requests, and holds no rows
// between calls. Only Probe knows the list of entities, to report how the source's
// schema has changed.
package oda
