package cache

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"odastream/internal/test/pgtest"
	"odastream/schema"
)

// as returns the record with another action.
func (r Record) as(action schema.Action) Record {
	r.Change.Action = action
	return r
}

func TestHistory(t *testing.T) {
	t.Parallel()
	type batch []Record
	s := newStore(t)
	for claim, tt := range map[string]struct {
		before []batch
		batch  batch
		want   string // id seq action changed before after
	}{
		"a first load writes none": {
			batch: batch{sag(1, 10, `{"a":1}`).as(schema.Snapshot), sag(2, 11, `{"a":1}`).as(schema.Snapshot)},
		},
		"a create writes its whole row": {
			batch: batch{sag(1, 10, `{"a":1,"b":2}`).as(schema.Create)},
			want:  `1 10 create <nil> <nil> {"a": 1, "b": 2}`,
		},
		"an update writes the members that changed, came and went": {
			before: []batch{{sag(1, 10, `{"a":1,"b":2,"c":3}`).as(schema.Snapshot)}},
			batch:  batch{sag(1, 11, `{"a":1,"b":null,"d":[4]}`)},
			want:   `1 11 update [b c d] {"b": 2, "c": 3} {"b": null, "d": [4]}`,
		},
		"a member that only came has an empty before": {
			before: []batch{{sag(1, 10, `{"a":1}`).as(schema.Snapshot)}},
			batch:  batch{sag(1, 11, `{"a":1,"b":null}`)},
			want:   `1 11 update [b] {} {"b": null}`,
		},
		"a delete writes the whole row that was": {
			before: []batch{{sag(1, 10, `{"a":1,"b":2}`).as(schema.Snapshot)}},
			batch:  batch{sag(1, 11, ""), tombstone(1, 11)},
			want:   `1 11 delete <nil> {"a": 1, "b": 2} <nil>`,
		},
		"each record of a batch has its predecessor": {
			before: []batch{{sag(1, 10, `{"a":1}`).as(schema.Snapshot)}},
			batch:  batch{sag(1, 12, `{"a":3}`), sag(1, 11, `{"a":2}`), sag(1, 13, ""), sag(1, 14, `{"a":5}`)},
			want: "1 11 update [a] {\"a\": 1} {\"a\": 2}\n1 12 update [a] {\"a\": 2} {\"a\": 3}\n" +
				"1 13 delete <nil> {\"a\": 3} <nil>\n1 14 create <nil> <nil> {\"a\": 5}",
		},
		"a row that came and went within a batch leaves both": {
			batch: batch{sag(1, 10, `{"a":1}`).as(schema.Create), sag(1, 11, "")},
			want:  "1 10 create <nil> <nil> {\"a\": 1}\n1 11 delete <nil> {\"a\": 1} <nil>",
		},
		"of two records with one seq the first is history": {
			batch: batch{sag(1, 10, `{"a":1}`).as(schema.Create), sag(1, 10, `{"a":2}`), sag(1, 11, `{"a":3}`)},
			want:  "1 10 create <nil> <nil> {\"a\": 1}\n1 11 update [a] {\"a\": 1} {\"a\": 3}",
		},
		"equal content writes none": {
			before: []batch{{sag(1, 10, `{"a":1}`).as(schema.Snapshot)}},
			batch:  batch{sag(1, 11, `{ "a": 1.0 }`)},
		},
		"a change of the stamp alone writes none": {
			before: []batch{{sag(1, 10, `{"a":1,"opdateringsdato":"2026-01-01T00:00:00"}`).as(schema.Snapshot)}},
			batch:  batch{sag(1, 11, `{"a":1,"opdateringsdato":"2026-01-02T00:00:00"}`)},
		},
		"the stamp stands with the members that changed": {
			before: []batch{{sag(1, 10, `{"a":1,"opdateringsdato":"2026-01-01T00:00:00"}`).as(schema.Snapshot)}},
			batch:  batch{sag(1, 11, `{"a":2,"opdateringsdato":"2026-01-02T00:00:00"}`)},
			want: `1 11 update [a opdateringsdato] {"a": 1, "opdateringsdato": "2026-01-01T00:00:00"} ` +
				`{"a": 2, "opdateringsdato": "2026-01-02T00:00:00"}`,
		},
		"stale records write none": {
			before: []batch{{sag(1, 10, `{"a":1}`).as(schema.Snapshot)}, {sag(2, 10, "")}},
			batch:  batch{sag(1, 9, `{"a":0}`), sag(1, 10, `{"a":2}`), sag(2, 9, `{"a":0}`), sag(2, 10, "")},
		},
		"stale records are nobody's predecessor": {
			before: []batch{{sag(1, 10, `{"a":1,"b":1}`).as(schema.Snapshot)}},
			batch:  batch{sag(1, 9, `{"a":0}`), sag(1, 11, `{"a":1,"b":2}`)},
			want:   `1 11 update [b] {"b": 1} {"b": 2}`,
		},
		"a delete of an unknown row, and of a deleted one, writes none": {
			before: []batch{{sag(1, 10, "")}},
			batch:  batch{sag(1, 11, ""), sag(2, 11, "")},
		},
		"a snapshot that changes a row is an update": {
			before: []batch{{sag(1, 10, `{"a":1}`).as(schema.Snapshot)}},
			batch:  batch{sag(1, 11, `{"a":2}`).as(schema.Snapshot)},
			want:   `1 11 update [a] {"a": 1} {"a": 2}`,
		},
		"a snapshot of a deleted row creates it again": {
			before: []batch{{sag(1, 10, "")}},
			batch:  batch{sag(1, 11, `{"a":2}`).as(schema.Snapshot)},
			want:   `1 11 create <nil> <nil> {"a": 2}`,
		},
		"two snapshots of a row in one batch are a first load and an update": {
			batch: batch{sag(1, 10, `{"a":1}`).as(schema.Snapshot), sag(1, 11, `{"a":2}`).as(schema.Snapshot)},
			want:  `1 11 update [a] {"a": 1} {"a": 2}`,
		},
		"an update of a row that was never seen, its create compacted away, writes none": {
			batch: batch{sag(1, 10, `{"a":1}`)},
		},
		"a create over a row is an update": {
			before: []batch{{sag(1, 10, `{"a":1}`).as(schema.Snapshot)}},
			batch:  batch{sag(1, 11, `{"a":2}`).as(schema.Create)},
			want:   `1 11 update [a] {"a": 1} {"a": 2}`,
		},
		"keys are distinguished by their entity": {
			before: []batch{{sag(1, 10, `{"a":1}`).as(schema.Snapshot), record("Stemme", 1, 10, `{"a":7}`).as(schema.Snapshot)}},
			batch:  batch{sag(1, 11, `{"a":2}`), record("Stemme", 1, 11, `{"a":8}`)},
			want:   "1 11 update [a] {\"a\": 1} {\"a\": 2}\n1 11 update [a] {\"a\": 7} {\"a\": 8}",
		},
	} {
		t.Run(claim, func(t *testing.T) {
			empty(t, s.pool)
			for _, b := range tt.before {
				mustApply(t, s, b...)
			}
			mustApply(t, s, tt.batch...)
			mustApply(t, s, tt.batch...) // a replay writes none
			got := pgtest.Lines(t, s.pool, `SELECT entity_id, seq, action, changed, before::text, after::text
FROM parliamentary_history WHERE seq > 10 OR action <> 'delete' ORDER BY entity_type, entity_id, seq`)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("history (-want +got):\n%s", diff)
			}
		})
	}
}

