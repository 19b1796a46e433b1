// Package query reads the copy in Postgres: a checked request of the source's language
// becomes SQL on parliamentary_data, and its rows come back with those that $expand names.
//
// Invariant: an answer is what odata.Eval says of the rows of one moment. No text of the
// caller is part of a statement: it only fills parameters. A page costs one statement, and
// so does each link that is expanded, however many rows it has.
//
// It changes nothing, and knows nothing of HTTP and Kafka.
package query
