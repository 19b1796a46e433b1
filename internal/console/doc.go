// Package console writes for a person at a terminal: a log in plain lines, the
// progress of long work, and a change in one line.
//
// Invariant: a log record and a headline are one line each, whatever their values
// hold, and a file never gets a line that is rewritten. It knows nothing of the
// work that it shows.
package console
