package flock_test

import (
	"errors"
	"path/filepath"
	"testing"

	"odastream/internal/flock"
)

func TestOneHolderAtATime(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	held, err := flock.Try(path)
	if err != nil {
		t.Fatalf("Try of a free lock: %v", err)
	}
	if _, err := flock.Try(path); !errors.Is(err, flock.ErrHeld) {
		t.Fatalf("Try of a held lock = %v, want ErrHeld", err)
	}

	got := make(chan error, 1)
	go func() {
		second, err := flock.Wait(path)
		if err == nil {
			second.Unlock()
		}
		got <- err
	}()
	select {
	case err := <-got:
		t.Fatalf("Wait returned %v while the lock was held", err)
	default:
	}
	held.Unlock()
	held.Unlock()
	if err := <-got; err != nil {
		t.Fatalf("Wait after Unlock: %v", err)
	}
}

func TestTryNamesTheFileItCannotOpen(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "missing", "lock")
	if _, err := flock.Try(path); err == nil || errors.Is(err, flock.ErrHeld) {
		t.Errorf("Try(%s) = %v, want an error of the file system", path, err)
	}
}
