package pgserver

import (
	"fmt"
	"os"
	"path/filepath"
)

// StateDir is where this user's servers keep their state between starts, a
// directory for each name: under the user's data directory, and for root under
// /var/lib, since Postgres runs as another account that may not enter root's
// home. It is not made.
func StateDir(name string) (string, error) {
	if os.Geteuid() == 0 {
		return filepath.Join("/var/lib/odastream", name), nil
	}
	if dir := os.Getenv("XDG_STATE_HOME"); dir != "" {
		return filepath.Join(dir, "odastream", name), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("find a place for state: %w", err)
	}
	return filepath.Join(home, ".local", "state", "odastream", name), nil
}

// CacheDir is where downloaded server programs are kept; for root it is one
// that other accounts can read. It is not made.
func CacheDir() (string, error) {
	if os.Geteuid() == 0 {
		return "/var/cache/odastream", nil
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find a place for downloads: %w", err)
	}
	return filepath.Join(dir, "odastream"), nil
}