// A batch whose history cannot be written writes nothing (Invariant 2).
func TestHistoryIsWrittenInTheTransaction(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	mustApply(t, s, sag(1, 10, `{"a":1}`).as(schema.Snapshot))
	b := Batch{Records: []Record{sag(1, 11, `{"a":2}`)}, Moves: []Move{{TopicPartition: schema.TopicPartition{Topic: "parliament-sag"}, From: 7, To: 8}}}
	if _, err := s.Apply(t.Context(), b); err == nil {
		t.Fatal("Apply with a lost offset gave no error")
	}
	if got := pgtest.Lines(t, s.pool, `SELECT count(*) FROM parliamentary_history`); got != "0" {
		t.Errorf("history rows of a batch that was dropped = %s, want 0", got)
	}
}

// asOf is the row at a seq, "<nil>" for none.
func asOf(tb testing.TB, s *Store, entity string, id, seq int64) string {
	tb.Helper()
	return pgtest.Lines(tb, s.pool, `SELECT parliament.as_of($1, $2, $3)::text`, entity, id, time.UnixMicro(seq).UTC())
}

func TestAsOf(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	mustApply(t, s, sag(1, 10, `{"a":1}`).as(schema.Snapshot))
	mustApply(t, s, sag(1, 15, `{"a":1}`)) // raises the seq alone
	mustApply(t, s, sag(1, 20, `{"a":2,"b":null}`))
	mustApply(t, s, sag(1, 25, `{"b":null,"a":2}`), sag(1, 30, ""), sag(1, 40, `{"a":4}`))
	mustApply(t, s, sag(1, 50, ""))
	mustApply(t, s, sag(2, 60, `{"x":1}`).as(schema.Create))
	for claim, tt := range map[string]struct {
		id, seq int64
		want    string
	}{
		"null before it was known":                     {1, 9, "<nil>"},
		"the first load's row, which wrote no history": {1, 10, `{"a": 1}`},
		"equal content keeps the moment it began":      {1, 12, `{"a": 1}`},
		"as it was just before the change":             {1, 19, `{"a": 1}`},
		"as it was at the change":                      {1, 20, `{"a": 2, "b": null}`},
		"as it was just before the delete":             {1, 29, `{"a": 2, "b": null}`},
		"null once deleted":                            {1, 30, "<nil>"},
		"null until it was created again":              {1, 39, "<nil>"},
		"the second life":                              {1, 40, `{"a": 4}`},
		"null after the second delete":                 {1, 50, "<nil>"},
		"null before a create":                         {2, 59, "<nil>"},
		"a created row":                                {2, 60, `{"x": 1}`},
		"a created row long after":                     {2, math.MaxInt32, `{"x": 1}`},
		"null for an unknown row":                      {3, 60, "<nil>"},
	} {
		t.Run(claim, func(t *testing.T) {
			if got := asOf(t, s, "Sag", tt.id, tt.seq); got != tt.want {
				t.Errorf("as_of(Sag, %d, %d µs) = %s, want %s", tt.id, tt.seq, got, tt.want)
			}
		})
	}
	got := pgtest.Lines(t, s.pool, `SELECT parliament.as_of('Sag', 2, 'infinity')::text, parliament.as_of('Sag', 2, '-infinity')::text`)
	if want := `{"x": 1} <nil>`; got != want {
		t.Errorf("as_of at both ends of time = %s, want %s", got, want)
	}
}

