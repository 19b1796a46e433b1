// Package rowfile writes rows of an entity as NDJSON, CSV or Parquet.
//
// Invariant: a file holds all members of each row, those that do not fit its columns too.
// No more of the rows is in memory than a row group.
//
// It knows nothing of where rows come from, and of files on a disk.
package rowfile

import (
	"fmt"
	"io"

	"odastream/schema"
)

// Format is how rows are written.
type Format string

// The formats.
const (
	JSON    Format = "ndjson"  // one row a line, with the source's own members in jsonb's order
	CSV     Format = "csv"     // after a header line with the members' names, the known ones first
	Parquet Format = "parquet" // typed columns, and one with the members that fit none of them
)

// ParseFormat returns the format with a name, or an error that lists the formats.
func ParseFormat(name string) (Format, error) {
	switch f := Format(name); f {
	case JSON, CSV, Parquet:
		return f, nil
	}
	return "", fmt.Errorf("%q is no format, want %s, %s or %s", name, JSON, CSV, Parquet)
}

// Writer writes rows.
type Writer interface {
	// Write writes a row, a JSON object as Postgres writes jsonb. It keeps nothing of it.
	Write(row []byte) error
	// Close writes what must follow the last row. It does not close the output.
	Close() error
}

// New returns a Writer of rows of an entity to w, which should have a buffer. others are
// the members that rows have besides those of the entity; only CSV needs to know them.
func New(format Format, entity schema.Entity, others []string, w io.Writer) (Writer, error) {
	switch format {
	case CSV:
		return newCSV(entity, others, w)
	case Parquet:
		return newParquet(entity, w), nil
	case JSON:
	}
	return lines{w}, nil
}

// lines writes rows as they are.
type lines struct{ w io.Writer }

func (l lines) Write(row []byte) error {
	if _, err := l.w.Write(row); err != nil {
		return err
	}
	_, err := l.w.Write([]byte{'\n'})
	return err
}

func (lines) Close() error { return nil }
