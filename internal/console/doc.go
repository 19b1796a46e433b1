// Package console writes output for a person at a terminal: a log in plain lines, the
// progress of long work, and a change in one line.
//
// Invariant: a log record and a headline are one line each, whatever their values hold. A
// rewritten line never goes to a file. It knows nothing of the work that it shows.
package console
