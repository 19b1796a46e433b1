package gateway

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"odastream/internal/rowfile"
	"odastream/odata"
	"odastream/query"
)

// exportRoot is where the rows of each entity are as a file.
const exportRoot = apiRoot + "/export/"

// fileTypes are the media types of files.
var fileTypes = map[rowfile.Format]string{
	rowfile.JSON:    "application/x-ndjson; charset=utf-8",
	rowfile.CSV:     "text/csv; charset=utf-8; header=present",
	rowfile.Parquet: "application/vnd.apache.parquet",
}

// askExport reads a request for a file: Sag.csv, with $filter and asof.
func (g *Gateway) askExport(r *http.Request) (question, error) {
	name, ending, _ := strings.Cut(strings.TrimPrefix(r.URL.EscapedPath(), exportRoot), ".")
	format, err := rowfile.ParseFormat(ending)
	if err != nil || strings.Contains(name, "/") {
		return question{}, refuse(http.StatusNotFound, fmt.Sprintf("there is nothing at %q: a file is at %sSag.ndjson, Sag.csv or Sag.parquet", r.URL.Path, exportRoot))
	}
	asked, err := g.model.Parse(name, r.URL.RawQuery)
	if err != nil {
		return question{}, err
	}
	if err := onlyRows(asked); err != nil {
		return question{}, err
	}
	if !accepts(r, strings.Split(fileTypes[format], ";")[0]) {
		return question{}, refuse(http.StatusNotAcceptable, "Accept does not name "+fileTypes[format])
	}
	return question{route: exportRoot, class: complexClass, of: asked.Entities(), file: entityFile{asked, format, g.copy}}, nil
}

// onlyRows refuses what a file cannot give: it has all rows that a condition selects, by id
// and without those of links.
func onlyRows(r *odata.Request) error {
	if r.Kind != odata.Rows {
		return refuse(http.StatusNotFound, "only the rows of an entity are served as a file")
	}
	if len(r.OrderBy) > 0 || r.Top != nil || r.Skip > 0 || r.SkipToken != "" || r.Count || r.Format != "" || r.Shape.Selected || len(r.Shape.Links) > 0 {
		return refuse(http.StatusBadRequest, "a file has all members of all rows, by id: only $filter and asof apply here")
	}
	return nil
}

// entityFile is the rows of a request as a file.
type entityFile struct {
	*odata.Request
	format rowfile.Format
	copy   *query.Reader
}

func (f entityFile) setHeader(h http.Header) { setFileHeader(h, f.Entity.Suffix, f.format) }

// setFileHeader says what a file of rows is.
func setFileHeader(h http.Header, name string, format rowfile.Format) {
	h.Set("Content-Type", fileTypes[format])
	h.Set("Content-Disposition", fmt.Sprintf(`attachment; filename="%s"`, url.PathEscape(name+"."+string(format))))
	if format == rowfile.Parquet {
		h.Set("No-Gzip-Compression", "1") // its pages are compressed; package gzhttp removes this
	}
}

func (f entityFile) send(ctx context.Context, w io.Writer) error {
	return sendMoment(ctx, f.copy, w, func(m query.Moment, out io.Writer) error {
		others, err := f.others(ctx, m)
		if err != nil {
			return err
		}
		rows, err := rowfile.New(f.format, f.Entity, others, out)
		if err != nil {
			return err
		}
		if err := m.Each(ctx, f.Request, rows.Write); err != nil {
			return err
		}
		return rows.Close()
	})
}

// others returns the members that a table needs columns for.
func (f entityFile) others(ctx context.Context, m query.Moment) ([]string, error) {
	if f.format != rowfile.CSV {
		return nil, nil
	}
	known := make([]string, len(f.Entity.Fields))
	for i, field := range f.Entity.Fields {
		known[i] = field.Name
	}
	return m.Members(ctx, f.Request, known)
}
