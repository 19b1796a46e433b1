// Package daemon is the part that poller, sink and the trial command share: flags,
// settings, logger, signals, the HTTP server of a daemon, the retry of a start while
// database or broker are down, and the exit status.
//
// Invariant: the exit status is 0 if stopped or done, 1 for a fault, 2 for bad settings,
// 130 after a second signal. It logs no secret: it replaces the value of a setting tagged
// secret everywhere in a log line.
//
// It knows nothing of what a program does.
package daemon
