// Package pgtest provides each test with its own Postgres database, on a real server. It
// starts a server if none is named.
//
// Invariant: no two tests share a database, in one process or in several. The package
// knows of the tables only that package schema makes them.
package pgtest

import (
	"sync"
	"testing"
)

// EnvURL names a running server for all test processes, by a superuser's address of any
// of its databases; internal/test/testenv sets it. Without it each process starts its own
// server.
const EnvURL = "ODASTREAM_TEST_DATABASE_URL"

// shared is the one server of this process. Tests cannot change it, and package testing
// has no other place for what all tests share.
var shared = sync.OnceValues(connect)

// Empty returns the DATABASE_URL of a new, empty database, dropped when the test ends.
// The test fails if no server can be started. t may be a benchmark.
func Empty(t testing.TB) string {
	t.Helper()
	return create(t, server(t), "")
}

// Migrated returns the DATABASE_URL of a new database with every table of package schema,
// dropped when the test ends. It is a copy of a template that is made once for each state
// of the migrations. A copy has a thousand files: it takes some 50 ms in memory, and up to
// a second on a disk.
func Migrated(t testing.TB) string {
	t.Helper()
	admin := server(t)
	template, err := admin.template(t.Context())
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	return create(t, admin, template)
}

func server(t testing.TB) *host {
	t.Helper()
	admin, err := shared()
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	return admin
}

func create(t testing.TB, admin *host, template string) string {
	t.Helper()
	name, err := admin.create(t.Context(), template)
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	t.Cleanup(func() {
		if err := admin.drop(name); err != nil {
			t.Errorf("pgtest: %v", err)
		}
	})
	return admin.urlOf(name)
}
