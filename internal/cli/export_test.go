package cli

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
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"odastream/export"
	"odastream/internal/test/pgtest"
	"odastream/schema"
)

// archive is a database with rows, and its address.
func archive(t *testing.T, insert string) (url string, conn *pgx.Conn) {
	t.Helper()
	url = pgtest.Migrated(t)
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(t.Context()) })
	if _, err := conn.Exec(t.Context(), insert); err != nil {
		t.Fatal(err)
	}
	return url, conn
}

func runExport(t *testing.T, url string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	status = Run(t.Context(), append([]string{"export"}, args...), []string{"DATABASE_URL=" + url}, &out, &errs)
	return status, out.String(), errs.String()
}

// oddVotes have every kind of value, and a member that is not known.
const oddVotes = `INSERT INTO parliamentary_data (entity_type, entity_id, data, seq) VALUES
    ('Afstemning', 2, $x${"id":2,"nummer":7,"konklusion":"Vedtaget\n\n\"108\" stemmer \\ for, (V)","vedtaget":true,"kommentar":null,"mødeid":17,"typeid":1,"sagstrinid":null,"opdateringsdato":"2014-09-09T09:05:59.653"}$x$, 1),
    ('Afstemning', 10, $x${"id":10,"kommentar":"","nyt % felt":{"a":[1,2]},"it's \\ \"":"x"}$x$, 1),
    ('Afstemning', -1, '{}', 1),
    ('Afstemningstype', 1, '{"id":1}', 1)`

func TestExportIsEachRowAsItIs(t *testing.T) {
	t.Parallel()
	url, _ := archive(t, oddVotes)
	status, out, said := runExport(t, url, "afstemning")
	if status != 0 || said != "3 rows of Afstemning\n" {
		t.Fatalf("export = %d: %s", status, said)
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
	url, _ := archive(t, oddVotes)
	status, out, said := runExport(t, url, "Afstemning", "--format", "csv")
	got, err := csv.NewReader(strings.NewReader(out)).ReadAll()
	if status != 0 || err != nil {
		t.Fatalf("export = %d, %v: %s", status, err, said)
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
	if _, out, _ := runExport(t, url, "Sagstrinstype", "--format", "csv"); out != "id,type,opdateringsdato\n" {
		t.Errorf("export of no rows = %q, want their names alone", out)
	}
}

// manyVotes are 40 MB, more than all buffers on the way hold.
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

// Not parallel: it looks at the memory of the process.
func TestExportIsOneSnapshotInFlatMemory(t *testing.T) {
	url, conn := archive(t, manyVotes)
	for _, format := range []string{"ndjson", "csv"} {
		var before, peak runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		out := &hook{do: func() {
			if _, err := conn.Exec(t.Context(), `DELETE FROM parliamentary_data WHERE entity_id % 2 = 0;
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
		var errs bytes.Buffer
		want := 20000
		if format == "csv" {
			want++ // the names
		}
		if status := Run(t.Context(), []string{"export", "Stemme", "--format", format}, []string{"DATABASE_URL=" + url}, out, &errs); status != 0 || out.lines != want {
			t.Errorf("%s while rows are deleted and added: status %d, %d lines, want %d: %s", format, status, out.lines, want, &errs)
		}
		t.Logf("%s: memory grew by %d KiB", format, (int64(peak.HeapAlloc)-int64(before.HeapAlloc))>>10)
		if grown := int64(peak.HeapAlloc) - int64(before.HeapAlloc); grown > 12<<20 {
			t.Errorf("%s of 40 MB: memory grew by %d MiB", format, grown>>20)
		}
		if _, err := conn.Exec(t.Context(), `DELETE FROM parliamentary_data; `+manyVotes); err != nil {
			t.Fatal(err)
		}
	}
}

func TestExportToAFileIsWholeOrNotThere(t *testing.T) {
	t.Parallel()
	url, _ := archive(t, oddVotes)
	dir := t.TempDir()
	path := filepath.Join(dir, "votes.ndjson")
	if status, out, said := runExport(t, url, "Afstemning", "--out", path); status != 0 || out != "" {
		t.Fatalf("export --out = %d, %q: %s", status, out, said)
	}
	whole, err := os.ReadFile(path)
	if err != nil || bytes.Count(whole, []byte("\n")) != 3 {
		t.Fatalf("file = %q, %v, want three rows", whole, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("file's mode = %v, %v, want one that others may read", info.Mode(), err)
	}
	broken := errors.New("no space left")
	err = export.WriteFile(path, func(w io.Writer) error {
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
	if status, _, said := runExport(t, "postgres://localhost:1/none", "Afstemning", "--out", filepath.Join(dir, "never")); status != 1 || !strings.Contains(said, "reach Postgres") {
		t.Errorf("export without a database = %d: %s", status, said)
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("files after an export without a database = %v, want one", left)
	}
}

func TestExportFaults(t *testing.T) {
	t.Parallel()
	url, _ := archive(t, oddVotes)
	for claim, tt := range map[string]struct {
		args   []string
		status int
		want   string
	}{
		"unknown entity":     {[]string{"Afstemmning"}, 2, "Afstemmning"},
		"unknown format":     {[]string{"Sag", "--format", "xml"}, 2, "want ndjson or csv"},
		"no entity":          {nil, 2, "want odastream export ENTITY"},
		"no such directory":  {[]string{"Sag", "--out", filepath.Join(t.TempDir(), "a", "b")}, 1, "no such file"},
		"a directory's name": {[]string{"Sag", "--out", t.TempDir()}, 1, "the file is as it was"},
	} {
		if status, out, said := runExport(t, url, tt.args...); status != tt.status || out != "" || !strings.Contains(said, tt.want) {
			t.Errorf("%s: export %q = %d, want %d and %q:\n%s", claim, tt.args, status, tt.status, tt.want, said)
		}
	}
	out := &hook{do: func() {}, fail: errors.New("nobody reads")}
	var errs bytes.Buffer
	if status := Run(t.Context(), []string{"export", "Afstemning"}, []string{"DATABASE_URL=" + url}, out, &errs); status != 1 || !strings.Contains(errs.String(), "nobody reads") {
		t.Errorf("export to nobody = %d: %s", status, &errs)
	}
}

func TestExportToldToStopIsNotDone(t *testing.T) {
	t.Parallel()
	url, _ := archive(t, strings.Replace(manyVotes, "20000", "9000", 1))
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	out := &hook{do: stop}
	var errs bytes.Buffer
	if status := Run(ctx, []string{"export", "Stemme"}, []string{"DATABASE_URL=" + url}, out, &errs); status != 1 {
		t.Errorf("export told to stop = %d, want 1: %s", status, &errs)
	}
}

// Each member of each entity can be a column.
func TestExportOfEveryEntity(t *testing.T) {
	t.Parallel()
	url, _ := archive(t, `SELECT`)
	for _, e := range schema.Entities() {
		status, out, said := runExport(t, url, e.Suffix, "--format", "csv")
		if names := strings.Split(strings.TrimSpace(out), ","); status != 0 || len(names) != len(e.Fields) {
			t.Errorf("export of %s = %d, %q: %s", e.Name, status, out, said)
		}
	}
}
