// Package e2e holds the end-to-end tests: a source, the real poller and sink as
// processes, Apache Kafka and Postgres.
//
// Invariant: no part of poller, sink, Kafka and Postgres is replaced. The package has only
// tests.
package e2e
