package odasim

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"odastream/schema"
)

// Load replaces the rows of each set for which the folder has a file; the other sets stay
// as they are. A file holds one row a line, may be gzipped, and has the name of the last
// part of the set's topic: aktoer.ndjson.gz, stemme.ndjson. A file whose name is
// not that of a set, a line that is not a row, and an id that occurs twice are errors that
// name the place;
// sets that were loaded before keep their new rows.
func (s *Server) Load(dir string) error {
	files, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("load captures: %w", err)
	}
	loaded := 0
	for _, f := range files {
		suffix, _, isRows := strings.Cut(f.Name(), ".ndjson")
		if !isRows || f.IsDir() {
			continue
		}
		t := s.bySuffix(suffix)
		if t == nil {
			return fmt.Errorf("load capture %s: no set has the suffix %q", f.Name(), suffix)
		}
		if err := s.loadFile(t, filepath.Join(dir, f.Name())); err != nil {
			return err
		}
		loaded++
	}
	if loaded == 0 {
		return fmt.Errorf("load captures: no .ndjson or .ndjson.gz file in %s", dir)
	}
	return nil
}

// bySuffix finds the set whose topic ends in suffix.
func (s *Server) bySuffix(suffix string) *set {
	for _, name := range s.names {
		if schema.Suffix(name) == suffix {
			return s.sets[name]
		}
	}
	return nil
}

// loadFile replaces the rows of a set by those of a file.
func (s *Server) loadFile(t *set, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("load %s: %w", t.name, err)
	}
	defer func() { _ = f.Close() }() // it was only read
	var in io.Reader = f
	if strings.HasSuffix(path, ".gz") {
		z, err := gzip.NewReader(f)
		if err != nil {
			return fmt.Errorf("load %s: read %s: %w", t.name, path, err)
		}
		in = z
	}
	rows, err := s.readRows(in)
	if err != nil {
		return fmt.Errorf("load %s: read %s: %w", t.name, path, err)
	}
	return t.replace(rows)
}

// readRows reads a row from each line; empty lines are skipped.
func (s *Server) readRows(in io.Reader) ([]row, error) {
	var rows []row
	lines := bufio.NewReaderSize(in, 1<<16)
	for n := 1; ; n++ {
		line, err := lines.ReadBytes('\n')
		if len(bytes.TrimSpace(line)) > 0 {
			r, err := s.options.encode(line)
			if err != nil {
				return nil, fmt.Errorf("line %d: %w", n, err)
			}
			rows = append(rows, r)
		}
		if errors.Is(err, io.EOF) {
			return rows, nil
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
	}
}
