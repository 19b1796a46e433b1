// Package cache keeps the copy of the parliament's data in Postgres: the current
// rows, their history, deleted and expired rows, the dead letters, and how far each
// topic partition was applied.
//
// Invariants 2 and 3: rows, history, dead letters and offsets change in one transaction,
// and no change ever replaces one with a higher seq.
//
// The package knows nothing of Kafka beyond the names of topics. It does not retry: it
// says what failed, and whether a record is at fault.
package cache
