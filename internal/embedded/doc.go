// Package embedded runs inside this process what a trial has no server for: a
// broker that speaks the Kafka protocol, and a simulated parliament.
//
// Invariant: both come back as they were. After a stop, and after a kill, the
// broker holds what it acknowledged at the address that it had, and the
// parliament is the one that its clients have read.
//
// The broker is a single process' fake of Kafka, for trials and tests only.
// The package knows nothing of pollers and sinks.
package embedded
