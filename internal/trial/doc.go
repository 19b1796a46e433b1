// Package trial runs the whole of odastream in one process: a broker, a Postgres,
// a poller and a sink, on the live API or on a simulated parliament.
//
// Invariant: one trial a state directory, and what a trial left in its directory
// the next one goes on from. Live and simulated rows never share a directory.
//
// It wires what others do and knows nothing of how they do it.
package trial
