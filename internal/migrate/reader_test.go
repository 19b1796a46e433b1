package migrate_test

import (
	"errors"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"odastream/internal/migrate"
	"odastream/internal/session"
	"odastream/internal/test/pgtest"
)

// The role reads the copy, and can neither write nor read what is the poller's alone.
func TestTheReaderReadsAndNothingElse(t *testing.T) {
	t.Parallel()
	url := pgtest.Migrated(t)
	for range 2 { // it is there the second time
		if err := migrate.GrantReader(t.Context(), url); err != nil {
			t.Fatal(err)
		}
	}
	conn, err := session.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	for sql, allowed := range map[string]bool{
		`SELECT count(*) FROM parliamentary_data`:                                                       true,
		`SELECT count(*) FROM parliament.sag`:                                                           true,
		`SELECT parliament.as_of('Sag', 1, now())`:                                                      true,
		`SELECT count(*) FROM parliament.consistent_through`:                                            true,
		`SELECT count(*) FROM parliament.partimedlemskab`:                                               true,
		`INSERT INTO parliamentary_data (entity_type, entity_id, data, seq) VALUES ('Sag', 1, '{}', 1)`: false,
		`DELETE FROM parliamentary_history`:                                                             false,
		`UPDATE sink_offsets SET next_offset = 0`:                                                       false,
		`TRUNCATE parliamentary_deleted`:                                                                false,
		`CREATE TABLE parliament.mine (a integer)`:                                                      false,
		`SELECT count(*) FROM poller_leases`:                                                            false,
		`SELECT count(*) FROM poller_ledger`:                                                            false,
	} {
		if _, err := conn.Exec(t.Context(), `SET ROLE `+migrate.ReaderRole); err != nil {
			t.Fatal(err)
		}
		_, err := conn.Exec(t.Context(), sql)
		var refused *pgconn.PgError
		if is := errors.As(err, &refused) && refused.Code == "42501"; is == allowed || !is && err != nil {
			t.Errorf("%s as %s: %v, want it allowed: %v", sql, migrate.ReaderRole, err, allowed)
		}
		if _, err := conn.Exec(t.Context(), `RESET ROLE`); err != nil {
			t.Fatal(err)
		}
	}
}
