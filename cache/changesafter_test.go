package cache

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"odastream/internal/test/pgtest"
	"odastream/schema"
)

// afterQuery reads a page of changes_after: a line for each change, and its cursor.
const afterQuery = `SELECT COALESCE(entity || ':' || id || ':' || seq, ''), cursor FROM parliament.changes_after($1, $2)`

// follower reads changes_after page by page.
type follower struct {
	cursor string
	seen   []string // the changes in the order in which they came
}

// page reads at most limit changes and returns them.
func (f *follower) page(ctx context.Context, db queryer, limit int) ([]string, error) {
	rows, err := db.Query(ctx, afterQuery, f.cursor, limit)
	if err != nil {
		return nil, err
	}
	var page []string
	var change, cursor string
	_, err = pgx.ForEachRow(rows, []any{&change, &cursor}, func() error {
		if f.cursor = cursor; change != "" {
			page = append(page, change)
		}
		return nil
	})
	f.seen = append(f.seen, page...)
	return page, err
}

// mustPage is page of a cursor without an error.
func (f *follower) mustPage(tb testing.TB, db queryer, limit int) []string {
	tb.Helper()
	page, err := f.page(tb.Context(), db, limit)
	if err != nil {
		tb.Fatalf("changes_after(%s, %d): %v", f.cursor, limit, err)
	}
	return page
}

// rest reads pages of one to three changes until one is empty.
func (f *follower) rest(tb testing.TB, db queryer) {
	tb.Helper()
	for limit := 1; len(f.mustPage(tb, db, limit)) > 0; limit = limit%3 + 1 {
	}
}

type queryer interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// openTx opens a transaction on a connection of its own; it ends with the test.
func openTx(tb testing.TB, s *Store) pgx.Tx {
	tb.Helper()
	conn, err := pgx.ConnectConfig(tb.Context(), s.pool.Config().ConnConfig.Copy())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = conn.Close(context.Background()) })
	tx, err := conn.Begin(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	return tx
}

// recordChange writes a row of the history, and nothing else of a batch.
func recordChange(tb testing.TB, tx pgx.Tx, id, seq int64) {
	tb.Helper()
	_, err := tx.Exec(tb.Context(), `INSERT INTO parliamentary_history (entity_type, entity_id, seq, action) VALUES ('Sag', $1, $2, 'delete')`, id, seq)
	if err != nil {
		tb.Fatal(err)
	}
}

func commit(tb testing.TB, tx pgx.Tx) {
	tb.Helper()
	if err := tx.Commit(tb.Context()); err != nil {
		tb.Fatal(err)
	}
}

func TestChangesAfterHasEachChangeOnce(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	from := follower{cursor: "now"}
	if page := from.mustPage(t, s.pool, 10); len(page) > 0 {
		t.Errorf("changes after 'now' of an empty history = %v, want none", page)
	}
	mustApply(t, s, sag(1, 10, `{"a":1}`).as(schema.Create), record("Stemme", 1, 15, `{"b":1}`).as(schema.Create))
	late := follower{cursor: "now"}
	late.mustPage(t, s.pool, 1)
	mustApply(t, s, sag(1, 20, `{"a":2}`), record("Stemme", 1, 30, ""))

	const columns = `SELECT entity, id, action, changed, before::text, after::text, seq, recorded_at <= now() FROM `
	got := pgtest.Lines(t, s.pool, columns+`parliament.changes_after('start', 100)`)
	want := "Sag 1 create <nil> <nil> {\"a\": 1} 10 true\nStemme 1 create <nil> <nil> {\"b\": 1} 15 true\n" +
		"Sag 1 update [a] {\"a\": 1} {\"a\": 2} 20 true\nStemme 1 delete <nil> {\"b\": 1} <nil> 30 true"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("changes_after('start', 100) (-want +got):\n%s", diff)
	}
	for name, c := range map[string]struct {
		follower
		want []string
	}{
		"start":              {follower{cursor: "start"}, []string{"Sag:1:10", "Stemme:1:15", "Sag:1:20", "Stemme:1:30"}},
		"now, before all":    {from, []string{"Sag:1:10", "Stemme:1:15", "Sag:1:20", "Stemme:1:30"}},
		"now, in the middle": {late, []string{"Sag:1:20", "Stemme:1:30"}},
	} {
		c.rest(t, s.pool)
		if diff := cmp.Diff(c.want, c.seen); diff != "" {
			t.Errorf("changes in pages from %s (-want +got):\n%s", name, diff)
		}
	}
}

