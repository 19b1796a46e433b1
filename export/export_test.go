package export_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgxpool"

	"odastream/cache"
	"odastream/export"
	"odastream/internal/test/machine"
	"odastream/internal/test/pgtest"
	"odastream/odata"
	"odastream/query"
	"odastream/schema"
)

// archive returns the copy of a database with the rows of insert.
func archive(t *testing.T, insert string) (export.Copy, *pgxpool.Pool) {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), pgtest.Migrated(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	if _, err := pool.Exec(t.Context(), insert); err != nil {
		t.Fatal(err)
	}
	return export.Copy{Rows: cache.NewReader(pool), Requests: query.NewReader(pool)}, pool
}

// write returns what Write writes of an entity, and the number of rows that it returns.
func write(t *testing.T, rows export.Copy, name string, format export.Format) (string, int64) {
	t.Helper()
	return writeSome(t, rows, all(t, name), format)
}

// all returns the request for all rows of an entity.
func all(t *testing.T, name string) *odata.Request {
	t.Helper()
	return some(t, name, "", "")
}

// some returns the request for rows that a condition selects, as they were at a moment.
func some(t *testing.T, name, where, asOf string) *odata.Request {
	t.Helper()
	entity, err := schema.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	request, err := export.Select(entity, where, asOf)
	if err != nil {
		t.Fatal(err)
	}
	return request
}

func writeSome(t *testing.T, rows export.Copy, request *odata.Request, format export.Format) (string, int64) {
	t.Helper()
	var out bytes.Buffer
	n, err := export.Write(t.Context(), rows, request, format, &out)
	if err != nil {
		t.Fatalf("Write(%s, %s): %v", request.Entity.Name, format, err)
	}
	return out.String(), n
}

// oddVotes have every kind of value, and an unknown member.
const oddVotes = `INSERT INTO parliamentary_data (entity_type, entity_id, data, seq) VALUES
    ('Afstemning', 2, $x${"id":2,"nummer":7,"konklusion":"Vedtaget\n\n\"108\" stemmer \\ for, (V)","vedtaget":true,"kommentar":null,"mødeid":17,"typeid":1,"sagstrinid":null,"opdateringsdato":"2014-09-09T09:05:59.653"}$x$, 1),
    ('Afstemning', 10, $x${"id":10,"kommentar":"","nyt % felt":{"a":[1,2]},"it's \\ \"":"x"}$x$, 1),
    ('Afstemning', -1, '{}', 1),
    ('Afstemningstype', 1, '{"id":1}', 1)`

