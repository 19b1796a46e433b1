package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// release writes an archive and an SBOM for each target to out, and SHA256SUMS of
// all of them.
func release(ctx context.Context, root, out string, targets []target, stdout io.Writer) error {
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	var names []string
	for _, t := range targets {
		made, err := releaseOne(ctx, root, out, t)
		if err != nil {
			return fmt.Errorf("release for %s: %w", t, err)
		}
		fmt.Fprintf(stdout, "%s: %s\n", t, made[0])
		names = append(names, made...)
	}
	return writeSums(out, names)
}

// releaseOne returns the names of the files that it made, the archive first.
func releaseOne(ctx context.Context, root, out string, t target) (names []string, err error) {
	work, err := os.MkdirTemp("", "release-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(work) }()
	programs, err := compile(ctx, root, work, t)
	if err != nil {
		return nil, err
	}
	origin, err := originOf(programs)
	if err != nil {
		return nil, err
	}
	files, err := contents(ctx, root, programs, origin)
	if err != nil {
		return nil, err
	}
	name := fmt.Sprintf("%s_%s_%s_%s", origin.name(), origin.version(), t.os, t.arch)
	archive, bom := name+".tar.gz", name+".cdx.json"
	pack := packTar
	if t.os == "windows" {
		archive, pack = name+".zip", packZip
	}
	if err := create(filepath.Join(out, archive), func(w io.Writer) error { return pack(w, name, files, origin.time()) }); err != nil {
		return nil, err
	}
	if err := create(filepath.Join(out, bom), func(w io.Writer) error { return writeBOM(w, origin) }); err != nil {
		return nil, err
	}
	return []string{archive, bom}, nil
}

func create(path string, write func(io.Writer) error) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := write(f); err != nil {
		_ = f.Close()
		return fmt.Errorf("write %s: %w", path, err)
	}
	return f.Close()
}
