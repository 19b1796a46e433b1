package cli

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"odastream/internal/test/pgtest"
)

// archive returns the address of a database with rows.
func archive(t *testing.T, insert string) (url string) {
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
	return url
}

func runExport(t *testing.T, url string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	status = Run(t.Context(), append([]string{"export"}, args...), []string{"DATABASE_URL=" + url}, &out, &errs)
	return status, out.String(), errs.String()
}

// oddVotes have every kind of value, and an unknown member.
const oddVotes = `INSERT INTO parliamentary_data (entity_type, entity_id, data, seq) VALUES
    ('Afstemning', 2, $x${"id":2,"nummer":7,"konklusion":"Vedtaget\n\n\"108\" stemmer \\ for, (V)","vedtaget":true,"kommentar":null,"mødeid":17,"typeid":1,"sagstrinid":null,"opdateringsdato":"2014-09-09T09:05:59.653"}$x$, 1),
    ('Afstemning', 10, $x${"id":10,"kommentar":"","nyt % felt":{"a":[1,2]},"it's \\ \"":"x"}$x$, 1),
    ('Afstemning', -1, '{}', 1),
    ('Afstemningstype', 1, '{"id":1}', 1)`

func TestExportWritesBothFormats(t *testing.T) {
	t.Parallel()
	url := archive(t, oddVotes)
	status, out, said := runExport(t, url, "afstemning")
	if lines := strings.Count(out, "\n"); status != 0 || said != "3 rows of Afstemning\n" || lines != 3 {
		t.Errorf("export = %d, %d lines: %s", status, lines, said)
	}
	status, out, said = runExport(t, url, "Afstemningstype", "--format", "csv")
	if status != 0 || said != "1 rows of Afstemningstype\n" || !strings.HasPrefix(out, "id,type,opdateringsdato\n1,") {
		t.Errorf("export --format csv = %d, %q: %s", status, out, said)
	}
}

// manyVotes are 18 MB, more than all buffers together hold.
const manyVotes = `INSERT INTO parliamentary_data (entity_type, entity_id, data, seq)
SELECT 'Stemme', n, jsonb_build_object('id', n, 'tekst', repeat(md5(n::text), 62)), 1 FROM generate_series(1, 9000) n`

// hook calls do at the first byte.
type hook struct {
	do    func()
	begun bool
	fail  error
}

func (h *hook) Write(p []byte) (int, error) {
	if !h.begun {
		h.begun = true
		h.do()
	}
	return len(p), h.fail
}

func TestExportWritesAFileCompletelyOrNotAtAll(t *testing.T) {
	t.Parallel()
	url := archive(t, oddVotes)
	dir := t.TempDir()
	path := filepath.Join(dir, "votes.ndjson")
	if status, out, said := runExport(t, url, "Afstemning", "--out", path); status != 0 || out != "" {
		t.Fatalf("export --out = %d, %q: %s", status, out, said)
	}
	whole, err := os.ReadFile(path)
	if err != nil || bytes.Count(whole, []byte("\n")) != 3 {
		t.Fatalf("file = %q, %v, want three rows", whole, err)
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
	url := archive(t, oddVotes)
	for claim, tt := range map[string]struct {
		args   []string
		status int
		want   string
	}{
		"unknown entity":     {[]string{"Afstemmning"}, 2, "Afstemmning"},
		"unknown format":     {[]string{"Sag", "--format", "xml"}, 2, "want ndjson, csv or parquet"},
		"no entity":          {nil, 2, "want odastream export ENTITY"},
		"no such directory":  {[]string{"Sag", "--out", filepath.Join(t.TempDir(), "a", "b")}, 1, "no such file"},
		"a directory's name": {[]string{"Sag", "--out", t.TempDir()}, 1, "is a directory"},
		"no time":            {[]string{"Sag", "--within", "0s"}, 2, "--within is 0s"},
		"a wrong condition":  {[]string{"Sag", "--where", "titel gt"}, 2, "$filter at character 9"},
		"no moment":          {[]string{"Sag", "--as-of", "yesterday"}, 2, "2026-11-01T12:00:00Z"},
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

func TestAnInterruptedExportExitsWithOne(t *testing.T) {
	t.Parallel()
	url := archive(t, manyVotes)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	out := &hook{do: stop}
	var errs bytes.Buffer
	if status := Run(ctx, []string{"export", "Stemme"}, []string{"DATABASE_URL=" + url}, out, &errs); status != 1 {
		t.Errorf("export told to stop = %d, want 1: %s", status, &errs)
	}
}
