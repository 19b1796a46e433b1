package cache

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"odastream/internal/test/pgtest"
)

func TestApply(t *testing.T) {
	t.Parallel()
	type batch []Record
	s := newStore(t)
	for claim, tt := range map[string]struct {
		before []batch
		batch  batch
		want   Result
		state  string
	}{
		"a new row is inserted": {
			batch: batch{sag(1, 10, `{"a":1}`)},
			want:  Result{Inserted: 1}, state: `Sag:1 10 {"a": 1}`,
		},
		"a newer change replaces the row": {
			before: []batch{{sag(1, 10, `{"a":1}`)}},
			batch:  batch{sag(1, 11, `{"a":2}`)},
			want:   Result{Updated: 1}, state: `Sag:1 11 {"a": 2}`,
		},
		"an older change is stale": {
			before: []batch{{sag(1, 10, `{"a":1}`)}},
			batch:  batch{sag(1, 9, `{"a":2}`)},
			want:   Result{Stale: 1}, state: `Sag:1 10 {"a": 1}`,
		},
		"the same change once more is stale": {
			before: []batch{{sag(1, 10, `{"a":1}`)}},
			batch:  batch{sag(1, 10, `{"a":1}`)},
			want:   Result{Stale: 1}, state: `Sag:1 10 {"a": 1}`,
		},
		"equal content raises the seq": {
			before: []batch{{sag(1, 10, `{"a":1}`)}},
			batch:  batch{sag(1, 11, `{ "a": 1 }`)},
			want:   Result{Unchanged: 1}, state: `Sag:1 11 {"a": 1}`,
		},
		"of a key's changes in a batch the newest seq wins, not the last offset": {
			batch: batch{sag(1, 10, `{"a":1}`), sag(1, 12, `{"a":3}`), sag(1, 11, `{"a":2}`)},
			want:  Result{Inserted: 1, Superseded: 2}, state: `Sag:1 12 {"a": 3}`,
		},
		"of two changes with one seq the first stays, as it does across batches": {
			batch: batch{sag(1, 10, `{"a":1}`), sag(1, 10, `{"a":2}`)},
			want:  Result{Inserted: 1, Superseded: 1}, state: `Sag:1 10 {"a": 1}`,
		},
		"a delete moves the row with its last content": {
			before: []batch{{sag(1, 10, `{"a":1}`), sag(2, 10, `{"a":1}`)}},
			batch:  batch{sag(1, 11, "")},
			want:   Result{Deleted: 1}, state: "-Sag:1 11 {\"a\": 1}\nSag:2 10 {\"a\": 1}",
		},
		"a delete in the batch of its row keeps that content": {
			before: []batch{{sag(1, 10, `{"a":1}`)}},
			batch:  batch{sag(1, 11, `{"a":2}`), sag(1, 12, ""), sag(2, 5, `{"b":1}`), sag(2, 6, "")},
			want:   Result{Deleted: 2, Superseded: 2}, state: "-Sag:1 12 {\"a\": 2}\n-Sag:2 6 {\"b\": 1}",
		},
		"a delete keeps the row's content when its batch repeats older ones": {
			before: []batch{{sag(1, 10, `{"a":1}`)}},
			batch:  batch{sag(1, 9, `{"a":0}`), sag(1, 12, "")},
			want:   Result{Deleted: 1, Superseded: 1}, state: `-Sag:1 12 {"a": 1}`,
		},
		"a delete of an unknown row is stored": {
			batch: batch{sag(1, 11, "")},
			want:  Result{Deleted: 1}, state: `-Sag:1 11 `,
		},
		"no older change brings a deleted row back": {
			before: []batch{{sag(1, 11, "")}},
			batch:  batch{sag(1, 10, `{"a":1}`)},
			want:   Result{Stale: 1}, state: `-Sag:1 11 `,
		},
		"a delete older than the row is stale and not stored": {
			before: []batch{{sag(1, 10, `{"a":1}`)}},
			batch:  batch{sag(1, 9, "")},
			want:   Result{Stale: 1}, state: `Sag:1 10 {"a": 1}`,
		},
		"a newer delete of a deleted row raises its seq and keeps the content": {
			before: []batch{{sag(1, 10, `{"a":1}`)}, {sag(1, 11, "")}},
			batch:  batch{sag(1, 12, "")},
			want:   Result{Unchanged: 1}, state: `-Sag:1 12 {"a": 1}`,
		},
		"a row created again leaves the deleted ones": {
			before: []batch{{sag(1, 10, `{"a":1}`)}, {sag(1, 11, "")}},
			batch:  batch{sag(1, 12, `{"a":2}`), sag(2, 1, `{}`)},
			want:   Result{Inserted: 2}, state: "Sag:1 12 {\"a\": 2}\nSag:2 1 {}",
		},
		"a tombstone after its delete does nothing": {
			before: []batch{{sag(1, 10, `{"a":1}`)}, {sag(1, 11, "")}},
			batch:  batch{tombstone(1, 11)},
			want:   Result{Stale: 1}, state: `-Sag:1 11 {"a": 1}`,
		},
		"a tombstone beside its delete does nothing more": {
			before: []batch{{sag(1, 10, `{"a":1}`)}},
			batch:  batch{sag(1, 11, ""), tombstone(1, 11)},
			want:   Result{Deleted: 1, Superseded: 1}, state: `-Sag:1 11 {"a": 1}`,
		},
		"a tombstone alone, its delete compacted away, deletes": {
			before: []batch{{sag(1, 10, `{"a":1}`)}},
			batch:  batch{tombstone(1, 11)},
			want:   Result{Deleted: 1}, state: `-Sag:1 11 {"a": 1}`,
		},
		"an old tombstone leaves the row that was created again": {
			before: []batch{{sag(1, 10, `{"a":1}`)}},
			batch:  batch{tombstone(1, 9)},
			want:   Result{Stale: 1}, state: `Sag:1 10 {"a": 1}`,
		},
		"keys are distinguished by their entity": {
			batch: batch{sag(1, 10, `{"a":1}`), record("Stemme", 1, 10, `{"b":1}`), record("Aktør", 1, 10, "")},
			want:  Result{Inserted: 2, Deleted: 1}, state: "-Aktør:1 10 \nSag:1 10 {\"a\": 1}\nStemme:1 10 {\"b\": 1}",
		},
		"an empty batch does nothing": {},
	} {
		t.Run(claim, func(t *testing.T) {
			empty(t, s.pool)
			for _, b := range tt.before {
				mustApply(t, s, b...)
			}
			if got := mustApply(t, s, tt.batch...); got != tt.want {
				t.Errorf("Apply = %+v, want %+v", got, tt.want)
			}
			if diff := cmp.Diff(tt.state, state(t, s.pool)); diff != "" {
				t.Errorf("the cache (-want +got):\n%s", diff)
			}
		})
	}
}

