package cache

import (
	"bytes"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgxpool"

	"odastream/internal/test/pgtest"
	"odastream/schema"
)

// readable has rows 1 to 4 of Sag, of which 4 is past its CACHE_TTL; 5 was removed by
// CACHE_TTL, 6 was deleted at the source, 3 was once and came again.
func readable(t *testing.T) (*Store, *Reader) {
	t.Helper()
	s := newStore(t)
	exec(t, s, `INSERT INTO parliamentary_data (entity_type, entity_id, data, seq, expires_at)
SELECT 'Sag', i, jsonb_build_object('id', i), i * 10, CASE WHEN i = 4 THEN now() - interval '1s' END FROM generate_series(1, 4) i;
INSERT INTO parliamentary_deleted (entity_type, entity_id, seq, expired) VALUES ('Sag', 5, 50, true), ('Sag', 6, 60, false), ('Sag', 3, 1, true);
INSERT INTO dead_letters (topic, partition, "offset", key, class, error, failed_at) VALUES ('p-sag', 0, 1, 'Sag:1', 'data', 'x', now()), ('p-sag', 0, 2, 'Sag:1', 'data', 'x', now());
UPDATE dead_letters SET state = 'discarded' WHERE "offset" = 2;
INSERT INTO sink_offsets (group_id, topic, partition, topic_id, next_offset) VALUES ('g', 'p-sag', 0, gen_random_uuid(), 7), ('g', 'p-sag', 1, gen_random_uuid(), 4)`)
	return s, NewReader(s.pool)
}

func TestReaderReturnsCurrentAndDeletedRows(t *testing.T) {
	t.Parallel()
	_, r := readable(t)
	ctx := t.Context()
	want := map[int64]StoredRow{
		2: {Seq: 20, Data: []byte(`{"id": 2}`)}, 3: {Seq: 30, Data: []byte(`{"id": 3}`)},
		4: {Seq: 40, Data: []byte(`{"id": 4}`)}, 5: {Seq: 50, Expired: true},
	}
	got, err := r.RowsIn(ctx, "Sag", schema.IDRange{Low: 1, High: 6})
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("RowsIn(1, 6], %v (-want +got):\n%s", err, diff)
	}
	got, err = r.Rows(ctx, "Sag", []int64{2, 3, 4, 5, 6, 99})
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("Rows, %v (-want +got):\n%s", err, diff)
	}
	all := schema.IDRange{Low: math.MinInt64, High: schema.NoEnd}
	if ids, err := r.RowIDs(ctx, "Sag", all); !cmp.Equal(ids, []int64{1, 2, 3, 4, 5}) || err != nil {
		t.Errorf("RowIDs = %v, %v, want 1 to 5", ids, err)
	}
	if low, high, ok, err := r.IDBounds(ctx, "Sag"); low != 1 || high != 4 || !ok || err != nil {
		t.Errorf("IDBounds = %d, %d, %v, %v, want 1, 4, true", low, high, ok, err)
	}
	if _, _, ok, err := r.IDBounds(ctx, "Fil"); ok || err != nil {
		t.Errorf("IDBounds of no rows = %v, %v, want false", ok, err)
	}
	row, deleted, err := r.Row(ctx, "Sag", 3)
	if err != nil || row == nil || deleted == nil || row.Seq != 30 || row.Data != `{"id": 3}` || !deleted.Expired {
		t.Errorf("Row(3) = %+v, %+v, %v, want it twice", row, deleted, err)
	}
	if row, deleted, err := r.Row(ctx, "Sag", 99); err != nil || row != nil || deleted != nil {
		t.Errorf("Row(99) = %+v, %+v, %v, want neither", row, deleted, err)
	}
}

func TestSameContentComparesAsPostgresDoes(t *testing.T) {
	t.Parallel()
	s, r := readable(t)
	exec(t, s, `UPDATE parliamentary_data SET data = '{"a":100,"b":"ø","opdateringsdato":"x"}' WHERE entity_id = 1`)
	for claim, tt := range map[string]struct {
		id   int64
		data string
		want bool
	}{
		"other order, numbers and escapes":   {1, `{"b":"\u00f8","a":1e2,"opdateringsdato":"y"}`, true},
		"another value":                      {1, `{"a":101,"b":"ø"}`, false},
		"a value that Postgres cannot store": {1, `{"a":"\u0000"}`, false},
		"a row that is not there":            {99, `{}`, false},
	} {
		if got, err := r.SameContent(t.Context(), "Sag", tt.id, []byte(tt.data)); got != tt.want || err != nil {
			t.Errorf("%s: SameContent = %v, %v, want %v", claim, got, err, tt.want)
		}
	}
}

func TestReaderCounts(t *testing.T) {
	t.Parallel()
	_, r := readable(t)
	ctx := t.Context()
	want := Counts{Rows: 3, Deleted: 1, Expired: 3, DeadLetters: 1}
	if got, err := r.Counts(ctx, "Sag"); got != want || err != nil {
		t.Errorf("Counts = %+v, %v, want %+v", got, err, want)
	}
	if got, err := r.CountRows(ctx); !maps.Equal(got, map[string]int64{"Sag": 4}) || err != nil {
		t.Errorf("CountRows = %v, %v, want 4 of Sag", got, err)
	}
	if got, err := r.OpenDeadLetters(ctx); !maps.Equal(got, map[string]int64{"p-sag": 1}) || err != nil {
		t.Errorf("OpenDeadLetters = %v, %v, want 1", got, err)
	}
	if got, err := r.Applied(ctx); !maps.Equal(got, map[string]int64{"g": 11}) || err != nil {
		t.Errorf("Applied = %v, %v, want 11", got, err)
	}
	at, err := r.AppliedAt(ctx)
	if topics := slices.Collect(maps.Keys(at)); !cmp.Equal(topics, []string{"p-sag"}) || at["p-sag"].IsZero() || err != nil {
		t.Errorf("AppliedAt = %v, %v, want a time of p-sag", at, err)
	}
}

func TestCopyOutWritesEachMemberOnce(t *testing.T) {
	t.Parallel()
	s, r := readable(t)
	exec(t, s, `UPDATE parliamentary_data SET data = data || '{"it''s %":null}' WHERE entity_id = 2; DELETE FROM parliamentary_data WHERE entity_id > 2`)
	var lines, table bytes.Buffer
	if n, err := r.CopyJSON(t.Context(), "Sag", &lines); n != 2 || err != nil || strings.Count(lines.String(), "\n") != 2 {
		t.Errorf("CopyJSON = %d, %v, %q, want two lines", n, err, &lines)
	}
	n, err := r.CopyCSV(t.Context(), "Sag", []string{"id", "titel"}, &table)
	if want := "id,titel,it's %\n1,,\n2,,\n"; n != 2 || err != nil || table.String() != want {
		t.Errorf("CopyCSV = %d, %v, %q, want 2 rows and %q", n, err, &table, want)
	}
}

func TestIsMissingTable(t *testing.T) {
	t.Parallel()
	pool, err := pgxpool.New(t.Context(), pgtest.Empty(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	if _, err := NewReader(pool).Counts(t.Context(), "Sag"); !IsMissingTable(err) {
		t.Errorf("Counts in an empty database = %v, want that a table is missing", err)
	}
	if IsMissingTable(nil) {
		t.Error("IsMissingTable(nil) = true")
	}
}