func TestChangesSince(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	mustApply(t, s, sag(1, 10, `{"a":1}`).as(schema.Create), record("Stemme", 1, 15, `{"b":1}`).as(schema.Create))
	mustApply(t, s, sag(1, 20, `{"a":2}`), record("Stemme", 1, 30, ""))
	const query = `SELECT entity, id, action, changed, before::text, after::text, seq, recorded_at <= now() FROM parliament.changes_since($1)`
	got := pgtest.Lines(t, s.pool, query, time.UnixMicro(10))
	want := "Stemme 1 create <nil> <nil> {\"b\": 1} 15 true\nSag 1 update [a] {\"a\": 1} {\"a\": 2} 20 true\nStemme 1 delete <nil> {\"b\": 1} <nil> 30 true"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("changes_since(10 µs) (-want +got):\n%s", diff)
	}
	if got := pgtest.Lines(t, s.pool, query, time.UnixMicro(30)); got != "" {
		t.Errorf("changes_since the last change = %s, want none", got)
	}
}

// Real votes as they were in 2014 and in 2019, some of them deleted and created again
// between.
func TestAsOfRealVotes(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	entity, err := schema.Lookup("Afstemning")
	if err != nil {
		t.Fatal(err)
	}
	const first, second = 1_412_164_800_000_000, 1_551_441_600_000_000 // 2014-10, 2019-03
	versions := [][]Record{realRows(t, "2014-10", entity, math.MaxInt), realRows(t, "2019-03", entity, math.MaxInt)}
	known := map[int64]bool{}
	for i := range versions[0] {
		r := &versions[0][i]
		r.Change.Action, r.Change.Seq = schema.Snapshot, first
		known[r.Change.ID] = true
	}
	changed := 0
	for i := range versions[1] {
		r := &versions[1][i]
		r.Change.Action, r.Change.Seq = schema.Create, second
		if known[r.Change.ID] {
			r.Change.Action = schema.Update
			changed++
		}
	}
	if changed == 0 {
		t.Fatal("no vote is in both captures: nothing is shown")
	}
	for _, v := range versions {
		for batch := range slices.Chunk(v, 1000) {
			mustApply(t, s, batch...)
		}
	}
	if got, want := pgtest.Lines(t, s.pool, `SELECT count(*) FROM parliamentary_history WHERE action = 'create'`), fmt.Sprint(len(versions[1])-changed); got != want {
		t.Errorf("creates in the history = %s, want %s: the first load has none", got, want)
	}
	for i, at := range []int64{first, second - 1, second} {
		checkAsOf(t, s, versions[i/2], at)
	}
	if got := pgtest.Lines(t, s.pool, `SELECT count(parliament.as_of(entity_type, entity_id, $1)) FROM parliamentary_data`, time.UnixMicro(first-1)); got != "0" {
		t.Errorf("rows before the first load = %s, want 0", got)
	}
	t.Logf("%d votes of 2014, %d of 2019, %d in both, %s changed", len(versions[0]), len(versions[1]), changed,
		pgtest.Lines(t, s.pool, `SELECT count(*) FROM parliamentary_history WHERE action = 'update'`))
}