func TestEqualContentLeavesTheRowAlone(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	const created, updated = `SELECT created_at::text FROM parliamentary_data`, `SELECT updated_at::text FROM parliamentary_data`
	mustApply(t, s, sag(1, 10, `{"a":1}`))
	first := pgtest.Lines(t, s.pool, updated)
	mustApply(t, s, sag(1, 11, `{"a":1}`))
	if got := pgtest.Lines(t, s.pool, updated); got != first {
		t.Errorf("updated_at after equal content = %s, want %s", got, first)
	}
	mustApply(t, s, sag(1, 12, `{"a":2}`))
	if got := pgtest.Lines(t, s.pool, updated); got <= first {
		t.Errorf("updated_at after new content = %s, want it after %s", got, first)
	}
	if got := pgtest.Lines(t, s.pool, created); got != first {
		t.Errorf("created_at after new content = %s, want %s", got, first)
	}
}

func TestStampOfTheSource(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	stamps := []string{"2026-11-23T16:09:58.347", "2014-09-09T09:05:49", "", "yesterday", "2023-02-29T00:00:00", "0000-01-01T00:00:00"}
	for i, stamp := range stamps {
		r := sag(int64(i), 1, `{}`)
		r.Change.Opdateringsdato = stamp
		mustApply(t, s, r)
	}
	got := pgtest.Lines(t, s.pool, `SELECT COALESCE(opdateringsdato::text, 'null') FROM parliamentary_data ORDER BY entity_id`)
	want := "2026-11-23 16:09:58.347\n2014-09-09 09:05:49\nnull\nnull\nnull\nnull"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("opdateringsdato of %q (-want +got):\n%s", stamps, diff)
	}
}

func TestRowsExpireOnlyWhereAskedFor(t *testing.T) {
	t.Parallel()
	pool := open(t, pgtest.Migrated(t))
	s := New(pool, "test", Config{TTL: TTL{"Omtryk": 720 * time.Hour}}, quiet())
	mustApply(t, s, sag(1, 1, `{}`), record("Omtryk", 2, 1, `{}`))
	got := pgtest.Lines(t, pool, `SELECT entity_type, COALESCE((expires_at - updated_at)::text, 'never') FROM parliamentary_data ORDER BY 1`)
	if want := "Omtryk 30 days\nSag never"; got != want {
		t.Errorf("kept for %q, want %q", got, want)
	}
}

func TestLongRowsArriveWhole(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	long := strings.Repeat("Lovforslaget gennemfører ", 1<<16) // 1.6 MiB
	mustApply(t, s, sag(1, 1, `{"x":"`+long+`"}`), sag(2, 1, `{}`))
	if got := pgtest.Lines(t, s.pool, `SELECT data ->> 'x' FROM parliamentary_data WHERE entity_id = 1`); got != long {
		t.Errorf("a row of %d bytes came back with %d", len(long), len(got))
	}
}
