package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// reproduce builds the last commit of root twice, from two clones at paths of different
// lengths, and returns an error that names the files that differ. If cold, the second
// build has an empty build cache.
func reproduce(ctx context.Context, root string, targets []target, cold bool, stdout io.Writer) error {
	work, err := os.MkdirTemp("", "reproduce-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(work) }()
	var outs []string
	for _, name := range []string{"one", "another"} {
		clone, out := filepath.Join(work, name, "tree"), filepath.Join(work, name, "out")
		if said, err := exec.CommandContext(ctx, "git", "clone", "-q", "--no-local", root, clone).CombinedOutput(); err != nil {
			return fmt.Errorf("git clone: %w\n%s", err, said)
		}
		if err := release(ctx, clone, out, targets, stdout); err != nil {
			return err
		}
		outs = append(outs, out)
		if cold {
			if err := os.Setenv("GOCACHE", filepath.Join(work, "cache")); err != nil {
				return err
			}
		}
	}
	if err := same(outs[0], outs[1]); err != nil {
		return err
	}
	fmt.Fprintln(stdout, "built twice, equal")
	return nil
}

// same compares the files of two folders, byte for byte.
func same(one, other string) error {
	left, err := os.ReadDir(one)
	if err != nil {
		return err
	}
	right, err := os.ReadDir(other)
	if err != nil {
		return err
	}
	if len(left) != len(right) {
		return fmt.Errorf("%d files in the first build, %d in the second", len(left), len(right))
	}
	var differ []string
	for _, entry := range left {
		a, err := os.ReadFile(filepath.Join(one, entry.Name()))
		if err != nil {
			return err
		}
		b, err := os.ReadFile(filepath.Join(other, entry.Name()))
		if err != nil {
			return err
		}
		if !bytes.Equal(a, b) {
			differ = append(differ, entry.Name())
		}
	}
	if len(differ) > 0 {
		return fmt.Errorf("not the same when built again: %s", strings.Join(differ, ", "))
	}
	return nil
}
