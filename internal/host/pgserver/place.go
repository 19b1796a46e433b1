package pgserver

import (
	"fmt"
	"os"
	"path/filepath"
)

// StateDir returns the directory in which this user's server of this name keeps its state
// between starts. It is under the user's data directory, and for root under /var/lib,
// since Postgres then runs as another account, which may not enter root's home. StateDir
// does not make it.
func StateDir(name string) (string, error) {
	if os.Geteuid() == 0 {
		return filepath.Join("/var/lib/odastream", name), nil
	}
	if dir := os.Getenv("XDG_STATE_HOME"); dir != "" {
		return filepath.Join(dir, "odastream", name), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("find the directory for state: %w", err)
	}
	return filepath.Join(home, ".local", "state", "odastream", name), nil
}

// CacheDir returns the directory of downloaded server programs. For root it is one that
// other accounts can read. CacheDir does not make it.
func CacheDir() (string, error) {
	if os.Geteuid() == 0 {
		return "/var/cache/odastream", nil
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find the directory for downloads: %w", err)
	}
	return filepath.Join(dir, "odastream"), nil
}
