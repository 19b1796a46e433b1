// Package verify compares the copy with the source, row by row or by numbers and
// samples, and says in one sentence whether every row is in the ledger and in the
// cache. It also compares the ledger with what the topics hold.
//
// Invariant: a row is reported as different only after it was read again. A row that
// differs is read again from the source, the ledger and the cache until it agrees or
// Options.Patience is over. Rows that changed meanwhile are counted separately.
//
// It changes nothing, and knows nothing of Kafka or of SQL.
package verify
