package verify_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgxpool"

	"odastream/cache"
	"odastream/checkpoint"
	"odastream/internal/test/pgtest"
	"odastream/oda"
	"odastream/odasim"
	"odastream/verify"
)

// modes are the ways to verify; each names the same damage where it can see it.
func modes() map[string]verify.Options {
	return map[string]verify.Options{"full": {Full: true}, "by sample": {Sample: 5}, "by numbers": {}}
}

func TestACorrectCopyHasNoDifferences(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put("Sagstype", 120, 1, 1)
	w.put("Aktør", 30, 10, 3)
	w.copied("Sagstype")
	w.copied("Aktør")
	for mode, o := range modes() {
		t.Run(mode, func(t *testing.T) {
			r := w.verify(o, "Sagstype", "Aktør")
			if !r.OK || !strings.Contains(r.Sentence, "every row of every entity at the source is in the ledger and in the cache") {
				t.Errorf("OK %v, %q\n%s", r.OK, r.Sentence, found(r))
			}
			if r.Full != (mode != "by numbers") || strings.Contains(r.Sentence, "by number") == r.Full {
				t.Errorf("full = %v and says %q", r.Full, r.Sentence)
			}
			for i, n := range []int64{120, 30} {
				if e := r.Entities[i]; e.Source != n || e.Ledger != n || e.Cache != n || e.ConsistentThrough == nil {
					t.Errorf("%s: source %d, ledger %d, cache %d, through %v, want %d", e.Name, e.Source, e.Ledger, e.Cache, e.ConsistentThrough, n)
				}
			}
			if r.ConsistentThrough == nil || !r.ConsistentThrough.Equal(*r.Entities[0].ConsistentThrough) {
				t.Errorf("consistent through %v, want the first entity's %v", r.ConsistentThrough, r.Entities[0].ConsistentThrough)
			}
		})
	}
}

// damages are the kinds of damage to a copy of rows 1 to 250, each with the row that
// must be named and whether counts alone show it.
func damages() map[string]struct {
	do       func(w *world)
	want     string
	byNumber bool
} {
	edit := func(id int64) func(*world) {
		return func(w *world) {
			if err := w.sim.Edit("Sagstype", id, "type", "edited"); err != nil {
				w.t.Fatal(err)
			}
		}
	}
	sql := func(text string) func(*world) { return func(w *world) { w.exec(text) } }
	return map[string]struct {
		do       func(w *world)
		want     string
		byNumber bool
	}{
		"a row removed from the cache": {
			sql(`DELETE FROM parliamentary_data WHERE entity_id = 7`), "Sagstype/7 missing in the cache", true,
		},
		"a row added to the cache": {
			sql(`INSERT INTO parliamentary_data (entity_type, entity_id, data, seq) VALUES ('Sagstype', 9000, '{"id":9000}', 1)`),
			"Sagstype/9000 extra in the cache", true,
		},
		"a row changed in the cache": {
			sql(`UPDATE parliamentary_data SET data = jsonb_set(data, '{type}', '"x"') WHERE entity_id = 8`), "Sagstype/8 different in the cache", false,
		},
		"a row removed from the ledger": {
			sql(`DELETE FROM poller_ledger WHERE entity_id = 9`), "Sagstype/9 missing in the ledger", true,
		},
		"a row that the ledger takes for deleted": {
			sql(`UPDATE poller_ledger SET hash = NULL WHERE entity_id = 9`), "Sagstype/9 missing in the ledger", true,
		},
		"a row added to the ledger": {
			sql(`INSERT INTO poller_ledger (entity_type, entity_id, seq, hash) VALUES ('Sagstype', 9001, 1, '\x00112233445566778899aabbccddeeff')`),
			"Sagstype/9001 extra in the ledger", true,
		},
		"a row changed in the ledger": {
			sql(`UPDATE poller_ledger SET hash = '\x00112233445566778899aabbccddeeff' WHERE entity_id = 10`), "Sagstype/10 different in the ledger", false,
		},
		"a dirty row": {
			sql(`UPDATE poller_ledger SET hash = '' WHERE entity_id = 11`), "Sagstype/11 marked in the ledger to be published again", false,
		},
		"a row whose topic is gone": {
			sql(`UPDATE poller_ledger SET seq = 0, hash = NULL WHERE entity_id = 16`), "Sagstype/16 missing in the ledger", true,
		},
		"a row whose topic is gone, removed at the source": {
			func(w *world) {
				w.sim.Delete("Sagstype", 17)
				w.exec(`UPDATE poller_ledger SET seq = 0, hash = NULL WHERE entity_id = 17`)
			},
			"Sagstype/17 extra in the ledger and in the cache", true,
		},
		"a row removed at the source": {
			func(w *world) { w.sim.Delete("Sagstype", 12) }, "Sagstype/12 extra in the ledger and in the cache", true,
		},
		"a row added at the source": {
			func(w *world) { w.put("Sagstype", 1, 9002, 1) }, "Sagstype/9002 missing in the ledger and in the cache", true,
		},
		"a silent edit at the source": {edit(13), "Sagstype/13 different in the ledger and in the cache", false},
		"one removed and another added at once": {
			func(w *world) { w.sim.Delete("Sagstype", 14); w.exec(`DELETE FROM poller_ledger WHERE entity_id = 15`) },
			"Sagstype/14 extra in the ledger and in the cache\nSagstype/15 missing in the ledger", false,
		},
	}
}

