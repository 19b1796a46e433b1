package export

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// ManifestName is the file of a dump's directory that says what the others hold.
const ManifestName = "manifest.json"

// Manifest says what a dump holds.
type Manifest struct {
	Moment   time.Time    `json:"moment"` // all rows are as they were then
	Format   Format       `json:"format"`
	Complete bool         `json:"complete"` // there is a file of every entity
	Files    []ManifestOf `json:"files"`    // in the order in which they were written
}

// ManifestOf says what a file of a dump holds.
type ManifestOf struct {
	Entity          string     `json:"entity"`
	File            string     `json:"file"` // its name, beside the manifest
	Rows            int64      `json:"rows"`
	Bytes           int64      `json:"bytes"`
	SHA256          string     `json:"sha256"`           // of its bytes, in hexadecimal
	Schema          int64      `json:"schema"`           // the last migration of the tables that were read
	CompleteThrough *time.Time `json:"complete_through"` // what the source had up to then was published when the file was written; null: never read whole
}

// readManifest returns the manifest of a directory; ok is false if it has none.
func readManifest(dir string) (m Manifest, ok bool, err error) {
	text, err := os.ReadFile(filepath.Join(dir, ManifestName))
	if errors.Is(err, fs.ErrNotExist) {
		return m, false, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &m)
	}
	if err != nil {
		return m, false, fmt.Errorf("read manifest of %s: %w", dir, err)
	}
	for _, f := range m.Files {
		if f.File != filepath.Base(f.File) || !filepath.IsLocal(f.File) {
			return m, false, fmt.Errorf("read manifest of %s: %q is no name of a file beside it", dir, f.File)
		}
	}
	return m, true, nil
}

// save replaces the manifest of a directory.
func (m Manifest) save(dir string) error {
	return WriteFile(filepath.Join(dir, ManifestName), func(w io.Writer) error {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(m)
	})
}

// of returns what the manifest says of an entity.
func (m Manifest) of(entity string) (f ManifestOf, ok bool) {
	for _, f := range m.Files {
		if f.Entity == entity {
			return f, true
		}
	}
	return f, false
}

// set replaces what the manifest says of an entity.
func (m *Manifest) set(of ManifestOf) {
	for i, f := range m.Files {
		if f.Entity == of.Entity {
			m.Files[i] = of
			return
		}
	}
	m.Files = append(m.Files, of)
}

// measure counts and hashes what is written to it.
type measure struct {
	io.Writer
	bytes int64
}

func (m *measure) Write(p []byte) (n int, err error) {
	n, err = m.Writer.Write(p)
	m.bytes += int64(n)
	return n, err
}

// compare says how a file differs from what the manifest says of it; "" if it does not.
func (f ManifestOf) compare(dir string) (differs string, err error) {
	file, err := os.Open(filepath.Join(dir, f.File))
	if errors.Is(err, fs.ErrNotExist) {
		return "is missing", nil
	}
	if err != nil {
		return "", fmt.Errorf("check %s: %w", f.File, err)
	}
	defer func() { _ = file.Close() }()
	sum := sha256.New()
	n, err := io.Copy(sum, file)
	if err != nil {
		return "", fmt.Errorf("check %s: %w", f.File, err)
	}
	switch got := hex.EncodeToString(sum.Sum(nil)); {
	case n != f.Bytes:
		return fmt.Sprintf("has %d bytes, want %d", n, f.Bytes), nil
	case got != f.SHA256:
		return fmt.Sprintf("has sha256 %s, want %s", got, f.SHA256), nil
	}
	return "", nil
}
