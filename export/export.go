// Package export writes the rows of an entity as a file or a stream.
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
	"net/url"

	"odastream/cache"
	"odastream/internal/rowfile"
	"odastream/odata"
	"odastream/query"
	"odastream/schema"
)

// Format is how rows are written.
type Format = rowfile.Format

// The formats.
const (
	JSON    = rowfile.JSON    // one row a line, with the source's own members in jsonb's order
	CSV     = rowfile.CSV     // after a header line with the members' names, the known ones first
	Parquet = rowfile.Parquet // typed columns, and one with the members that fit none of them
)

// ParseFormat returns the format with a name, or an error that lists the formats.
func ParseFormat(name string) (Format, error) { return rowfile.ParseFormat(name) }

// Copy is what rows are read from.
type Copy struct {
	Rows     *cache.Reader
	Requests *query.Reader
}

// Select returns the request for the rows of an entity: those for which the condition where
// holds, in the language of $filter, as they were at the moment asOf, in the language of
// asof. "" is all rows, and now. Its error is an *odata.Error.
func Select(entity schema.Entity, where, asOf string) (*odata.Request, error) {
	options := url.Values{}
	for name, value := range map[string]string{"$filter": where, "asof": asOf} {
		if value != "" {
			options.Set(name, value)
		}
	}
	return odata.NewModel(schema.Entities()).Parse(url.PathEscape(entity.Name), options.Encode())
}

// Write writes the rows of a request to w, by id, and returns their number. It streams
// them: only a buffer of them, or a row group of Parquet, is in memory. After an error w
// has received a part of them. A moment whose history is no longer kept is an *odata.Error.
func Write(ctx context.Context, from Copy, request *odata.Request, format Format, w io.Writer) (n int64, err error) {
	return write(ctx, from, request, format, w, func(int64) error { return nil })
}

// write does what Write does. Of a request with a condition or a moment it calls wrote
// after each row, with their number; an error of it ends the writing.
func write(ctx context.Context, from Copy, request *odata.Request, format Format, w io.Writer, wrote func(int64) error) (n int64, err error) {
	buffer := bufio.NewWriterSize(w, 1<<20)
	all := request.Filter == nil && request.AsOf == nil
	switch entity := request.Entity; {
	case all && format == CSV:
		n, err = from.Rows.CopyCSV(ctx, entity.Name, members(entity), buffer)
	case all && format == JSON:
		n, err = from.Rows.CopyJSON(ctx, entity.Name, buffer)
	default:
		n, err = stream(ctx, from.Requests, request, format, buffer, wrote)
	}
	if err == nil {
		err = buffer.Flush()
	}
	if err != nil {
		return 0, fmt.Errorf("export %s: %w", request.Entity.Name, err)
	}
	return n, nil
}

// stream writes the rows that a request selects. COPY is faster, and takes no parameters.
func stream(ctx context.Context, rows *query.Reader, request *odata.Request, format Format, w io.Writer, wrote func(int64) error) (n int64, err error) {
	err = rows.Moment(ctx, func(m query.Moment) error {
		var others []string
		if format == CSV {
			if others, err = m.Members(ctx, request, members(request.Entity)); err != nil {
				return err
			}
		}
		file, err := rowfile.New(format, request.Entity, others, w)
		if err != nil {
			return err
		}
		err = m.Each(ctx, request, func(row []byte) error {
			n++
			if err := file.Write(row); err != nil {
				return err
			}
			return wrote(n)
		})
		if err != nil {
			return err // without an end, so that nobody takes the file for whole
		}
		return file.Close()
	})
	return n, err
}

// members returns the members that the source has described, in its order.
func members(entity schema.Entity) []string {
	names := make([]string, len(entity.Fields))
	for i, field := range entity.Fields {
		names[i] = field.Name
	}
	return names
}
