// Package rebuild compares the cache of an entity with the entity's topic and
// repairs what differs.
//
// It keeps one invariant: a row is written only where it differs from the topic,
// and only under the locks of all of the topic's partitions, with the topic read
// on to its end. No sink can then have applied a change that the comparison does
// not know, so what differs is damage and no newer version (Invariant 3). A change
// that the sink has yet to apply is left to the sink.
//
// It knows nothing of SQL, of the source, and of who calls it.
package rebuild
