// Package wiring connects a poller or a sink to Postgres, Kafka and the source,
// for the daemons and for the command that runs both in one process.
//
// Invariant: what it opened is closed again, in an order in which nothing is
// cut off, whether the start fails or the work ends. It knows nothing of
// settings' names, signals or HTTP.
package wiring
