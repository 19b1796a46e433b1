package export_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgxpool"

	"odastream/cache"
	"odastream/export"
	"odastream/internal/test/pgtest"
	"odastream/query"
	"odastream/schema"
)

// past gives all rows a seq of 2026-09-21, and the history a partition.
const past = `CREATE TABLE parliamentary_history_all PARTITION OF parliamentary_history DEFAULT;
UPDATE parliamentary_data SET seq = 1790000000000000, since = 1790000000000000;`

// later changes the database as a sink does after the dump's moment: an update, a delete
// and a new row.
const later = `WITH now AS (SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS seq),
u AS (UPDATE parliamentary_data SET data = data || '{"konklusion":"senere"}', seq = now.seq, since = now.seq FROM now WHERE entity_type = 'Afstemning' AND entity_id = 2),
d AS (DELETE FROM parliamentary_data WHERE entity_type = 'Stemme' AND entity_id = 7 RETURNING data),
i AS (INSERT INTO parliamentary_data (entity_type, entity_id, data, seq, since) SELECT 'Aktør', 1, '{"id":1}', seq, seq FROM now)
INSERT INTO parliamentary_history (entity_type, entity_id, seq, since, action, changed, before, after)
SELECT 'Afstemning', 2, seq, 1790000000000000, 'update', '{konklusion}'::text[], $x${"konklusion":"Vedtaget\n\n\"108\" stemmer \\ for, (V)"}$x$::jsonb, '{"konklusion":"senere"}'::jsonb FROM now
UNION ALL SELECT 'Stemme', 7, seq, 1790000000000000, 'delete', NULL::text[], d.data, NULL::jsonb FROM now, d
UNION ALL SELECT 'Aktør', 1, seq, NULL, 'create', NULL::text[], NULL::jsonb, '{"id":1}'::jsonb FROM now`

// dumped returns the copy of a database with rows that may be dumped.
func dumped(t *testing.T) (export.Copy, *pgxpool.Pool) {
	t.Helper()
	rows, pool := archive(t, oddVotes)
	mustRun(t, pool, manyVotes)
	mustRun(t, pool, past)
	return rows, pool
}

func mustRun(t *testing.T, pool *pgxpool.Pool, sql string) {
	t.Helper()
	if _, err := pool.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}

// files returns the content of the files of a dump but the manifest.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	content := map[string]string{}
	for _, f := range list {
		if f.Name() == export.ManifestName || f.Name() == ".lock" {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		content[f.Name()] = string(text)
	}
	return content
}

// isWhole fails unless a dump is as its manifest says.
func isWhole(t *testing.T, dir string) export.Manifest {
	t.Helper()
	m, differences, err := export.Check(dir)
	if err != nil || len(differences) > 0 || !m.Complete {
		t.Fatalf("Check = %v, %v, complete %v", differences, err, m.Complete)
	}
	return m
}

// A dump that is killed in the middle of a file goes on as of its moment, whatever has
// changed since.
func TestAKilledDumpGoesOnAsOfItsMoment(t *testing.T) {
	t.Parallel()
	rows, pool := dumped(t)
	dir := filepath.Join(t.TempDir(), "dump")
	killInTheMiddle(t, pool.Config().ConnString(), dir)
	m, differences, err := export.Check(dir)
	if err != nil || m.Complete || len(differences) != 1 || !strings.Contains(differences[0], "not complete") {
		t.Fatalf("Check of a killed dump = %v, %v, %v", m, differences, err)
	}
	whole := filepath.Join(t.TempDir(), "whole")
	if _, err := (export.Dump{Dir: whole, Format: export.JSON, Moment: &m.Moment}).Write(t.Context(), rows); err != nil {
		t.Fatal(err)
	}
	mustRun(t, pool, later)
	kept := 0
	d := export.Dump{Dir: dir, Format: export.JSON, Progress: func(p export.Progress) error {
		if p.Kept {
			kept++
		}
		return nil
	}}
	if _, err := d.Write(t.Context(), rows); err != nil {
		t.Fatal(err)
	}
	if kept == 0 || kept >= len(schema.Entities()) {
		t.Errorf("%d files are kept, want those before the kill", kept)
	}
	for _, dir := range []string{dir, whole} {
		if again := isWhole(t, dir); !again.Moment.Equal(m.Moment) || len(again.Files) != len(schema.Entities()) {
			t.Errorf("manifest of %s: moment %v, %d files, want %v and all", dir, again.Moment, len(again.Files), m.Moment)
		}
	}
	if diff := cmp.Diff(files(t, whole), files(t, dir)); diff != "" {
		t.Errorf("dump (-without kill and changes +with):\n%.2000s", diff)
	}
	vote := fileOf(t, dir, "Stemme")
	if vote.Rows != 20000 || vote.Schema == 0 || vote.Bytes == 0 {
		t.Errorf("manifest of Stemme = %+v, want 20000 rows", vote)
	}
}

// fileOf returns what the manifest of a whole dump says of an entity.
func fileOf(t *testing.T, dir, entity string) (of export.ManifestOf) {
	t.Helper()
	for _, f := range isWhole(t, dir).Files {
		if f.Entity == entity {
			return f
		}
	}
	return of
}

