// Package example lets an Example use the set-up that tests use, which wants a
// testing.TB.
//
// Invariant: an Example whose set-up fails does not go on. The package knows nothing of
// the code that an Example shows.
package example

import (
	"context"
	"fmt"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"odastream/cache"
	"odastream/internal/test/pgtest"
	"odastream/oda"
	"odastream/odasim"
)

// T is a testing.TB for an Example. Failures are panics. It has only the methods that
// set-up calls.
type T struct {
	testing.TB // nil; an interface that only package testing implements

	ctx      context.Context // ends with the Example, as that of a testing.T with its test
	cancel   context.CancelFunc
	cleanups []func()
}

// New returns a T. The Example defers End.
func New() *T {
	t := &T{}
	t.ctx, t.cancel = context.WithCancel(context.Background())
	return t
}

// End cancels the context and then runs what Cleanup was given, the last first.
func (t *T) End() {
	t.cancel()
	for _, f := range slices.Backward(t.cleanups) {
		f()
	}
}

// Helper does nothing.
func (t *T) Helper() {}

// Context returns a context that is cancelled before the cleanups.
func (t *T) Context() context.Context { return t.ctx }

// Cleanup has End call f.
func (t *T) Cleanup(f func()) { t.cleanups = append(t.cleanups, f) }

// Fatal panics.
func (t *T) Fatal(args ...any) { panic(fmt.Sprint(args...)) }

// Fatalf panics.
func (t *T) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

// Errorf panics.
func (t *T) Errorf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

// Pool returns connections to a new, migrated database.
func (t *T) Pool() *pgxpool.Pool {
	config, err := cache.PoolConfig(pgtest.Migrated(t))
	if err != nil {
		t.Fatal(err)
	}
	pool, err := pgxpool.NewWithConfig(t.ctx, config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// Source returns a client of a simulated parliament that has rows of one entity.
func (t *T) Source(entity string, rows ...string) *oda.Client {
	sim := odasim.New(odasim.Options{})
	for _, row := range rows {
		if err := sim.Put(entity, []byte(row)); err != nil {
			t.Fatal(err)
		}
	}
	server := httptest.NewServer(sim)
	t.Cleanup(server.Close)
	client, err := oda.New(oda.Config{URL: server.URL + odasim.Root}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}