func TestExportWritesEachRowUnchanged(t *testing.T) {
	t.Parallel()
	rows, _ := archive(t, oddVotes)
	out, n := write(t, rows, "Afstemning", export.JSON)
	if n != 3 {
		t.Errorf("Write = %d rows, want 3", n)
	}
	var got []any
	for line := range strings.Lines(out) {
		var row any
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		got = append(got, row)
	}
	want := []any{
		map[string]any{},
		map[string]any{
			"id": 2., "nummer": 7., "konklusion": "Vedtaget\n\n\"108\" stemmer \\ for, (V)", "vedtaget": true, "kommentar": nil, "mødeid": 17., "typeid": 1.,
			"sagstrinid": nil, "opdateringsdato": "2014-09-09T09:05:59.653",
		},
		map[string]any{"id": 10., "kommentar": "", "nyt % felt": map[string]any{"a": []any{1., 2.}}, `it's \ "`: "x"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
}

func TestExportAsCSV(t *testing.T) {
	t.Parallel()
	rows, _ := archive(t, oddVotes)
	out, _ := write(t, rows, "Afstemning", export.CSV)
	got, err := csv.NewReader(strings.NewReader(out)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	want := [][]string{
		{"id", "nummer", "konklusion", "vedtaget", "kommentar", "mødeid", "typeid", "sagstrinid", "opdateringsdato", `it's \ "`, "nyt % felt"},
		{"", "", "", "", "", "", "", "", "", "", ""},
		{"2", "7", "Vedtaget\n\n\"108\" stemmer \\ for, (V)", "true", "", "17", "1", "", "2014-09-09T09:05:59.653", "", ""},
		{"10", "", "", "", "", "", "", "", "", "x", `{"a": [1, 2]}`},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
	if !strings.Contains(out, "\n10,,,,\"\",,") {
		t.Errorf("an empty text is not told from null:\n%s", out)
	}
	if out, _ := write(t, rows, "Sagstrinstype", export.CSV); out != "id,type,opdateringsdato\n" {
		t.Errorf("export of no rows = %q, want their names alone", out)
	}
}

// manyVotes are 40 MB, more than all buffers together hold.
const manyVotes = `INSERT INTO parliamentary_data (entity_type, entity_id, data, seq)
SELECT 'Stemme', n, jsonb_build_object('id', n, 'tekst', repeat(md5(n::text), 62)), 1 FROM generate_series(1, 20000) n`

// hook calls do at the first byte, and counts lines.
type hook struct {
	do     func()
	lines  int
	begun  bool
	fail   error
	sample func()
}

func (h *hook) Write(p []byte) (int, error) {
	if !h.begun {
		h.begun = true
		h.do()
	}
	if h.sample != nil {
		h.sample()
	}
	h.lines += bytes.Count(p, []byte("\n"))
	return len(p), h.fail
}

// Not parallel: it measures the memory of the process.
func TestExportIsOneSnapshotInFlatMemory(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(10)) // garbage is no row that is held
	rows, pool := archive(t, manyVotes)
	everything, selected := all(t, "Stemme"), some(t, "Stemme", "id gt 0", "")
	for _, tt := range []struct {
		format  export.Format
		request *odata.Request
		lines   int
		limit   int64 // MiB
	}{
		{export.JSON, everything, 20000, 12},
		{export.CSV, everything, 20001, 12}, // with the header line
		{export.JSON, selected, 20000, 12},
		{export.CSV, selected, 20001, 12},
		{export.Parquet, everything, -1, 36}, // a row group as it comes, and as it is written
	} {
		claim := fmt.Sprintf("%s of %v", tt.format, tt.request.Filter)
		var before, peak runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		out := &hook{do: func() {
			if _, err := pool.Exec(t.Context(), `DELETE FROM parliamentary_data WHERE entity_id % 2 = 0;
INSERT INTO parliamentary_data (entity_type, entity_id, data, seq) SELECT 'Stemme', n, '{"ny":1}', 1 FROM generate_series(60000, 60100) n`); err != nil {
				t.Error(err)
			}
		}}
		out.sample = func() {
			var now runtime.MemStats
			if runtime.ReadMemStats(&now); now.HeapAlloc > peak.HeapAlloc {
				peak = now
			}
		}
		if n, err := export.Write(t.Context(), rows, tt.request, tt.format, out); err != nil || n != 20000 || tt.lines >= 0 && out.lines != tt.lines {
			t.Errorf("%s while rows are deleted and added: %d rows, %v, %d lines, want %d", claim, n, err, out.lines, tt.lines)
		}
		t.Logf("%s: memory grew by %d KiB", claim, (int64(peak.HeapAlloc)-int64(before.HeapAlloc))>>10)
		if grown := int64(peak.HeapAlloc) - int64(before.HeapAlloc); grown > tt.limit<<20 {
			t.Errorf("%s, 40 MB: memory grew by %d MiB", claim, grown>>20)
		}
		if _, err := pool.Exec(t.Context(), `DELETE FROM parliamentary_data; `+manyVotes); err != nil {
			t.Fatal(err)
		}
	}
}

// COPY and the statement of a condition write the same.
func TestAConditionForAllRowsWritesTheSame(t *testing.T) {
	t.Parallel()
	rows, _ := archive(t, oddVotes)
	for _, format := range []export.Format{export.JSON, export.CSV} {
		want, _ := write(t, rows, "Afstemning", format)
		got, n := writeSome(t, rows, some(t, "Afstemning", "id gt -100", ""), format)
		if diff := cmp.Diff(want, got); diff != "" || n != 3 {
			t.Errorf("%s, %d rows (-all +condition):\n%s", format, n, diff)
		}
	}
}

func TestAConditionSelectsRows(t *testing.T) {
	t.Parallel()
	rows, _ := archive(t, oddVotes)
	where := "typeid eq 1 and opdateringsdato gt datetime'2014-09-01'"
	if out, n := writeSome(t, rows, some(t, "Afstemning", where, ""), export.JSON); n != 0 {
		t.Errorf("rows without a stamp are selected by it: %s", out)
	}
	out, n := writeSome(t, rows, some(t, "Afstemning", "kommentar eq '' and id lt 11", ""), export.CSV)
	if lines := strings.Split(out, "\n"); n != 1 || !strings.HasPrefix(lines[0], "id,nummer,") || !strings.HasPrefix(lines[1], "10,,,,\"\",") {
		t.Errorf("%d rows:\n%s", n, out)
	}
	if out, n := writeSome(t, rows, some(t, "Afstemning", "id eq 2", ""), export.CSV); n != 1 || strings.Contains(out, "nyt") {
		t.Errorf("the header has members of rows that are not selected:\n%s", out)
	}
	vote, err := schema.Lookup("Afstemning")
	if err != nil {
		t.Fatal(err)
	}
	for _, wrong := range [][2]string{{"id eq", ""}, {"navn eq 1", ""}, {"", "yesterday"}} {
		var said *odata.Error
		if _, err := export.Select(vote, wrong[0], wrong[1]); !errors.As(err, &said) || said.At == 0 {
			t.Errorf("Select(%q) = %v, want an error with a place", wrong, err)
		}
	}
}

func TestExportOfAMoment(t *testing.T) {
	t.Parallel()
	rows, pool := archive(t, oddVotes)
	// The seq of a change is its time: 1 is in 1970, and the second in 2026.
	if _, err := pool.Exec(t.Context(), `CREATE TABLE parliamentary_history_all PARTITION OF parliamentary_history DEFAULT;
UPDATE parliamentary_data SET since = 1;
UPDATE parliamentary_data SET data = data || '{"nummer":8}', seq = 1790000000000000, since = 1790000000000000 WHERE entity_id = 2;
INSERT INTO parliamentary_history (entity_type, entity_id, seq, since, action, changed, before, after, recorded_at)
VALUES ('Afstemning', 2, 1790000000000000, 1, 'update', '{nummer}', '{"nummer":7}', '{"nummer":8}', now())`); err != nil {
		t.Fatal(err)
	}
	for moment, want := range map[string]string{"2026-01-01": `"nummer": 7`, "2026-11-01T00:00:00Z": `"nummer": 8`} {
		if out, n := writeSome(t, rows, some(t, "Afstemning", "id eq 2", moment), export.JSON); n != 1 || !strings.Contains(out, want) {
			t.Errorf("as of %s: %s, want %s", moment, out, want)
		}
	}
}

func TestAFileIsReplacedOnlyWhenComplete(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "votes.ndjson")
	whole := []byte("one\ntwo\n")
	if err := export.WriteFile(path, func(w io.Writer) error { _, err := w.Write(whole); return err }); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("file's mode = %v, %v, want one that others may read", info.Mode(), err)
	}
	broken := errors.New("no space left")
	err := export.WriteFile(path, func(w io.Writer) error {
		fmt.Fprint(w, "half")
		if names, err := os.ReadDir(dir); err != nil || len(names) != 2 {
			t.Errorf("files while it is written = %v, %v, want two", names, err)
		}
		return broken
	})
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), "the file is as it was") {
		t.Errorf("WriteFile that fails = %v", err)
	}
	left, err := os.ReadDir(dir)
	if now, _ := os.ReadFile(path); err != nil || len(left) != 1 || !bytes.Equal(now, whole) {
		t.Errorf("after a failure: files %v, content %q; want it as it was", left, now)
	}
}

