package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// compile builds the programs of root's cmd into dir and returns their sorted paths. They
// are static, and contain neither paths of this machine nor a build id.
func compile(ctx context.Context, root, dir string, t target) ([]string, error) {
	cmd := goCommand(ctx, root, "build", "-trimpath", "-buildvcs=true", "-ldflags=-s -w -buildid=", "-o", dir+string(filepath.Separator), "./cmd/...")
	cmd.Env = append(cmd.Env, "CGO_ENABLED=0", "GOOS="+t.os, "GOARCH="+t.arch, "GOAMD64=v1", "GOARM64=v8.0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("go build: %w\n%s", err, out)
	}
	return filepath.Glob(filepath.Join(dir, "*"))
}

// goCommand returns a go command in root that ignores flags in its environment.
func goCommand(ctx context.Context, root string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=readonly", "GOWORK=off")
	return cmd
}

// file is one file of an archive.
type file struct {
	name string // below the archive's folder, with slashes
	path string // where its content is
	mode int64
}

// contents returns the files of an archive, sorted by name: the programs, the documents,
// and the licences of all modules that are linked into the programs.
func contents(ctx context.Context, root string, programs []string, o origin) ([]file, error) {
	var files []file
	for _, path := range programs {
		files = append(files, file{name: filepath.Base(path), path: path, mode: 0o755})
	}
	for _, name := range []string{"LICENSE", "README.md", "CHANGELOG.md", "SECURITY.md"} {
		path := filepath.Join(root, name)
		if _, err := os.Stat(path); err == nil {
			files = append(files, file{name: name, path: path, mode: 0o644})
		}
	}
	licences, err := licences(ctx, root, o)
	if err != nil {
		return nil, fmt.Errorf("find licences: %w", err)
	}
	files = append(files, licences...)
	slices.SortFunc(files, func(a, b file) int { return strings.Compare(a.name, b.name) })
	return files, nil
}

// licences finds the licence files of the linked modules in the module cache, and that of
// Go. A module without one is an error: it may not be distributed.
func licences(ctx context.Context, root string, o origin) ([]file, error) {
	goroot, err := goCommand(ctx, root, "env", "GOROOT").Output()
	if err != nil {
		return nil, fmt.Errorf("go env: %w", err)
	}
	dirs := map[string]string{"go": strings.TrimSpace(string(goroot))}
	if len(o.modules) > 0 {
		if err := moduleDirs(ctx, root, o, dirs); err != nil {
			return nil, err
		}
	}
	var files []file
	for module, dir := range dirs {
		found := 0
		for _, pattern := range []string{"LICENSE*", "LICENCE*", "COPYING*", "NOTICE*"} {
			paths, err := filepath.Glob(filepath.Join(dir, pattern))
			if err != nil {
				return nil, err
			}
			for _, path := range paths {
				files = append(files, file{name: "licenses/" + module + "/" + filepath.Base(path), path: path, mode: 0o644})
			}
			found += len(paths)
		}
		if found == 0 {
			return nil, fmt.Errorf("module %s has no licence in %s", module, dir)
		}
	}
	return files, nil
}

// moduleDirs adds the directory of each linked module in the module cache.
func moduleDirs(ctx context.Context, root string, o origin, dirs map[string]string) error {
	args := []string{"list", "-m", "-json"}
	for _, m := range o.modules {
		args = append(args, m.Path)
	}
	out, err := goCommand(ctx, root, args...).Output()
	if err != nil {
		return fmt.Errorf("go list -m: %w", err)
	}
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var m struct{ Path, Dir string }
		if err := d.Decode(&m); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("read go list -m: %w", err)
		}
		dirs[m.Path] = m.Dir
	}
}
