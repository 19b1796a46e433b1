// Package daemon is what poller, sink and the trial command have in common:
// flags, settings, logger, signals, the HTTP server of a daemon, the retry of a
// start that finds no database or broker, and the exit status.
//
// It keeps the contract of the exit status: 0 stopped or done, 1 fault, 2 bad
// settings, 130 ended at once by a second signal. And it logs no secret: what a
// setting tagged secret holds is replaced wherever it stands in a log line.
//
// It knows nothing of what a program does.
package daemon
