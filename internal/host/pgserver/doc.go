// Package pgserver runs a Postgres server from this machine's binaries, for people
// without a database and for tests.
//
// Invariant: the server listens on a Unix socket that only its account and root may open,
// never on the network. It ends with the process that started it. A server that already
// runs on the directory is used.
//
// The package knows nothing of odastream's tables.
package pgserver
