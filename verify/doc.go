// Package verify holds the copy against the source: row by row, or by numbers and
// samples, and says in one sentence whether every row is in the ledger and in the
// cache.
//
// It keeps one invariant: nothing is called a difference at a first look. What
// seems to differ is looked at again, at the source, in the ledger and in the
// cache, until it agrees or the patience ends; what changed meanwhile is counted
// apart.
//
// It changes nothing, and knows nothing of Kafka or of SQL.
package verify
