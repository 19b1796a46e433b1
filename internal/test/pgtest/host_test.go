package pgtest

import (
	"testing"
	"testing/fstest"
)

func TestURLOfAnotherDatabaseKeepsTheRest(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"postgres://u:p@host:5433/first?sslmode=disable": "postgres://u:p@host:5433/other?sslmode=disable",
		"postgres:///first?host=%2Ftmp%2Frun&user=u":     "postgres:///other?host=%2Ftmp%2Frun&user=u",
		"postgres://host":            "postgres://host/other",
		"host=/tmp/run dbname=first": "host=/tmp/run dbname=first dbname=other",
	} {
		if got := (&host{url: url}).urlOf("other"); got != want {
			t.Errorf("urlOf(other) of %s = %s, want %s", url, got, want)
		}
	}
}

func TestHashDependsOnTheMigrations(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for claim, files := range map[string]fstest.MapFS{
		"none":           {},
		"one":            {"1.sql": {Data: []byte("ab")}},
		"another name":   {"2.sql": {Data: []byte("ab")}},
		"another text":   {"1.sql": {Data: []byte("ac")}},
		"one more, void": {"1.sql": {Data: []byte("ab")}, "2.sql": {}},
		"text moved":     {"1.sql": {Data: []byte("a")}, "2.sql": {Data: []byte("b")}},
	} {
		hash, err := migrationsHash(files)
		if err != nil {
			t.Fatal(err)
		}
		if other, ok := seen[hash]; ok {
			t.Errorf("%q and %q have the same hash", claim, other)
		}
		seen[hash] = claim
	}
}
