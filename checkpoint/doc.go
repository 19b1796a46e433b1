// Package checkpoint keeps in Postgres what a poller must not forget: who works
// on an entity (the lease and its fencing epoch), how far the entity has been
// seen (the watermark, the running pass and scan), and what the entity's topic
// holds of each row (the ledger, and the offsets up to which it agrees).
//
// It keeps one invariant: nothing is saved for an entity but by the holder of its
// lease; the comparison sits in the statement, so that a holder that slept
// through the loss of its lease changes nothing (invariant 4).
//
// It knows nothing of Kafka and nothing of the source.
package checkpoint
