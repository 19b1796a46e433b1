package gateway

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"odastream/internal/rowfile"
	"odastream/odata"
	"odastream/query"
)

// exportRoot is where the rows of each entity are as a file.
const exportRoot = apiRoot + "/export/"

const (
	// sendWithin is how long a client may take for a chunk of a file. One that stops reading
	// is cut off, since Postgres keeps old versions of all rows for it.
	sendWithin = 30 * time.Second
	// exportWithin is how long a file may take as a whole.
	exportWithin = time.Hour
	chunk        = 64 << 10
)

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
	return question{route: exportRoot, class: complexClass, of: asked.Entities(), file: &file{asked, format, g.copy}}, nil
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

// file is the rows of a request as a file.
type file struct {
	*odata.Request
	format rowfile.Format
	copy   *query.Reader
}

// setHeader says what the answer is.
func (f file) setHeader(h http.Header) {
	h.Set("Content-Type", fileTypes[f.format])
	name := f.Entity.Suffix + "." + string(f.format)
	h.Set("Content-Disposition", fmt.Sprintf(`attachment; filename="%s"`, url.PathEscape(name)))
	if f.format == rowfile.Parquet {
		h.Set("No-Gzip-Compression", "1") // its pages are compressed; package gzhttp removes this
	}
}

// send writes the file to w, in chunks.
func (f file) send(ctx context.Context, w io.Writer) error {
	out := bufio.NewWriterSize(w, chunk)
	err := f.copy.Moment(ctx, func(m query.Moment) error {
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
	if err != nil {
		return err // without the rest of the chunk: the file has no end
	}
	return out.Flush()
}

// others returns the members that a table needs columns for.
func (f file) others(ctx context.Context, m query.Moment) ([]string, error) {
	if f.format != rowfile.CSV {
		return nil, nil
	}
	known := make([]string, len(f.Entity.Fields))
	for i, field := range f.Entity.Fields {
		known[i] = field.Name
	}
	return m.Members(ctx, f.Request, known)
}

// errCut says that an answer ended within its body.
var errCut = errors.New("the answer was cut off")

// stream answers a question in chunks. An answer that has begun and cannot be ended
// is errCut: whoever reads it must not take it for whole.
func (g *Gateway) stream(w http.ResponseWriter, r *http.Request, q question) (status int, err error) {
	now := g.fresh.of(q.of)
	tag := ""
	if now.version != "" {
		tag = tagOf([]byte(strings.Join([]string{r.URL.EscapedPath(), r.URL.RawQuery, now.version}, "\x00")))
	}
	if has := matching(r, tag); has != "" && tag != "" {
		g.metrics.spares.Add(1)
		return g.notModified(w, now, has), nil
	}
	if r.Method == http.MethodHead {
		g.begin(w.Header(), q, now, tag)
		return http.StatusOK, nil
	}
	queued, cancel := context.WithTimeout(r.Context(), g.cfg.Timeout)
	defer cancel()
	leave, err := g.places.enter(queued, q.class)
	if err != nil {
		return 0, err
	}
	defer leave()
	ctx, cancel := context.WithTimeout(r.Context(), exportWithin)
	defer cancel()
	out := &chunks{w: w, within: g.sendWithin, begin: func() { g.begin(w.Header(), q, now, tag) }}
	err = q.file.send(ctx, out)
	if err != nil && out.begun {
		g.log.WarnContext(r.Context(), "an answer was cut off", "request", w.Header().Get(requestID), "path", r.URL.Path, "err", err)
		return statusClientClosed, errCut
	}
	return http.StatusOK, err
}

// begin sets the header of a file.
func (g *Gateway) begin(h http.Header, q question, now state, tag string) {
	q.file.setHeader(h)
	g.setFreshness(h, now, tag)
	if tag == "" {
		h.Del("ETag")
	}
}

// chunks writes an answer, each chunk within a time.
type chunks struct {
	w      http.ResponseWriter
	within time.Duration
	begin  func() // sets the header
	begun  bool
}

// Write writes a chunk. Until the first, the answer can still be an error.
func (c *chunks) Write(p []byte) (int, error) {
	if !c.begun {
		c.begun = true
		c.begin()
	}
	if err := http.NewResponseController(c.w).SetWriteDeadline(time.Now().Add(c.within)); err != nil {
		return 0, fmt.Errorf("bound the time of a chunk: %w", err)
	}
	return c.w.Write(p)
}
