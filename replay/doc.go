// Package replay applies records of a topic to the cache again, and sets the offsets of
// a consumer group so that it reads again from there.
//
// Invariant: nothing goes back to an older state. A record never replaces a newer
// version of its key (Invariant 3), no topic is written, and the sink's offsets, which
// only Postgres decides (Invariant 2), are never set.
//
// It knows nothing of SQL, of the source, and of who calls it.
package replay