// checkAsOf compares every row with as_of; a change of the stamp alone is not a
// version.
func checkAsOf(t *testing.T, s *Store, rows []Record, at int64) {
	t.Helper()
	ids, data := make([]int64, 0, len(rows)), make([]string, 0, len(rows))
	for _, r := range rows {
		ids, data = append(ids, r.Change.ID), append(data, string(r.Change.Data))
	}
	got := pgtest.Lines(t, s.pool, `SELECT count(*), count(*) FILTER (WHERE x.was - 'opdateringsdato' = r.data::jsonb - 'opdateringsdato')
FROM unnest($1::bigint[], $2::text[]) r (id, data), LATERAL (SELECT parliament.as_of('Afstemning', r.id, $3) AS was) x`, ids, data, time.UnixMicro(at))
	if want := fmt.Sprintf("%d %[1]d", len(rows)); got != want {
		t.Errorf("votes as of %s, and those as the capture has them = %s, want %s", time.UnixMicro(at).UTC(), got, want)
	}
}

// historyMonths are the partitions of the history.
func historyMonths(tb testing.TB, s *Store) []string {
	tb.Helper()
	return strings.Fields(pgtest.Lines(tb, s.pool, `SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = 'parliamentary_history'::regclass ORDER BY 1`))
}

func TestHistoryMonths(t *testing.T) {
	t.Parallel()
	s := New(open(t, pgtest.Migrated(t)), "test", Config{GIN: "off"}, quiet())
	now := time.Now().UTC()
	month := func(n int) string {
		return time.Date(now.Year(), now.Month()+time.Month(n), 1, 0, 0, 0, 0, time.UTC).Format("parliamentary_history_2006_01")
	}
	for n := -3; n < 0; n++ {
		begin := time.Date(now.Year(), now.Month()+time.Month(n), 1, 0, 0, 0, 0, time.UTC)
		mustExec(t, s, fmt.Sprintf(`CREATE TABLE %s PARTITION OF parliamentary_history FOR VALUES FROM ('%s') TO ('%s')`,
			month(n), begin.Format(time.RFC3339), begin.AddDate(0, 1, 0).Format(time.RFC3339)))
	}
	mustExec(t, s, "DROP TABLE "+month(3))
	all := []string{month(-3), month(-2), month(-1), month(0), month(1), month(2), month(3)}
	if err := s.MaintainHistory(t.Context(), History{}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(all, historyMonths(t, s)); diff != "" {
		t.Errorf("months kept for ever, and created ahead (-want +got):\n%s", diff)
	}
	// Up to a second before the last month but one began: that month stays, the one before is dropped.
	keep := now.Sub(time.Date(now.Year(), now.Month()-1, 1, 0, 0, 0, 0, time.UTC)) - time.Minute
	if err := s.MaintainHistory(t.Context(), History{Keep: Keep(keep)}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(all[2:], historyMonths(t, s)); diff != "" {
		t.Errorf("months kept for %s (-want +got):\n%s", keep, diff)
	}
}

// as_of is null for a time that HISTORY_KEEP dropped, and not another version.
func TestAsOfBeforeTheKeptHistory(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	mustApply(t, s, sag(1, 10, `{"a":1}`).as(schema.Create))
	mustApply(t, s, sag(1, 20, `{"a":2}`))
	mustExec(t, s, `DELETE FROM parliamentary_history`)
	mustApply(t, s, sag(1, 30, `{"a":3}`))
	got := map[int64]string{}
	for _, seq := range []int64{10, 19, 20, 29, 30} {
		got[seq] = asOf(t, s, "Sag", 1, seq)
	}
	want := map[int64]string{10: "<nil>", 19: "<nil>", 20: `{"a": 2}`, 29: `{"a": 2}`, 30: `{"a": 3}`}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("as_of by seq (-want +got):\n%s", diff)
	}
}

// A month without a partition gets one when a row needs it.
func TestAMissingMonthIsCreated(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	for _, name := range historyMonths(t, s) {
		mustExec(t, s, "DROP TABLE "+name)
	}
	mustApply(t, s, sag(1, 10, `{"a":1}`).as(schema.Create))
	if got := pgtest.Lines(t, s.pool, `SELECT count(*) FROM parliamentary_history`); got != "1" {
		t.Errorf("history rows = %s, want 1", got)
	}
}

func TestKeep(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Keep{"forever": 0, "8760h": Keep(8760 * time.Hour), "1h": Keep(time.Hour)} {
		keep := Keep(7)
		if err := keep.UnmarshalText([]byte(text)); err != nil || keep != want {
			t.Errorf("UnmarshalText(%q) = %d, %v, want %d", text, keep, err, want)
		}
	}
	for _, text := range slices.Sorted(maps.Keys(map[string]bool{"": true, "0": true, "59m": true, "-1h": true, "1y": true})) {
		if err := new(Keep).UnmarshalText([]byte(text)); err == nil {
			t.Errorf("UnmarshalText(%q) gave no error", text)
		}
	}
}

func mustExec(tb testing.TB, s *Store, query string, args ...any) {
	tb.Helper()
	if _, err := s.pool.Exec(tb.Context(), query, args...); err != nil {
		tb.Fatalf("%s: %v", query, err)
	}
}
