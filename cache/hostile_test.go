package cache

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"odastream/internal/test/pgtest"
)

// monthBounds are the partitions of the history whose bounds are not those of the
// month, in UTC, that their name says.
const monthBounds = `SELECT relname || ' ' || bound FROM (
    SELECT c.relname, pg_get_expr(c.relpartbound, c.oid) AS bound, to_date(right(c.relname, 7), 'YYYY_MM')::timestamp AS month
    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'parliamentary_history'::regclass) p
WHERE bound <> format('FOR VALUES FROM (%L) TO (%L)', month AT TIME ZONE 'UTC', (month + interval '1 month') AT TIME ZONE 'UTC')
ORDER BY 1`

// Whatever settings a database gives to its sessions: what is applied is what is
// read, and the history's months are whole months.
func TestSettingsOfTheDatabaseChangeNoResult(t *testing.T) {
	t.Parallel()
	s := New(open(t, pgtest.Hostile(t)), "test", Config{GIN: "on"}, quiet())
	if err := s.MaintainIndex(t.Context()); err != nil {
		t.Fatal(err)
	}
	for seq, name := range []string{"Søren", "Åse"} {
		mustApply(t, s, record("Aktør", 1, int64(seq+1), `{"navn":"`+name+`","opdateringsdato":"2026-02-01T10:00:00"}`))
	}
	mustApply(t, s, record("Nyt æøå", 1, 1, `{"a":1}`))
	const rows = `SELECT p.data ->> 'navn', h.before ->> 'navn' FROM parliamentary_data p
JOIN parliamentary_history h USING (entity_type, entity_id) WHERE entity_type = 'Aktør' AND h.action = 'update'`
	if got, want := pgtest.Lines(t, s.pool, rows), "Åse Søren"; got != want {
		t.Errorf("row, and its history = %s, want %s", got, want)
	}
	if got := pgtest.Lines(t, s.pool, monthBounds); got != "" {
		t.Errorf("months of the history with other bounds:\n%s", got)
	}
}

// A person may make the months ahead in a session with any settings.
func TestMonthsAreTheSameFromAnySession(t *testing.T) {
	t.Parallel()
	url := pgtest.Migrated(t)
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if _, err := conn.Exec(t.Context(), `SET TimeZone = 'Asia/Kolkata'; SET DateStyle = 'SQL, DMY'; SELECT parliamentary_history_ahead(14)`); err != nil {
		t.Fatal(err)
	}
	if got := pgtest.Lines(t, open(t, url), monthBounds); got != "" {
		t.Errorf("months of the history with other bounds:\n%s", got)
	}
}
