// Package export writes an entity's current rows as a file or a stream.
//
// Invariant: the rows are those of one moment, and a file is replaced as a whole or
// not at all.
//
// It knows nothing of SQL, Kafka and the source.
package export

import (
	"bufio"
	"context"
	"fmt"
	"io"

	"odastream/cache"
	"odastream/schema"
)

// Format is how rows are written.
type Format string

// The formats.
const (
	JSON Format = "ndjson" // one row a line, with the source's own members in jsonb's order
	CSV  Format = "csv"    // after a header line with the members' names, the known ones first
)

// ParseFormat returns the format with a name, or an error that lists the formats.
func ParseFormat(name string) (Format, error) {
	switch f := Format(name); f {
	case JSON, CSV:
		return f, nil
	}
	return "", fmt.Errorf("%q is no format, want %s or %s", name, JSON, CSV)
}

// Write writes the rows of entity to w, by id, and returns their number. It streams
// them: only a buffer of them is in memory. After an error w has received a part of
// them.
func Write(ctx context.Context, rows *cache.Reader, entity schema.Entity, format Format, w io.Writer) (n int64, err error) {
	buffer := bufio.NewWriterSize(w, 1<<20)
	if format == CSV {
		n, err = rows.CopyCSV(ctx, entity.Name, members(entity), buffer)
	} else {
		n, err = rows.CopyJSON(ctx, entity.Name, buffer)
	}
	if err == nil {
		err = buffer.Flush()
	}
	if err != nil {
		return 0, fmt.Errorf("export %s: %w", entity.Name, err)
	}
	return n, nil
}

// members returns the members that the source has described, in its order.
func members(entity schema.Entity) []string {
	names := make([]string, len(entity.Fields))
	for i, field := range entity.Fields {
		names[i] = field.Name
	}
	return names
}
