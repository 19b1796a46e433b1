// Package pgserver runs a Postgres server from the binaries that this machine
// has, for people who have no database and for tests.
//
// Invariant: the server listens on a Unix socket that only its own account and
// root may open, never on the network, and it ends with the process that
// started it. A server that already runs on the directory is used as it is.
//
// The package knows nothing of odastream's tables.
package pgserver
