// Package apply is the sink's loop: it reads records from the topics and writes
// them to the cache in batches. It retries for as long as an outage lasts.
//
// Invariant 2: rows, dead-letter entries and offsets change in one transaction, and a
// dead letter is acknowledged by Kafka before the offset passes its record. The package
// also keeps Invariant 5, nothing is dropped, and Invariant 6, an outage is not a bad
// record.
//
// One goroutine polls and decodes the next batch while another one writes the last
// batch to the database. So at most three batches are in memory, and nothing is
// fetched while they wait.
//
// A partition may be reassigned to another sink while one of its batches is being
// written. The group waits a few seconds for that transaction. If it takes longer,
// the compare-and-set of the offset lets one of the two writers commit; the other
// one gets cache.ErrOffsetConflict and drops its records.
//
// It knows nothing of SQL, of the source, or of how records are encoded.
package apply