func TestEachKindOfDamageIsNamed(t *testing.T) {
	t.Parallel()
	for claim, tt := range damages() {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.put("Sagstype", 250, 1, 1)
			w.copied("Sagstype")
			tt.do(w)
			for mode, o := range modes() {
				r := w.verify(o, "Sagstype")
				if mode == "by numbers" && !tt.byNumber {
					continue
				}
				if diff := cmp.Diff(tt.want, found(r)); diff != "" {
					t.Errorf("%s: differences (-want +got):\n%s", mode, diff)
				}
				if r.OK || !strings.Contains(r.Sentence, "of Sagstype differ: ") {
					t.Errorf("%s: OK %v, says %q", mode, r.OK, r.Sentence)
				}
			}
		})
	}
}

// jsonb does not keep a row's spelling. Another spelling is no difference, another
// value is.
func TestWhatJSONBDoesNotKeepIsNoDifference(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		source, cached string
		same           bool
	}{
		"order, space and escapes":  {`{"id":1,"a":"ø","b":2}`, `{ "b" : 2, "id":1, "a":"\u00f8" }`, true},
		"how a number is spelled":   {`{"id":1,"n":1e2,"m":1.50,"z":-0.0}`, `{"id":1,"n":100,"m":1.5,"z":0.0}`, true},
		"the stamp":                 {`{"id":1,"opdateringsdato":"2024-03-01T10:00:00"}`, `{"id":1,"opdateringsdato":null}`, true},
		"null is not empty":         {`{"id":1,"a":null}`, `{"id":1,"a":""}`, false},
		"null is not absent":        {`{"id":1,"a":null}`, `{"id":1}`, false},
		"a number is not a text":    {`{"id":1,"a":1}`, `{"id":1,"a":"1"}`, false},
		"a digit far behind":        {`{"id":1,"a":1.00000000000000000001}`, `{"id":1,"a":1}`, false},
		"a text that jsonb refuses": {`{"id":1,"a":"x\u0000"}`, `{"id":1,"a":"x"}`, false},
	}
	for claim, tt := range tests {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.row("Sagstype", `{"id":1}`)
			w.copied("Sagstype")
			w.row("Sagstype", tt.source)
			w.exec(`UPDATE parliamentary_data SET data = $1::text::jsonb`, tt.cached)
			hashAgain(w, "Sagstype")
			if got := found(w.verify(verify.Options{Full: true}, "Sagstype")) == ""; got != tt.same {
				t.Errorf("source %s, cache %s: same = %v, want %v", tt.source, tt.cached, got, tt.same)
			}
		})
	}
}

