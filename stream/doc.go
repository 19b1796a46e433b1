// Package stream writes to and reads from Kafka: it creates the topics, publishes
// changes with their CloudEvents headers and tombstones, writes dead letters, decodes
// records, consumes topics, and reads a topic up to its end.
//
// Invariant 1: if Publish returns no error, its changes are acknowledged by all in-sync
// replicas. If it returns an error, they may or may not be written, and the caller reads
// the topic before it publishes again (Invariant 8).
//
// It knows nothing of Postgres or of the source: no ledger, no offsets table,
// no poll.
package stream