// Each member of each entity can be a column.
func TestExportOfEveryEntity(t *testing.T) {
	t.Parallel()
	rows, _ := archive(t, `SELECT`)
	for _, e := range schema.Entities() {
		out, _ := write(t, rows, e.Name, export.CSV)
		if names := strings.Split(strings.TrimSpace(out), ","); len(names) != len(e.Fields) {
			t.Errorf("export of %s = %q, want %d columns", e.Name, out, len(e.Fields))
		}
	}
}

// A reader that stalls keeps Postgres from removing old rows for no longer than the export
// may take.
func TestAStalledReaderHoldsNoSnapshotAfterTheLimit(t *testing.T) {
	t.Parallel()
	for claim, where := range map[string]string{"all rows": "", "a condition": "id gt 0"} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			stalls(t, some(t, "Stemme", where, ""))
		})
	}
}

// stalls exports to a reader that reads nothing.
func stalls(t *testing.T, stemme *odata.Request) {
	t.Helper()
	rows, pool := archive(t, manyVotes)
	ctx, limit := context.WithCancelCause(t.Context())
	reading, stalled := make(chan struct{}), make(chan struct{})
	read := sync.OnceFunc(func() { close(stalled) })
	t.Cleanup(read) // the pool closes only without an export
	done := make(chan error, 1)
	go func() {
		_, err := export.Write(ctx, rows, stemme, export.JSON, &hook{do: func() { close(reading); <-stalled }})
		done <- err
	}()
	<-reading
	snapshots := func() bool {
		return pgtest.Value(t, pool.Config().ConnString(), `SELECT count(*)::text FROM pg_stat_activity WHERE datname = current_database() AND backend_xmin IS NOT NULL AND pid <> pg_backend_pid()`) != "0"
	}
	if !snapshots() {
		t.Fatal("no snapshot during an export: the test proves nothing")
	}
	tooLong := errors.New("too long")
	limit(tooLong)
	machine.Until(t, "the snapshot is gone", func() bool { return !snapshots() })
	read()
	if err := <-done; !errors.Is(err, tooLong) {
		t.Errorf("Write = %v, want %v", err, tooLong)
	}
}

func TestAnOutputThatNobodyReadsIsAnError(t *testing.T) {
	t.Parallel()
	rows, _ := archive(t, manyVotes)
	broken := errors.New("nobody reads")
	for _, where := range []string{"", "id gt 0"} {
		began := some(t, "Stemme", where, "")
		if _, err := export.Write(t.Context(), rows, began, export.JSON, &hook{do: func() {}, fail: broken}); !errors.Is(err, broken) {
			t.Errorf("Write of %q to nobody = %v, want %v", where, err, broken)
		}
	}
}
