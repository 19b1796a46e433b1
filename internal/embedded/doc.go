// Package embedded runs, inside this process, the servers that a trial lacks: a broker
// that speaks the Kafka protocol, and a simulated parliament.
//
// Invariant: both keep their state. After a stop or a kill the broker has the same
// address and all that it acknowledged, and the parliament has the rows that its clients
// have read.
//
// The broker is a fake of Kafka in one process, for trials and tests only. The package
// knows nothing of pollers and sinks.
package embedded