// A transaction that began first commits last. A cursor by seq or by recorded_at has
// passed its change by then.
func TestChangesAfterHasALateCommit(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	after := follower{cursor: "now"}
	after.mustPage(t, s.pool, 1)
	early, other, next := openTx(t, s), openTx(t, s), openTx(t, s)
	recordChange(t, early, 1, 10)
	recordChange(t, other, 2, 20)
	recordChange(t, next, 3, 30)
	commit(t, next)
	if diff := cmp.Diff([]string{"Sag:3:30"}, after.mustPage(t, s.pool, 10)); diff != "" {
		t.Fatalf("changes while two older transactions run (-want +got):\n%s", diff)
	}
	const highest = `SELECT max(seq), max(recorded_at)::text FROM parliamentary_history`
	passed := strings.Fields(pgtest.Lines(t, s.pool, highest))
	commit(t, early)
	commit(t, other)
	for _, naive := range []string{
		`SELECT count(*) FROM parliamentary_history WHERE seq > ` + passed[0],
		fmt.Sprintf(`SELECT count(*) FROM parliamentary_history WHERE recorded_at > '%s'`, strings.Join(passed[1:], " ")),
	} {
		if got := pgtest.Lines(t, s.pool, naive); got != "0" {
			t.Errorf("%s = %s, want 0: this history shows nothing of such a cursor", naive, got)
		}
	}
	var got []string
	for range 3 {
		got = append(got, after.mustPage(t, s.pool, 1)...)
	}
	if diff := cmp.Diff([]string{"Sag:1:10", "Sag:2:20"}, got); diff != "" {
		t.Errorf("changes that were committed late (-want +got):\n%s", diff)
	}
}

func TestChangesAfterWaitsForNobody(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	idle := openTx(t, s)
	if _, err := idle.Exec(t.Context(), `SELECT pg_current_xact_id()`); err != nil {
		t.Fatal(err)
	}
	after := follower{cursor: "start"}
	for i := range int64(3) {
		mustApply(t, s, sag(i, 10+i, `{"a":1}`).as(schema.Create))
		if diff := cmp.Diff([]string{fmt.Sprintf("Sag:%d:%d", i, 10+i)}, after.mustPage(t, s.pool, 10)); diff != "" {
			t.Errorf("changes while an older transaction is idle (-want +got):\n%s", diff)
		}
	}
	recordChange(t, idle, 9, 5)
	commit(t, idle)
	if diff := cmp.Diff([]string{"Sag:9:5"}, after.mustPage(t, s.pool, 10)); diff != "" {
		t.Errorf("changes of the idle transaction (-want +got):\n%s", diff)
	}
}

// The rows from before the migration have no transaction of their own.
func TestChangesAfterBeginsWithTheOldRows(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	mustExec(t, s, `INSERT INTO parliamentary_history (entity_type, entity_id, seq, recorded_at, action, xid)
SELECT e, i, s, now() + make_interval(secs => ahead), 'delete', '1'
FROM (VALUES ('Sag', 1, 30, 1), ('Aktør', 7, 20, 2), ('Sag', 1, 10, 3.000001), ('Sag', -4, 10, 0)) v (e, i, s, ahead)`)
	mustApply(t, s, sag(5, 5, `{"a":1}`).as(schema.Create))
	after := follower{cursor: "start"}
	after.rest(t, s.pool)
	want := []string{"Aktør:7:20", "Sag:-4:10", "Sag:1:10", "Sag:1:30", "Sag:5:5"}
	if diff := cmp.Diff(want, after.seen); diff != "" {
		t.Errorf("changes from the start (-want +got):\n%s", diff)
	}
}

// sqlState is the SQLSTATE of reading a page, "" without an error.
func sqlState(tb testing.TB, s *Store, cursor string) string {
	tb.Helper()
	f := follower{cursor: cursor}
	_, err := f.page(tb.Context(), s.pool, 1)
	pg, ok := errors.AsType[*pgconn.PgError](err)
	if err != nil && !ok {
		tb.Fatal(err)
	}
	if !ok {
		return ""
	}
	return pg.Code
}

const (
	tooOld    = "OD410"
	badCursor = "22023"
	notReady  = "55000"
)

