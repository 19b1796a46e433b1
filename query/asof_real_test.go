package query_test

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"odastream/cache"
	"odastream/schema"
)

// captured returns an entity of a real capture, by id.
func captured(t *testing.T, capture, set string) map[int64]string {
	t.Helper()
	root := os.Getenv("ODASTREAM_REAL_ROWS")
	if root == "" {
		root = filepath.Join("..", "..", "shared", "oda")
	}
	file, err := os.Open(filepath.Join(root, "snapshots", capture, set+".ndjson.gz"))
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("REAL ROWS MISSING: %v; set ODASTREAM_REAL_ROWS to the folder that holds snapshots/", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	rows := map[int64]string{}
	lines := bufio.NewScanner(unzipped)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var row struct{ ID int64 }
		if err := json.Unmarshal(lines.Bytes(), &row); err != nil {
			t.Fatal(err)
		}
		rows[row.ID] = lines.Text()
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return rows
}

// become makes the copy's rows those of a capture, as a poller publishes it: a row with
// another stamp alone is left as it was. It changes rows to those that the copy then has.
func (p past) become(t *testing.T, entity string, rows, capture map[int64]string, seq int64) {
	t.Helper()
	var records []cache.Record
	for id, row := range capture {
		was, known := rows[id]
		action := schema.Create
		switch {
		case known && cmp.Equal(content(t, was), content(t, row)):
			continue
		case known:
			action = schema.Update
		case len(rows) == 0:
			action = schema.Snapshot
		}
		records = append(records, change(entity, id, seq+id, action, row))
	}
	for id := range rows {
		if _, stays := capture[id]; !stays {
			records = append(records, change(entity, id, seq+id, schema.Delete, ""))
		}
	}
	for batch := range slices.Chunk(records, 5000) {
		p.mustApply(t, batch...)
	}
	for _, r := range records {
		if rows[r.Change.ID] = string(r.Change.Data); r.Change.Data == nil {
			delete(rows, r.Change.ID)
		}
	}
}

// members returns the members of a row; content leaves the stamp out.
func members(t *testing.T, row string) (all map[string]any) {
	t.Helper()
	if err := json.Unmarshal([]byte(row), &all); err != nil {
		t.Fatal(err)
	}
	return all
}

func content(t *testing.T, row string) map[string]any {
	t.Helper()
	all := members(t, row)
	delete(all, "opdateringsdato")
	return all
}

// Of real rows that changed from 2014 to 2019, the copy gives at each capture's day those
// of the capture.
func TestARealPastIsTheCaptureOfItsDay(t *testing.T) {
	t.Parallel()
	for entity, days := range map[string][]string{
		"Afstemning": {"2014-10-17", "2019-03-23"},
		"Aktør":      {"2014-10-17", "2014-12-06", "2019-03-23"},
	} {
		t.Run(entity, func(t *testing.T) {
			t.Parallel()
			p := newPast(t)
			rows, want := map[int64]string{}, map[string]map[int64]string{}
			for _, day := range days {
				noon, err := time.Parse(time.RFC3339, day+"T12:00:00Z")
				if err != nil {
					t.Fatal(err)
				}
				p.become(t, entity, rows, captured(t, day[:7], schema.Suffix(entity)), noon.UnixMicro())
				want[day] = maps.Clone(rows)
			}
			then := p.at(t, time.Now(), nil)
			for _, day := range days {
				p.comparePast(t, then, entity, "asof="+day+"T23:00:00Z", want[day])
			}
			p.comparePast(t, then, entity, "", want[days[len(days)-1]])
			p.comparePast(t, then, entity, "asof="+days[0], nil)
		})
	}
}

// comparePast fails unless an entity has these rows, in pages of the mirror's size and in
// numbers.
func (p past) comparePast(t *testing.T, then *parliament, entity, rawQuery string, want map[int64]string) {
	t.Helper()
	a, err := then.fromCopy(t.Context(), entity, "$inlinecount=allpages&"+rawQuery, 1000)
	if err != nil {
		t.Fatal(err)
	}
	if a.Count != strconv.Itoa(len(want)) || len(a.Value) != len(want) {
		t.Errorf("%s?%s has %d rows and a count of %s, want %d", entity, rawQuery, len(a.Value), a.Count, len(want))
	}
	for _, row := range a.Value {
		got := members(t, string(row))
		id := int64(got["id"].(float64))
		if diff := cmp.Diff(members(t, want[id]), got); diff != "" {
			t.Fatalf("%s(%d)?%s (-capture +copy):\n%s", entity, id, rawQuery, diff)
		}
	}
}
