// Package schema holds what all parts of odastream share: the entity sets of the Danish
// parliament's open data, the change and its JSON encoding, the names of topics and
// keys, the hash of a row's content, and the migrations of the tables.
//
// Invariant: an encoded change decodes to the same change, and its row stays byte for
// byte as the source gave it.
//
// It does no I/O and knows nothing of HTTP, Kafka or Postgres.
package schema