// Ids with wide gaps are split by rows: no request goes to an empty range.
func TestSparseIDsCostRequestsByRows(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put("AktørAktør", 12_000, 5, 4700) // up to id 56 million
	w.copied("AktørAktør")
	w.sim.Delete("AktørAktør", 5+11_000*4700)
	before := w.sim.Requests()
	r := w.verify(verify.Options{}, "AktørAktør")
	if got, want := found(r), fmt.Sprintf("AktørAktør/%d extra in the ledger and in the cache", 5+11_000*4700); got != want {
		t.Errorf("differences\n%s\nwant\n%s", got, want)
	}
	// One for all rows, one for each of three ranges, one for each page of the range
	// that differs and its end, one for the second read.
	if got := w.sim.Requests() - before; got > 30 {
		t.Errorf("%d requests for 12000 rows of which 2000 had to be read, want at most 30", got)
	}
	if r.Entities[0].Source != 11_999 {
		t.Errorf("source = %d rows, want 11999", r.Entities[0].Source)
	}
}

// changing is a source that changes after each page.
type changing struct {
	*oda.Client
	then func()
}

func (c changing) Page(ctx context.Context, set string, w oda.Window, lane oda.Lane) (oda.Page, error) {
	page, err := c.Client.Page(ctx, set, w, lane)
	c.then()
	return page, err
}

func TestSourceThatChangesMeanwhileIsNoDifference(t *testing.T) {
	t.Parallel()
	tests := map[string]func(w *world, n int64){
		"rows that come": func(w *world, n int64) {
			w.row("Sagstype", fmt.Sprintf(`{"id":%d,"type":"new","opdateringsdato":"%s"}`, 500-2*n, oda.Wall(time.Now())))
		},
		"rows that are edited": func(w *world, n int64) {
			w.row("Sagstype", fmt.Sprintf(`{"id":%d,"type":"new","opdateringsdato":"%s"}`, 499-2*n, oda.Wall(time.Now())))
		},
		"a row that is edited again and again without a stamp": func(w *world, n int64) {
			if err := w.sim.Edit("Sagstype", 499, "type", fmt.Sprint("edit ", n)); err != nil {
				w.t.Error(err)
			}
		},
		"rows that are copied a little later": func(w *world, n int64) {
			if n == 4 { // the whole copy is read by then, and the second read begins
				w.copied("Sagstype")
			}
		},
	}
	for claim, change := range tests {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.put("Sagstype", 250, 1, 2) // ids 1, 3, … 499
			w.copied("Sagstype")
			if claim == "rows that are copied a little later" {
				w.exec(`DELETE FROM parliamentary_data WHERE entity_id BETWEEN 101 AND 105`)
			}
			var n int64
			source := changing{w.client, func() { n++; change(w, n) }}
			v := verify.New(source, checkpoint.New(w.pool), cache.NewReader(w.pool))
			r, err := v.Verify(t.Context(), lookup(t, "Sagstype"), verify.Options{Full: true, Workers: 1, Patience: 50 * time.Millisecond})
			if err != nil || !r.OK {
				t.Errorf("Verify: %v, %q\n%s", err, r.Sentence, found(r))
			}
			// A row that agrees at the second read has not moved either.
			settled := claim == "rows that are copied a little later"
			if e := r.Entities[0]; (e.Moving == 0) != settled || found(r) != "" {
				t.Errorf("%d rows moved in %d pages: %+v", e.Moving, n, e)
			}
		})
	}
}

