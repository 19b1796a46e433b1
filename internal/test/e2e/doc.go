// Package e2e holds the tests of the whole way: a source, the real poller and
// sink as processes, Apache Kafka and Postgres. It has no code of its own.
package e2e
