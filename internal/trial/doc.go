// Package trial runs the whole of odastream in one process: a broker, a Postgres,
// a poller and a sink, on the live API or on a simulated parliament.
//
// Invariant: a state directory has one trial at a time, and the next trial continues
// from its state. Live and simulated rows never share a directory.
//
// It connects other packages and knows nothing of how they work.
package trial
