// Package copied puts the rows of a simulated parliament into Postgres, as a sink would
// have left them.
//
// Invariant: the copy holds each row of the parliament, and nothing else. It knows nothing
// of who reads it.
package copied

import (
	"encoding/json"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"odastream/internal/session"
	"odastream/internal/test/pgtest"
	"odastream/odasim"
	"odastream/odata"
	"odastream/schema"
)

// columns are those of parliamentary_data that a first load sets.
var columns = []string{"entity_type", "entity_id", "data", "seq", "opdateringsdato"}

// Rows copies the rows of a simulated parliament into a database of the test's own, with
// the seq 1. configure (nil: nothing) changes the pool, which is closed with the test.
func Rows(t testing.TB, sim *odasim.Server, configure func(*pgxpool.Config)) *pgxpool.Pool {
	t.Helper()
	url := pgtest.Migrated(t)
	load(t, open(t, url, nil), sim)
	return open(t, url, configure)
}

func open(t testing.TB, url string, configure func(*pgxpool.Config)) *pgxpool.Pool {
	t.Helper()
	cfg, err := session.Config(url)
	if err != nil {
		t.Fatal(err)
	}
	if configure != nil {
		configure(cfg)
	}
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// load fills an empty copy.
func load(t testing.TB, pool *pgxpool.Pool, sim *odasim.Server) {
	t.Helper()
	for _, e := range schema.Entities() {
		var rows [][]any
		for _, data := range sim.Rows(e.Name) {
			var row struct {
				ID    int64   `json:"id"`
				Stamp *string `json:"opdateringsdato"`
			}
			if err := json.Unmarshal(data, &row); err != nil {
				t.Fatal(err)
			}
			var stamp any
			if row.Stamp != nil {
				stamp, _ = odata.ParseTime(*row.Stamp)
			}
			rows = append(rows, []any{e.Name, row.ID, string(data), int64(1), stamp})
		}
		if _, err := pool.CopyFrom(t.Context(), pgx.Identifier{"parliamentary_data"}, columns, pgx.CopyFromRows(rows)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := pool.Exec(t.Context(), "ANALYZE parliamentary_data"); err != nil {
		t.Fatal(err)
	}
}
