package cache

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"odastream/internal/test/machine"
	"odastream/internal/test/pgtest"
	"odastream/schema"
)

// The lookup indexes of each entity, with the fields that no link has marked.
func TestWhatIsIndexed(t *testing.T) {
	t.Parallel()
	fields := map[string][]string{}
	for _, l := range lookups() {
		field, stamped := strings.CutPrefix(l.name, l.table+"_")
		if !stamped {
			t.Errorf("the index %s is not named after its table", l.name)
		}
		if field != "opdateringsdato" {
			table := strings.TrimPrefix(l.table, "parliamentary_data_")
			fields[table] = append(fields[table], field)
		}
		entity, err := schema.Lookup(l.entity)
		if err != nil || entity.Size == schema.Small {
			t.Errorf("the index %s is of %s, %v; want an entity that is not small", l.name, l.entity, err)
		}
		longest := len(l.name)
		if entity.Size == schema.Large {
			longest += len("_4294967295") // of a part
		}
		if longest > maxName {
			t.Errorf("the index %s has a name of up to %d bytes, more than Postgres takes", l.name, longest)
		}
	}
	want := map[string][]string{
		"afstemning":              {"moedeid", "sagstrinid"},
		"aktoer":                  {"periodeid"},
		"aktoeraktoer":            {"fraaktoerid", "tilaktoerid"},
		"dagsordenspunkt":         {"moedeid", "sagstrinid", "superid"},
		"dagsordenspunktdokument": {"dagsordenspunktid", "dokumentid"},
		"dagsordenspunktsag":      {"dagsordenspunktid", "sagid"},
		"dokument":                {"dato", "spoergsmaalsid"},
		"dokumentaktoer":          {"aktoerid", "dokumentid"},
		"emneorddokument":         {"dokumentid", "emneordid"},
		"emneordsag":              {"emneordid", "sagid"},
		"fil":                     {"dokumentid"},
		"moede":                   {"dato", "periodeid"},
		"moedeaktoer":             {"aktoerid", "moedeid"},
		"sag":                     {"deltundersagid", "fremsatundersagid", "periodeid"},
		"sagaktoer":               {"aktoerid", "sagid"},
		"sagdokument":             {"dokumentid", "sagid"},
		"sagstrin":                {"dato", "sagid"},
		"sagstrinaktoer":          {"aktoerid", "sagstrinid"},
		"sagstrindokument":        {"dokumentid", "sagstrinid"},
		"stemme":                  {"afstemningid", "aktoerid"},
	}
	if diff := cmp.Diff(want, fields); diff != "" {
		t.Errorf("indexed fields (-want +got):\n%s", diff)
	}
}

// lookupIndexes shows the indexes of a table on a field: how many, how many that are valid,
// and how many that are part of another one.
const lookupIndexes = `SELECT count(*), count(*) FILTER (WHERE i.indisvalid), count(*) FILTER (WHERE c.relispartition)
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE c.relname ~ ('^parliamentary_data_' || $1 || '(_[0-9]+)?$')`

// manyVotes fills Stemme, so that an index pays.
const manyVotes = `INSERT INTO parliamentary_data (entity_type, entity_id, data, seq)
SELECT 'Stemme', n, jsonb_build_object('id', n, 'afstemningid', n / 179, 'aktørid', n % 179), n FROM generate_series(1, 20000) n`

