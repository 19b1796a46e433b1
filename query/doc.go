// Package query reads the copy in Postgres. A checked request of the source's language
// becomes SQL on parliamentary_data, and its rows come back with those that $expand names.
// Composed reads give what people ask for in the parliament's own nouns: a vote by party, a
// case with its steps, an actor with its memberships.
//
// Invariant: an answer is what evaluation in memory says of the rows of one moment. No text
// of the caller is part of a statement: it only fills parameters. A page costs one
// statement, and so does each link that is expanded and each collection of a composed read,
// however many rows it has. Filters by names cost one more, all together.
//
// Composed reads stand on the typed views of schema parliament, which cast the members of
// rows as the compiler of requests does, so both are served by the same indexes. They are
// no package of their own because they share its order of rows, tokens and transactions.
//
// It changes nothing, and knows nothing of HTTP and Kafka.
package query
