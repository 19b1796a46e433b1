// Package fetched keeps what tests take from elsewhere, such as jars, in the user's cache.
//
// Invariant: a directory is whole or missing, whoever fetches it at the same time and
// wherever one is killed. It knows nothing of what is in it.
package fetched

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"odastream/internal/host/flock"
)

// Dir returns the directory of a name and of what it is made from. If there is none yet,
// fetch makes it: in work, an empty directory that is removed afterwards, and it returns
// which one in it, or work itself, is kept.
func Dir(name string, from []byte, fetch func(work string) (kept string, err error)) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find the user's cache: %w", err)
	}
	sum := sha256.Sum256(from)
	dir := filepath.Join(cache, "odastream", fmt.Sprintf("%s-%x", name, sum[:6]))
	if isDir(dir) {
		return dir, nil
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o750); err != nil {
		return "", fmt.Errorf("create cache: %w", err)
	}
	// Several test processes start at once; one fetches.
	lock, err := flock.Wait(dir + ".lock")
	if err != nil {
		return "", err
	}
	defer lock.Unlock()
	if isDir(dir) {
		return dir, nil
	}
	work := dir + ".new"
	if err := errors.Join(os.RemoveAll(work), os.Mkdir(work, 0o750)); err != nil {
		return "", fmt.Errorf("begin %s anew: %w", work, err)
	}
	defer func() { _ = os.RemoveAll(work) }()
	kept, err := fetch(work)
	if err != nil {
		return "", err
	}
	if err := os.Rename(kept, dir); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", fmt.Errorf("keep %s: %w", dir, err)
	}
	return dir, nil
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
