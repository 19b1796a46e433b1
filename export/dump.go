package export

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"odastream/internal/host/flock"
	"odastream/odata"
	"odastream/query"
	"odastream/schema"
)

// Dump is a directory with a file of each entity, all as of one moment, and a manifest.
type Dump struct {
	Dir      string
	Format   Format
	Moment   *time.Time           // whose rows are wanted; nil: that of the manifest, or else now
	Progress func(Progress) error // told of each file as it begins and ends, and every thousand rows; its error ends the dump; nil: nobody
}

// Progress is how far a dump is.
type Progress struct {
	File, Files int // the number of the file that is written, from 1, and of all
	Entity      string
	Rows        int64 // written to the file
	Kept        bool  // the file was there, and is as the manifest says
}

// progressEvery is how many rows are written between two reports.
const progressEvery = 1000

// Write writes the dump. Where the directory has a part of one, it keeps the files that
// are as the manifest says, and writes the others as of the manifest's moment. It fails if
// the directory's dump has another format or another moment than is wanted, and if another
// process writes to it.
func (d Dump) Write(ctx context.Context, from Copy) (Manifest, error) {
	if err := os.MkdirAll(d.Dir, 0o755); err != nil { //nolint:gosec // the data are public
		return Manifest{}, fmt.Errorf("write dump: %w", err)
	}
	lock, err := flock.Try(filepath.Join(d.Dir, ".lock"))
	if err != nil {
		return Manifest{}, fmt.Errorf("write dump: %w", err)
	}
	defer lock.Unlock()
	now, err := from.Requests.Present(ctx)
	if err != nil {
		return Manifest{}, err
	}
	m, err := d.begin(now)
	if err != nil {
		return m, err
	}
	entities := schema.Entities()
	for i, e := range entities {
		if err := d.entity(ctx, from, &m, e, now, Progress{File: i + 1, Files: len(entities), Entity: e.Name}); err != nil {
			return m, err
		}
	}
	m.Complete = true
	return m, m.save(d.Dir)
}

// begin returns the manifest to go on with. The moment is on the disk before any row of it.
func (d Dump) begin(now query.Present) (Manifest, error) {
	m, found, err := readManifest(d.Dir)
	switch {
	case err != nil:
		return m, err
	case !found:
		m = Manifest{Moment: now.At, Format: d.Format}
		if d.Moment != nil {
			m.Moment = d.Moment.UTC()
		}
	case m.Format != d.Format:
		return m, fmt.Errorf("write dump: %s has a dump in %s, not in %s: name another directory", d.Dir, m.Format, d.Format)
	case d.Moment != nil && !d.Moment.Equal(m.Moment):
		return m, fmt.Errorf("write dump: %s has a dump of %s: name another directory", d.Dir, m.Moment.Format(time.RFC3339Nano))
	}
	return m, errors.Join(d.sweep(), m.save(d.Dir))
}

// sweep removes the parts of files that a killed process has left.
func (d Dump) sweep() error {
	list, err := os.ReadDir(d.Dir)
	for _, f := range list {
		if strings.HasPrefix(f.Name(), ".") && strings.Contains(f.Name(), ".part-") {
			err = errors.Join(err, os.Remove(filepath.Join(d.Dir, f.Name())))
		}
	}
	return err
}

// entity writes the file of an entity, unless it is there.
func (d Dump) entity(ctx context.Context, from Copy, m *Manifest, e schema.Entity, now query.Present, at Progress) error {
	if f, known := m.of(e.Name); known {
		differs, err := f.compare(d.Dir)
		if err != nil {
			return err
		}
		if differs == "" {
			at.Rows, at.Kept = f.Rows, true
			return d.report(at)
		}
	}
	f := ManifestOf{Entity: e.Name, File: e.Suffix + "." + string(d.Format), Schema: now.Schema}
	if through, ok := now.CompleteThrough[e.Name]; ok {
		f.CompleteThrough = &through
	}
	request, err := Select(e, "", m.Moment.Format(time.RFC3339Nano))
	if err != nil {
		return err
	}
	err = WriteFile(filepath.Join(d.Dir, f.File), func(w io.Writer) error { return d.rows(ctx, from, request, &f, at, w) })
	if err != nil {
		return err
	}
	m.set(f)
	return m.save(d.Dir)
}

// rows writes the rows of an entity, and says in f what they are.
func (d Dump) rows(ctx context.Context, from Copy, request *odata.Request, f *ManifestOf, at Progress, w io.Writer) (err error) {
	if err := d.report(at); err != nil {
		return err
	}
	sum := sha256.New()
	counted := &measure{Writer: io.MultiWriter(w, sum)}
	f.Rows, err = write(ctx, from, request, d.Format, counted, func(rows int64) error {
		if rows%progressEvery != 0 {
			return nil
		}
		at.Rows = rows
		return d.report(at)
	})
	f.Bytes, f.SHA256 = counted.bytes, hex.EncodeToString(sum.Sum(nil))
	at.Rows = f.Rows
	return errors.Join(err, d.report(at))
}

func (d Dump) report(p Progress) error {
	if d.Progress == nil {
		return nil
	}
	return d.Progress(p)
}

// Check compares the dump in a directory with its manifest. Each difference names a file
// and what is wrong with it; a dump without any is whole.
func Check(dir string) (m Manifest, differences []string, err error) {
	m, found, err := readManifest(dir)
	if err != nil {
		return m, nil, err
	}
	if !found {
		return m, []string{ManifestName + " is missing"}, nil
	}
	if !m.Complete {
		differences = append(differences, fmt.Sprintf("the dump has %d files and is not complete: write it again to go on", len(m.Files)))
	}
	for _, e := range schema.Entities() {
		if _, ok := m.of(e.Name); m.Complete && !ok {
			differences = append(differences, ManifestName+" has no file of "+e.Name)
		}
	}
	for _, f := range m.Files {
		differs, err := f.compare(dir)
		if err != nil {
			return m, differences, err
		}
		if differs != "" {
			differences = append(differences, f.File+" "+differs)
		}
	}
	return m, differences, nil
}
