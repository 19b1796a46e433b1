package main

import (
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestEachRunHasAnEmptyDirectoryOfItsOwn(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	first, release := directory(t, root)
	second, releaseSecond := directory(t, root)
	if first == second {
		t.Errorf("two runs share %s", first)
	}
	releaseSecond()
	release()
	for _, dir := range []string{first, second} {
		if _, err := os.Stat(dir); err == nil {
			t.Errorf("%s is still there after its run", dir)
		}
	}

	// A run that was killed leaves its files, but not its lock.
	if err := os.MkdirAll(filepath.Join(first, "pg-0"), 0o700); err != nil {
		t.Fatal(err)
	}
	again, release := directory(t, root)
	defer release()
	left, err := os.ReadDir(again)
	if err != nil || again != first || len(left) > 0 {
		t.Errorf("the next run has %s with %v, %v; want %s, empty", again, left, err, first)
	}
}

func directory(t *testing.T, root string) (string, func()) {
	t.Helper()
	dir, release, err := takeDirectory(root)
	if err != nil {
		t.Fatal(err)
	}
	return dir, release
}

// This test sets an environment variable, so it is not parallel.
func TestTheCallersTemporaryDirectoryIsUsed(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	environ, release := inMemory([]string{"A=1"}, slog.New(slog.DiscardHandler))
	defer release()
	if !slices.Equal(environ, []string{"A=1"}) {
		t.Errorf("environment = %q, want it as it was", environ)
	}
}

func TestNoRootIsTakenThatLacksMemory(t *testing.T) {
	t.Parallel()
	if root := memoryRoot(1 << 60); root != "" {
		t.Errorf("memoryRoot of an exbibyte = %q, want none", root)
	}
}
