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
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgxpool"

	"odastream/cache"
	"odastream/export"
	"odastream/internal/test/machine"
	"odastream/internal/test/pgtest"
	"odastream/schema"
)

// archive returns the cache of a database with the rows of insert.
func archive(t *testing.T, insert string) (*cache.Reader, *pgxpool.Pool) {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), pgtest.Migrated(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	if _, err := pool.Exec(t.Context(), insert); err != nil {
		t.Fatal(err)
	}
	return cache.NewReader(pool), pool
}

// write returns what Write writes of an entity, and the number of rows that it returns.
func write(t *testing.T, rows *cache.Reader, name string, format export.Format) (string, int64) {
	t.Helper()
	entity, err := schema.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	n, err := export.Write(t.Context(), rows, entity, format, &out)
	if err != nil {
		t.Fatalf("Write(%s, %s): %v", name, format, err)
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
	rows, pool := archive(t, manyVotes)
	stemme, err := schema.Lookup("Stemme")
	if err != nil {
		t.Fatal(err)
	}
	for _, format := range []export.Format{export.JSON, export.CSV} {
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
		want := 20000
		if format == export.CSV {
			want++ // the header line
		}
		if n, err := export.Write(t.Context(), rows, stemme, format, out); err != nil || n != 20000 || out.lines != want {
			t.Errorf("%s while rows are deleted and added: %d rows, %v, %d lines, want %d", format, n, err, out.lines, want)
		}
		t.Logf("%s: memory grew by %d KiB", format, (int64(peak.HeapAlloc)-int64(before.HeapAlloc))>>10)
		if grown := int64(peak.HeapAlloc) - int64(before.HeapAlloc); grown > 12<<20 {
			t.Errorf("%s of 40 MB: memory grew by %d MiB", format, grown>>20)
		}
		if _, err := pool.Exec(t.Context(), `DELETE FROM parliamentary_data; `+manyVotes); err != nil {
			t.Fatal(err)
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
	rows, pool := archive(t, manyVotes)
	stemme, err := schema.Lookup("Stemme")
	if err != nil {
		t.Fatal(err)
	}
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
	rows, _ := archive(t, oddVotes)
	votes, err := schema.Lookup("Afstemning")
	if err != nil {
		t.Fatal(err)
	}
	broken := errors.New("nobody reads")
	if _, err := export.Write(t.Context(), rows, votes, export.JSON, &hook{do: func() {}, fail: broken}); !errors.Is(err, broken) {
		t.Errorf("Write to nobody = %v, want %v", err, broken)
	}
}
