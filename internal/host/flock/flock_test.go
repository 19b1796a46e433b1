package flock_test

import (
	"errors"
	"path/filepath"
	"testing"

	"odastream/internal/host/flock"
)

func TestOnlyOneProcessHasTheLock(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	held, err := flock.Try(path)
	if err != nil {
		t.Fatalf("Try of a free lock: %v", err)
	}
	if _, err := flock.Try(path); !errors.Is(err, flock.ErrLocked) {
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
	if _, err := flock.Try(path); err == nil || errors.Is(err, flock.ErrLocked) {
		t.Errorf("Try(%s) = %v, want an error of the file system", path, err)
	}
}

func TestSlotsAreTakenInOrderAndReturned(t *testing.T) {
	t.Parallel()
	prefix := filepath.Join(t.TempDir(), "s-")
	first, dir := slot(t, prefix)
	if want := prefix + "0"; dir != want {
		t.Errorf("first slot = %s, want %s", dir, want)
	}
	if _, dir := slot(t, prefix); dir != prefix+"1" {
		t.Errorf("second slot = %s, want %s1", dir, prefix)
	}
	if _, _, err := flock.Slot(prefix, 2); !errors.Is(err, flock.ErrLocked) {
		t.Errorf("third of two slots = %v, want ErrHeld", err)
	}
	first.Unlock()
	if _, dir := slot(t, prefix); dir != prefix+"0" {
		t.Errorf("slot after the first was given back = %s, want %s0", dir, prefix)
	}
}

func slot(t *testing.T, prefix string) (*flock.Lock, string) {
	t.Helper()
	lock, dir, err := flock.Slot(prefix, 2)
	if err != nil {
		t.Fatalf("Slot(%s, 2): %v", prefix, err)
	}
	t.Cleanup(lock.Unlock)
	return lock, dir
}
