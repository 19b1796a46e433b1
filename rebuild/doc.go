// Package rebuild compares the cache of an entity with the entity's topic and
// repairs what differs.
//
// Invariant: a row is written only if it differs from the topic, only under the locks of
// all partitions of the topic, and only if nobody has written it since before the topic
// was read to its end. No sink can then have applied a change to it that the comparison
// does not know, so a difference is damage and not a newer version (Invariant 3). A
// change that the sink has not applied yet is left to the sink.
//
// It knows nothing of SQL, of the source, and of who calls it.
package rebuild
