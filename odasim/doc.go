// Package odasim is a simulated parliament: an OData v3 server with the wire behaviour of
// oda.ft.dk, over rows that were captured, generated, or put by a test.
//
// Invariant: faults change answers, never the rows. Rows and Row return what a client
// holds that has read everything correctly, so a test can compare its copy with them.
//
// It knows nothing of Kafka, Postgres, or of the programs that read from it.
package odasim