// A build that is cut off leaves an invalid index, which the next build replaces. Tables
// with few rows have no index.
func TestLookupIndexesAreBuiltBesideWriters(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	mustExec(t, s, manyVotes)
	mustApply(t, s, sag(1, 10, `{"a":1}`))
	release := hold(t, s, `UPDATE parliamentary_data SET seq = 30000 WHERE entity_type = 'Stemme' AND entity_id = 1`)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.MaintainLookups(ctx) }()
	machine.Until(t, "the build to wait for the writer", func() bool { return pgtest.Lines(t, s.pool, lockWaits) != "0" })
	if got := pgtest.Lines(t, s.pool, waitsFor); got != "virtualxid" {
		t.Errorf("the build waits for a lock of %s, want virtualxid: other sessions wait behind one of a relation", got)
	}
	otherGoesOn(t, s, 2)
	mustApply(t, s, record("Stemme", 2, 40000, `{"a":1}`))
	cancel()
	if err := machine.Recv(t, "the build to end early", done); !errors.Is(err, context.Canceled) {
		t.Errorf("MaintainLookups whose context ends = %v, want %v", err, context.Canceled)
	}
	const invalid = `SELECT count(*) > 0 FROM pg_index WHERE NOT indisvalid`
	if got := pgtest.Lines(t, s.pool, invalid); got != "true" {
		t.Errorf("an index is invalid after a build that was cut off: %s, want true", got)
	}
	release()
	for range 2 {
		if err := s.MaintainLookups(t.Context()); err != nil {
			t.Fatal(err)
		}
		for field, want := range map[string]string{
			"stemme_afstemningid":    "9 9 8", // each of the parts, and the whole
			"stemme_aktoerid":        "9 9 8",
			"stemme_opdateringsdato": "9 9 8",
			"sag_periodeid":          "0 0 0",
			"fil_dokumentid":         "0 0 0",
		} {
			if got := pgtest.Lines(t, s.pool, lookupIndexes, field); got != want {
				t.Errorf("indexes of %s, valid ones, parts: %s, want %s", field, got, want)
			}
		}
		if got := pgtest.Lines(t, s.pool, invalid); got != "false" {
			t.Errorf("an index is invalid: %s, want false", got)
		}
	}
}

// Several sinks build each index once, and an entity that is not split has one.
func TestManySinksBuildEachLookupIndexOnce(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	mustExec(t, s, strings.NewReplacer("Stemme", "Sagstrin", "afstemningid", "sagid").Replace(manyVotes))
	errs := make(chan error, 4)
	for range cap(errs) {
		go func() {
			errs <- New(s.pool, "test", s.cfg, quiet()).MaintainLookups(context.WithoutCancel(t.Context()))
		}()
	}
	for range cap(errs) {
		if err := machine.Recv(t, "a sink's build", errs); err != nil {
			t.Error(err)
		}
	}
	for _, field := range []string{"sagstrin_sagid", "sagstrin_dato", "sagstrin_opdateringsdato"} {
		if got := pgtest.Lines(t, s.pool, lookupIndexes, field); got != "1 1 0" {
			t.Errorf("indexes of %s, valid ones, parts: %s, want 1 1 0", field, got)
		}
	}
}

// While an entity is loaded its indexes are not built: that would cost the sink more.
func TestLookupIndexesAreBuiltAfterTheLoad(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	mustExec(t, s, manyVotes)
	mustExec(t, s, strings.ReplaceAll(manyVotes, "Stemme", "Sagstrin"))
	mustExec(t, s, `UPDATE parliamentary_data SET updated_at = now() - interval '2 minutes' WHERE entity_type = 'Sagstrin'`)
	for entity, want := range map[string]string{"sagstrin_sagid": "1 1 0", "stemme_afstemningid": "0 0 0"} {
		if err := s.maintainLookups(t.Context(), loading); err != nil {
			t.Fatal(err)
		}
		if got := pgtest.Lines(t, s.pool, lookupIndexes, entity); got != want {
			t.Errorf("indexes of %s, valid ones, parts: %s, want %s", entity, got, want)
		}
	}
}

// A value of any JSON type is indexed: an index whose expression failed would refuse rows.
func TestAnyValueIsIndexed(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	mustExec(t, s, strings.ReplaceAll(manyVotes, "Stemme", "Sagstrin"))
	if err := s.MaintainLookups(t.Context()); err != nil {
		t.Fatal(err)
	}
	values := []string{`null`, `true`, `"5"`, `5.0`, `5.5`, `1e30`, `[5]`, `{"a":5}`, `"2026-02-30T00:00:00"`, `"2026-02-28T00:00:00.1234567"`, `""`}
	var records []Record
	for i, v := range values {
		data := fmt.Sprintf(`{"sagid":%s,"dato":%[1]s,"opdateringsdato":%[1]s}`, v)
		records = append(records, record("Sagstrin", int64(100_000+i), 1, data))
	}
	if got := mustApply(t, s, slices.Concat(records, []Record{record("Sagstrin", 200_000, 1, `{}`)})...); got.Inserted != len(values)+1 {
		t.Errorf("Apply = %+v, want %d inserted", got, len(values)+1)
	}
}