func TestExpiredRowsAreNotMissed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put("Omtryk", 10, 1, 1)
	w.copied("Omtryk")
	w.exec(`DELETE FROM parliamentary_data WHERE entity_id <= 3`)
	w.exec(`INSERT INTO parliamentary_deleted (entity_type, entity_id, seq, expired)
SELECT entity_type, entity_id, seq, true FROM poller_ledger WHERE entity_id <= 3`)
	w.exec(`UPDATE parliamentary_data SET expires_at = now() - interval '1 minute' WHERE entity_id = 4`)
	for mode, o := range modes() {
		r := w.verify(o, "Omtryk")
		if e := r.Entities[0]; !r.OK || e.Expired != 4 || e.Cache != 6 || e.Deleted != 0 {
			t.Errorf("%s: OK %v, expired %d, cache %d, deleted %d, want 4, 6, 0\n%s", mode, r.OK, e.Expired, e.Cache, e.Deleted, found(r))
		}
	}
}

func TestAnEntityThatCannotBeVerifiedIsNamed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put("Sagstype", 3, 1, 1)
	w.copied("Sagstype")
	w.put("Sagsstatus", 3, 1, 1) // never loaded
	for _, name := range []string{"Sagstype", "Debat"} {
		if err := w.sim.SetMissing(name, true); err != nil {
			t.Fatal(err)
		}
	}
	r := w.verify(verify.Options{}, "Sagstype", "Sagsstatus", "Debat")
	if e := r.Entities[0]; !strings.Contains(e.Trouble, "404") {
		t.Errorf("Sagstype: trouble %q, want the 404", e.Trouble)
	}
	if e := r.Entities[1]; !strings.Contains(e.Trouble, "first load is not complete") || e.Source != 3 {
		t.Errorf("Sagsstatus: trouble %q, source %d, want that it is not loaded, and 3", e.Trouble, e.Source)
	}
	if e := r.Entities[2]; !e.Absent || e.Trouble != "" {
		t.Errorf("Debat: absent %v, trouble %q, want absent and no fault", e.Absent, e.Trouble)
	}
	if r.OK || !strings.Contains(r.Sentence, "Sagstype, Sagsstatus could not be verified") {
		t.Errorf("OK %v, says %q", r.OK, r.Sentence)
	}
}

func TestManyDifferencesAreNotAllAsked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put("Sagstype", 2500, 1, 1)
	w.copied("Sagstype")
	w.exec(`DELETE FROM parliamentary_data`)
	before := w.sim.Requests()
	r := w.verify(verify.Options{}, "Sagstype")
	if e := r.Entities[0]; !e.AtLeast || e.Missing != 2000 || !strings.Contains(r.Sentence, "at least 2000 rows of Sagstype differ") {
		t.Errorf("at least %v, missing %d, says %q", e.AtLeast, e.Missing, r.Sentence)
	}
	if got := w.sim.Requests() - before; got > 40 {
		t.Errorf("%d requests, want at most 40", got)
	}
}

func TestDatabaseWithoutTables(t *testing.T) {
	t.Parallel()
	pool, err := pgxpool.New(t.Context(), pgtest.Empty(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	client, err := oda.New(oda.Config{URL: "http://127.0.0.1:1" + odasim.Root}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	v := verify.New(client, checkpoint.New(pool), cache.NewReader(pool))
	if _, err := v.Verify(t.Context(), lookup(t, "Sag"), verify.Options{}); !cache.IsMissingTable(err) {
		t.Errorf("Verify: %v, want that a table is missing", err)
	}
	if _, err := v.Explain(t.Context(), "Sag", 1); !cache.IsMissingTable(err) {
		t.Errorf("Explain: %v, want that a table is missing", err)
	}
}

func TestFrontierIsAView(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put("Sagstype", 1, 1, 1)
	w.copied("Sagstype")
	var entity string
	var through, watermark, loaded time.Time
	err := w.pool.QueryRow(t.Context(), `SELECT entity, consistent_through, watermark, loaded_at FROM parliament.consistent_through`).
		Scan(&entity, &through, &watermark, &loaded)
	if err != nil || entity != "Sagstype" || through.IsZero() || !through.Equal(watermark) || !through.Equal(loaded) {
		t.Errorf("frontier = %s %s %s %s, %v", entity, through, watermark, loaded, err)
	}
}
