// Package cache keeps the copy of the parliament's data in Postgres: the current
// rows, their history, what was deleted or has expired, the dead letters, and how
// far each topic partition was applied.
//
// The invariant it keeps: rows, history, dead letters and offsets change in
// one transaction (Invariant 2), and no change ever replaces one with a higher seq
// (Invariant 3). It knows nothing of Kafka beyond the names of topics, and
// decides nothing about retrying: it says what failed and whose fault it is.
package cache
