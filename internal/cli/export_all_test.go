package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// checked returns what export --check says of a dump.
func checked(t *testing.T, dir string) (status int, stdout, stderr string) {
	t.Helper()
	return runExport(t, "", "--check", dir)
}

func TestADumpIsWrittenAndChecked(t *testing.T) {
	t.Parallel()
	url := archive(t, oddVotes)
	dir := filepath.Join(t.TempDir(), "dump")
	if status, out, said := runExport(t, url, "--all", dir, "--format", "csv"); status != 0 || out != "" || !strings.Contains(said, "4 rows in 50 files as of ") {
		t.Fatalf("export --all = %d, %q: %s", status, out, said)
	}
	if status, out, said := checked(t, dir); status != 0 || !strings.HasPrefix(out, "whole: 4 rows in 50 files") {
		t.Errorf("export --check = %d, %q: %s", status, out, said)
	}
	if err := os.WriteFile(filepath.Join(dir, "sag.csv"), []byte("id\n1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if status, out, said := checked(t, dir); status != 1 || !strings.HasPrefix(out, "sag.csv has 5 bytes") || !strings.Contains(said, "1 differences") {
		t.Errorf("export --check of a changed file = %d, %q: %s", status, out, said)
	}
	if status, _, said := runExport(t, url, "--all", dir, "--format", "csv"); status != 0 || !strings.Contains(said, "49 of its files kept") {
		t.Errorf("export --all once more = %d: %s", status, said)
	}
	if status, out, _ := checked(t, dir); status != 0 {
		t.Errorf("export --check once more = %d, %q", status, out)
	}
	if status, _, said := runExport(t, url, "--all", dir); status != 1 || !strings.Contains(said, "a dump in csv, not in ndjson") {
		t.Errorf("export --all in another format = %d: %s", status, said)
	}
}

func TestADumpIsOneThingToAskFor(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"Sag", "--all", "d"},
		{"--all", "d", "--check", "d"},
		{"--all", "d", "--where", "id eq 1"},
		{"--all", "d", "--out", "f"},
		{"--check", "d", "--as-of", "2026-01-01"},
		{"--check", filepath.Join(t.TempDir(), "none")},
	} {
		if status, _, said := runExport(t, "postgres://localhost:1/none", args...); status != 2 {
			t.Errorf("export %q = %d, want 2: %s", args, status, said)
		}
	}
}