func TestChangesAfterRefusesWhatIsNoCursor(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	mustApply(t, s, sag(1, 10, `{"a":1}`).as(schema.Create))
	good := follower{cursor: "start"}
	good.mustPage(t, s.pool, 1)
	part := strings.Split(good.cursor, ".")
	for claim, c := range map[string]struct{ cursor, want string }{
		"a cursor of this database":      {good.cursor, ""},
		"no text":                        {"", badCursor},
		"another word":                   {"START", badCursor},
		"a cursor of a later version":    {"2" + good.cursor[1:], badCursor},
		"a cursor that was cut":          {good.cursor[:12], badCursor},
		"SQL":                            {"'; DROP TABLE parliamentary_history; --", badCursor},
		"a cursor of another database":   {strings.Replace(good.cursor, part[1], "abc-1", 1), tooOld},
		"a snapshot that is none":        {strings.Replace(good.cursor, part[4], "9:5:7", 1), "22P02"},
		"a number above those of bigint": {strings.Replace(good.cursor, "."+part[8]+".Sag", ".9999999999999999999.Sag", 1), "22003"},
	} {
		if got := sqlState(t, s, c.cursor); got != c.want {
			t.Errorf("%s: SQLSTATE of changes_after(%q) = %q, want %q", claim, c.cursor, got, c.want)
		}
	}
	for _, limit := range []string{"0", "-1", "NULL"} {
		if _, err := s.pool.Exec(t.Context(), `SELECT * FROM parliament.changes_after('start', `+limit+`)`); err == nil {
			t.Errorf("changes_after('start', %s) gives no error", limit)
		}
	}
}

// writeOldMonth makes a month of the history that is three months old, and writes rows with
// the seqs into it, in one transaction each.
func writeOldMonth(t *testing.T, s *Store, xid string, seqs ...int) {
	t.Helper()
	month := time.Now().UTC().AddDate(0, -3, 0)
	month = time.Date(month.Year(), month.Month(), 1, 0, 0, 0, 0, time.UTC)
	mustExec(t, s, fmt.Sprintf(`CREATE TABLE IF NOT EXISTS %s PARTITION OF parliamentary_history FOR VALUES FROM ('%s') TO ('%s')`,
		month.Format("parliamentary_history_2006_01"), month.Format(time.RFC3339), month.AddDate(0, 1, 0).Format(time.RFC3339)))
	for _, seq := range seqs {
		mustExec(t, s, fmt.Sprintf(`INSERT INTO parliamentary_history (entity_type, entity_id, seq, action, recorded_at, xid)
VALUES ('Sag', 1, %d, 'delete', '%s', %s)`, seq, month.Add(time.Hour).Format(time.RFC3339), xid))
	}
}

// forgetOld drops what is older than a month.
func forgetOld(t *testing.T, s *Store) {
	t.Helper()
	if err := s.MaintainHistory(t.Context(), History{Keep: Keep(31 * 24 * time.Hour)}); err != nil {
		t.Fatal(err)
	}
}

// A cursor whose next changes were dropped says so once; one that has read them goes on.
func TestChangesAfterADroppedMonth(t *testing.T) { //nolint:paralleltest // a transaction of another test that runs meanwhile may have written what is dropped
	s := newStore(t)
	writeOldMonth(t, s, `pg_current_xact_id()`, 0, 1, 2)
	behind, old := follower{cursor: "start"}, follower{cursor: "start"}
	behind.mustPage(t, s.pool, 2)
	old.mustPage(t, s.pool, 3)
	mustApply(t, s, sag(1, 10, `{"a":1}`).as(schema.Create))
	ahead := old
	ahead.mustPage(t, s.pool, 1)
	mustApply(t, s, sag(1, 20, `{"a":2}`))
	forgetOld(t, s)
	if got := sqlState(t, s, behind.cursor); got != tooOld {
		t.Errorf("SQLSTATE of a cursor before dropped changes = %q, want %q", got, tooOld)
	}
	if got := sqlState(t, s, old.cursor); got != tooOld {
		t.Errorf("SQLSTATE of a cursor at the last dropped change = %q, want %q: nothing shows that it is of this history", got, tooOld)
	}
	if diff := cmp.Diff([]string{"Sag:1:20"}, ahead.mustPage(t, s.pool, 10)); diff != "" {
		t.Errorf("changes of a cursor after the dropped month (-want +got):\n%s", diff)
	}
	now := follower{cursor: "now"}
	now.mustPage(t, s.pool, 1)
	mustApply(t, s, sag(1, 30, `{"a":3}`))
	if diff := cmp.Diff([]string{"Sag:1:30"}, now.mustPage(t, s.pool, 10)); diff != "" {
		t.Errorf("changes after a cursor that was made after the drop (-want +got):\n%s", diff)
	}
}

