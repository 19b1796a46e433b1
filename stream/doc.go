// Package stream is the project's way to and from Kafka: it makes the topics,
// publishes changes with their CloudEvents headers and tombstones, writes dead
// letters, decodes records, and reads a topic up to its end.
//
// It keeps the Kafka half of Invariant 1: what Publish returned without an
// error is acknowledged by all in-sync replicas; what it returned with an error
// is unknown, and the caller reads the topic again before it publishes
// (Invariant 8).
//
// It knows nothing of Postgres or of the source: no ledger, no offsets table,
// no poll.
package stream
