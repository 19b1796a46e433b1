// Package checkpoint stores in Postgres what a poller needs after a restart:
// which poller works on an entity (the lease and its fencing epoch), how much of
// the entity has been read (the watermark, the running pass, the running scan),
// and what the entity's topic holds of each row (the ledger, and the offsets up
// to which it agrees with the topic).
//
// Invariant 4: only the holder of an entity's lease saves anything for it. Each
// save checks the lease's epoch in its own transaction, so a holder that lost its
// lease while it was asleep changes nothing.
//
// The package knows nothing of Kafka and nothing of the source.
package checkpoint