// The rows from before the migration have no anchor: only the months that were dropped
// tell that some of them are missing. A cursor that has read them all needs no telling.
func TestChangesAfterADroppedMonthOfOldRows(t *testing.T) { //nolint:paralleltest // a transaction of another test that runs meanwhile may have written what is dropped
	s := newStore(t)
	writeOldMonth(t, s, `'1'`, 0, 1, 2)
	behind, now := follower{cursor: "start"}, follower{cursor: "now"}
	behind.mustPage(t, s.pool, 2)
	now.mustPage(t, s.pool, 1)
	forgetOld(t, s)
	if got := sqlState(t, s, behind.cursor); got != tooOld {
		t.Errorf("SQLSTATE of a cursor within dropped changes = %q, want %q", got, tooOld)
	}
	mustApply(t, s, sag(1, 10, `{"a":1}`).as(schema.Create))
	if diff := cmp.Diff([]string{"Sag:1:10"}, now.mustPage(t, s.pool, 10)); diff != "" {
		t.Errorf("changes of a cursor after all dropped ones (-want +got):\n%s", diff)
	}
}

// A server that was set back gives the numbers of transactions again: a cursor from
// before would take new changes for read ones.
func TestChangesAfterASetBackDatabase(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	after := follower{cursor: "start"}
	mustApply(t, s, sag(1, 10, `{"a":1}`).as(schema.Create))
	after.mustPage(t, s.pool, 10)
	kept := after
	mustApply(t, s, sag(1, 20, `{"a":2}`))
	after.mustPage(t, s.pool, 10)
	mustExec(t, s, `DELETE FROM parliamentary_history WHERE seq = 20`) // what a backup from before the last change lacks
	if got := sqlState(t, s, after.cursor); got != tooOld {
		t.Errorf("SQLSTATE of a cursor at a change that the backup lacks = %q, want %q", got, tooOld)
	}
	if got := sqlState(t, s, kept.cursor); got != "" {
		t.Errorf("SQLSTATE of a cursor at a change that the backup has = %q, want none", got)
	}
}

// A dump that is restored into another cluster brings numbers of that cluster's
// transactions.
func TestChangesAfterARestoreIntoAnotherCluster(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	after := follower{cursor: "start"}
	mustApply(t, s, sag(1, 10, `{"a":1}`).as(schema.Create))
	after.mustPage(t, s.pool, 10)
	mustExec(t, s, `UPDATE parliamentary_history_state SET cluster = 1; UPDATE parliamentary_history SET xid = '9000000000'`)
	if got := sqlState(t, s, "now"); got != notReady {
		t.Errorf("SQLSTATE of 'now' before a sink has started = %q, want %q", got, notReady)
	}
	for range 2 {
		if err := s.MaintainHistory(t.Context(), History{}); err != nil {
			t.Fatal(err)
		}
		mustApply(t, s, sag(1, 20, `{"a":2}`))
	}
	if got := sqlState(t, s, after.cursor); got != tooOld {
		t.Errorf("SQLSTATE of a cursor from before the restore = %q, want %q", got, tooOld)
	}
	again := follower{cursor: "start"}
	again.rest(t, s.pool)
	if diff := cmp.Diff([]string{"Sag:1:10", "Sag:1:20"}, again.seen); diff != "" {
		t.Errorf("changes from the start (-want +got):\n%s", diff)
	}
}

// Whoever may read the history may follow it.
func TestChangesAfterNeedsNoMoreThanTheHistory(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	mustApply(t, s, sag(1, 10, `{"a":1}`).as(schema.Create))
	tx := openTx(t, s)
	_, err := tx.Exec(t.Context(), `CREATE ROLE odastream_test_reader_of_changes; GRANT USAGE ON SCHEMA parliament TO odastream_test_reader_of_changes;
GRANT SELECT ON parliamentary_history TO odastream_test_reader_of_changes; SET LOCAL ROLE odastream_test_reader_of_changes`)
	if err != nil {
		t.Fatal(err)
	}
	f := follower{cursor: "start"}
	for range 2 {
		if _, err := f.page(t.Context(), tx, 1); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(f.seen, []string{"Sag:1:10"}) {
		t.Errorf("changes that a reader sees = %v, want Sag:1:10", f.seen)
	}
}
