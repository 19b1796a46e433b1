// Package wiring connects a poller or a sink to Postgres, Kafka and the source, for the
// daemons and for the command that runs both in one process.
//
// Invariant: it closes what it opened, users before what they use, after a failed start
// and after the work. It knows nothing of settings' names, signals or HTTP.
package wiring
