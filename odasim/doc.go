// Package odasim is a simulated parliament: an OData v3 server with the wire
// behaviour of oda.ft.dk, over rows that were captured, generated, or put there
// by a test.
//
// It keeps one promise: whatever a fault knob makes it do to an answer, the rows
// themselves stay true. Rows and Row return what a client that read everything
// without a mistake would hold, so a test can compare its own copy with them.
//
// It knows nothing of Kafka, Postgres, or of the programs that read from it.
package odasim
