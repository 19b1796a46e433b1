package cache

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"odastream/internal/test/pgtest"
	"odastream/schema"
)

// realRows returns up to limit rows of an entity as the source gave them.
func realRows(t *testing.T, capture string, e schema.Entity, limit int) []Record {
	t.Helper()
	dir := os.Getenv("ODASTREAM_REAL_ROWS")
	if dir == "" {
		dir = filepath.Join("..", "..", "shared", "oda")
	}
	file, err := os.Open(filepath.Join(dir, "snapshots", capture, e.Suffix+".ndjson.gz"))
	if err != nil {
		t.Skipf("REAL ROWS MISSING: %v", err)
	}
	defer file.Close()
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	var records []Record
	lines := bufio.NewScanner(unzipped)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() && len(records) < limit {
		var row struct {
			ID              int64  `json:"id"`
			Opdateringsdato string `json:"opdateringsdato"`
		}
		if err := json.Unmarshal(lines.Bytes(), &row); err != nil {
			t.Fatal(err)
		}
		r := record(e.Name, row.ID, 1, lines.Text())
		r.Change.Opdateringsdato = row.Opdateringsdato
		records = append(records, r)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return records
}

// Each real row is stored unchanged, and each of its values fits its column in the
// view: no value of the source is null there.
func TestRealRows(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	for _, set := range []struct{ capture, name string }{
		{"2014-10", "Sag"}, {"2014-10", "Stemme"}, {"2014-12", "Aktør"}, {"2019-03", "Afstemning"}, {"2019-03", "Dagsordenspunkt"},
	} {
		e, err := schema.Lookup(set.name)
		if err != nil {
			t.Fatal(err)
		}
		records := realRows(t, set.capture, e, 2000)
		if got := mustApply(t, s, records...); got.Inserted != len(records) {
			t.Errorf("Apply of %d rows of %s = %+v", len(records), e.Name, got)
		}
		for _, r := range records[:20] {
			if got := pgtest.Lines(t, s.pool, `SELECT data = $3::jsonb FROM parliamentary_data WHERE entity_type = $1 AND entity_id = $2`, e.Name, r.Change.ID, string(r.Change.Data)); got != "true" {
				t.Errorf("%s is as given: %s, want true", schema.Key(e.Name, r.Change.ID), got)
			}
		}
		var lost []string
		for _, f := range e.Fields {
			lost = append(lost, fmt.Sprintf(`count(*) FILTER (WHERE v."%[1]s" IS NULL AND p.data ->> '%[1]s' IS NOT NULL)`, f.Name))
		}
		got := pgtest.Lines(t, s.pool, fmt.Sprintf(`SELECT %s FROM parliament.%s v JOIN parliamentary_data p ON p.entity_type = $1 AND p.entity_id = v.id`, strings.Join(lost, "+"), e.Suffix), e.Name)
		if got != "0" {
			t.Errorf("values of %s that are null in its view: %s, want 0", e.Name, got)
		}
	}
}
