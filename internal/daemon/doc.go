// Package daemon is the part that poller, sink and the trial command share: flags,
// settings, logger, signals, the HTTP server of a daemon, the retry of a start while
// database or broker are down, and the exit status.
//
// It keeps the contract of the exit status: 0 stopped or done, 1 fault, 2 bad
// settings, 130 ended by a second signal. It logs no secret: it replaces the value of
// a setting tagged secret everywhere in a log line.
//
// It knows nothing of what a program does.
package daemon