// The variables by which TestDumpProcess knows that it is the process to be killed.
const dumpDir, dumpURL = "ODASTREAM_TEST_DUMP_DIR", "ODASTREAM_TEST_DUMP_URL"

// killInTheMiddle runs a dump in another process, and kills it within the rows of Stemme.
func killInTheMiddle(t *testing.T, url, dir string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestDumpProcess$", "-test.v") //nolint:gosec // the test itself
	cmd.Env = append(os.Environ(), dumpDir+"="+dir, dumpURL+"="+url)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Wait() }() // it was killed
	defer func() { _ = cmd.Process.Kill() }()
	said := bufio.NewScanner(out)
	for said.Scan() {
		if said.Text() == "in the middle" {
			return
		}
	}
	t.Fatalf("the process has ended by itself: %v", said.Err())
}

// TestDumpProcess is the process that killInTheMiddle kills.
func TestDumpProcess(t *testing.T) {
	dir := os.Getenv(dumpDir)
	if dir == "" {
		t.Skip("it is run by TestAKilledDumpGoesOnAsOfItsMoment")
	}
	pool, err := pgxpool.New(t.Context(), os.Getenv(dumpURL))
	if err != nil {
		t.Fatal(err)
	}
	d := export.Dump{Dir: dir, Format: export.JSON, Progress: func(p export.Progress) error {
		if p.Entity == "Stemme" && p.Rows >= 5000 {
			fmt.Println("\nin the middle")
			select {}
		}
		return nil
	}}
	_, err = d.Write(t.Context(), export.Copy{Rows: cache.NewReader(pool), Requests: query.NewReader(pool)})
	t.Fatalf("Write = %v, want to be killed", err)
}

func TestCheckNamesWhatDiffers(t *testing.T) {
	t.Parallel()
	rows, _ := archive(t, oddVotes)
	for _, format := range []export.Format{export.JSON, export.CSV, export.Parquet} {
		dir := t.TempDir()
		d := export.Dump{Dir: dir, Format: format}
		if _, err := d.Write(t.Context(), rows); err != nil {
			t.Fatal(err)
		}
		isWhole(t, dir)
		name := filepath.Join(dir, "afstemning."+string(format))
		was, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		flipped := bytes.Clone(was)
		flipped[len(flipped)/2] ^= 1
		for claim, change := range map[string]func() error{
			"has sha256": func() error { return os.WriteFile(name, flipped, 0o600) },
			"bytes":      func() error { return os.WriteFile(name, was[1:], 0o600) },
			"is missing": func() error { return os.Remove(name) },
		} {
			if err := change(); err != nil {
				t.Fatal(err)
			}
			_, differences, err := export.Check(dir)
			if err != nil || len(differences) != 1 || !strings.HasPrefix(differences[0], "afstemning."+string(format)) || !strings.Contains(differences[0], claim) {
				t.Errorf("%s: Check = %q, %v, want one that %s", format, differences, err, claim)
			}
			if _, err := d.Write(t.Context(), rows); err != nil {
				t.Fatal(err)
			}
			isWhole(t, dir)
			if again, err := os.ReadFile(name); err != nil || !bytes.Equal(again, was) {
				t.Errorf("%s: the file that was written again differs, %v", format, err)
			}
		}
	}
}

func TestADumpIsNotMixedWithAnother(t *testing.T) {
	t.Parallel()
	rows, pool := archive(t, oddVotes)
	dir := t.TempDir()
	m, err := export.Dump{Dir: dir, Format: export.JSON}.Write(t.Context(), rows)
	if err != nil {
		t.Fatal(err)
	}
	other := m.Moment.Add(-1)
	for _, d := range []export.Dump{{Dir: dir, Format: export.CSV}, {Dir: dir, Format: export.JSON, Moment: &other}} {
		if _, err := d.Write(t.Context(), rows); err == nil || !strings.Contains(err.Error(), "another directory") {
			t.Errorf("Write of another dump = %v", err)
		}
	}
	isWhole(t, dir)
	forged := []byte(`{"complete":true,"files":[{"entity":"Sag","file":"../sag.ndjson"}]}`)
	if err := os.WriteFile(filepath.Join(dir, export.ManifestName), forged, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := export.Check(dir); err == nil {
		t.Error("a manifest that names a file elsewhere is read")
	}
	if _, differences, err := export.Check(t.TempDir()); err != nil || len(differences) != 1 {
		t.Errorf("Check of nothing = %q, %v", differences, err)
	}
	stop := errors.New("enough")
	stopping := export.Dump{Dir: filepath.Join(dir, "stopped"), Format: export.JSON, Progress: func(export.Progress) error { return stop }}
	if _, err := stopping.Write(t.Context(), rows); !errors.Is(err, stop) {
		t.Errorf("Write = %v, want the error of Progress", err)
	}
	if left := pgtest.Value(t, pool.Config().ConnString(), `SELECT count(*)::text FROM pg_stat_activity WHERE datname = current_database() AND backend_xmin IS NOT NULL AND pid <> pg_backend_pid()`); left != "0" {
		t.Errorf("%s snapshots are left", left)
	}
}
