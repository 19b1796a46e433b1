package fetched_test

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"odastream/internal/test/fetched"
)

func TestADirectoryIsFetchedOnceAndWhole(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	failed := errors.New("no network")
	_, err := fetched.Dir("jars", []byte("1"), func(work string) (string, error) {
		return "", errors.Join(failed, os.WriteFile(filepath.Join(work, "half"), nil, 0o600))
	})
	if !errors.Is(err, failed) {
		t.Fatalf("Dir = %v, want the error of fetch", err)
	}
	var fetches int // under the lock of Dir
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			dir, err := fetched.Dir("jars", []byte("1"), func(work string) (string, error) {
				fetches++
				kept := filepath.Join(work, "libs")
				return kept, errors.Join(os.Mkdir(kept, 0o700), os.WriteFile(filepath.Join(kept, "a.jar"), nil, 0o600))
			})
			if _, missing := os.Stat(filepath.Join(dir, "a.jar")); err != nil || missing != nil {
				t.Errorf("Dir = %q, %v, and the file: %v", dir, err, missing)
			}
		})
	}
	all.Wait()
	if fetches != 1 {
		t.Errorf("%d fetches, want one", fetches)
	}
	one, _ := fetched.Dir("jars", []byte("1"), nil)
	other, err := fetched.Dir("jars", []byte("2"), func(work string) (string, error) { return work, nil })
	if err != nil || one == other {
		t.Errorf("what is made from something else is in %q too, %v", other, err)
	}
}
