// Package apply is the sink's loop: it takes records from the topics and brings
// them into the cache, in batches, for as long as it takes.
//
// It keeps Invariant 2, apply, then move: rows, dead-letter entries and offsets
// change in one transaction, and a dead letter is acknowledged by Kafka before
// the offset passes its record. Around it stand Invariant 5, nothing is dropped,
// and Invariant 6, an outage is not a bad record.
//
// One goroutine polls and decodes the next batch while another one waits for the
// database with the last, so at most three batches are in memory, and nothing is
// fetched while they wait. A partition may go to another sink while a batch of it
// is on its way: the group waits a few seconds for that transaction, and should
// it take longer, then the offset's compare-and-set lets one of the two writers
// through and tells the other one (cache.ErrMoved), which drops its records.
//
// It knows nothing of SQL, of the source, or of how records look on the wire.
package apply
