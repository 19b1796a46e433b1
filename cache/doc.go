// Package cache keeps the copy of the parliament's data in Postgres: the current
// rows, their history, deleted and expired rows, the dead letters, and how far each
// topic partition was applied.
//
// It keeps two invariants: rows, history, dead letters and offsets change in one
// transaction (Invariant 2), and no change ever replaces one with a higher seq
// (Invariant 3). It knows nothing of Kafka beyond the names of topics. It does not
// retry: it says what failed, and whether a record is at fault.
package cache
