package oda

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"odastream/schema"
)

// aboveZero asks for all rows with an id above 0.
var aboveZero = Window{IDs: schema.IDsAbove(0)}

func TestPageSendsTheQueryOfItsWindow(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		set  string
		w    Window
		want string
	}{
		"a Danish name is percent-encoded UTF-8": {
			"Aktør", aboveZero, "/api/Akt%C3%B8r?$filter=id%20gt%200&$orderby=id&$top=100",
		},
		"an id range has both bounds": {
			"Møde", Window{IDs: schema.IDRange{Low: 10, High: 20}}, "/api/M%C3%B8de?$filter=id%20gt%2010%20and%20id%20le%2020&$orderby=id&$top=100",
		},
		"ids below 1 are asked for as others are": {
			"Sag", Window{IDs: schema.IDRange{Low: -7, High: 0}}, "/api/Sag?$filter=id%20gt%20-7%20and%20id%20le%200&$orderby=id&$top=100",
		},
		"every id is asked for without a filter": {
			"Sag", Window{IDs: schema.IDRange{Low: schema.NoStart, High: schema.NoEnd}}, "/api/Sag?$orderby=id&$top=100",
		},
		"an open beginning has no lower bound": {
			"Sag", Window{IDs: schema.IDRange{Low: schema.NoStart, High: 5}}, "/api/Sag?$filter=id%20le%205&$orderby=id&$top=100",
		},
		"stamps are literals of three decimals": {
			"Sag",
			Window{IDs: schema.IDsAbove(0), After: "2014-09-09T09:05:59.653", Until: "2014-09-09T09:49:24"},
			"/api/Sag?$filter=id%20gt%200%20and%20opdateringsdato%20gt%20datetime%272014-09-09T09:05:59.653%27" +
				"%20and%20opdateringsdato%20le%20datetime%272014-09-09T09:49:24.000%27&$orderby=id&$top=100",
		},
		"a name cannot leave its place": {
			"Sag/../x?$top=1", aboveZero, "/api/Sag%2F..%2Fx%3F$top=1?$filter=id%20gt%200&$orderby=id&$top=100",
		},
	}
	for claim, tt := range tests {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			inBubble(t, Config{}, answer(pageOf(tt.set)), func(t *testing.T, c *Client, s *source) {
				_, _ = c.Page(t.Context(), tt.set, tt.w, Tail)
				if got := s.asked(); len(got) != 1 || got[0] != tt.want {
					t.Errorf("asked\n%q, want\n%q", got, tt.want)
				}
			})
		})
	}
}

func TestPageReturnsRowsUnchanged(t *testing.T) {
	t.Parallel()
	rows := []string{
		row(7, "2014-09-09T09:05:59.653"),
		`{ "opdateringsdato" : "2014-09-09T09:49:24", "nested":{"id":"x","value":[1,{"id":2}]}, "id" : 9 , "tal":1.50e3}`,
		row(12, ""),
	}
	date := time.Date(2026, 11, 23, 15, 10, 0, 0, time.UTC)
	h := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", date.Format(http.TimeFormat))
		answer(pageOf("Akt%C3%B8r", rows...))(w, r)
	}
	inBubble(t, Config{}, h, func(t *testing.T, c *Client, _ *source) {
		before := time.Now()
		got, err := c.Page(t.Context(), "Aktør", Window{IDs: schema.IDsAbove(6)}, Scan)
		if err != nil {
			t.Fatalf("Page: %v", err)
		}
		want := Page{
			Rows: []Row{
				{ID: 7, Opdateringsdato: "2014-09-09T09:05:59.653", Data: []byte(rows[0])},
				{ID: 9, Opdateringsdato: "2014-09-09T09:49:24", Data: []byte(rows[1])},
				{ID: 12, Data: []byte(rows[2])},
			},
			Date: date, Sent: before, Received: before,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("Page (-want +got):\n%s", diff)
		}
	})
}

func TestPageHasTheTimesOfItsRequest(t *testing.T) {
	t.Parallel()
	slow := func(w http.ResponseWriter, r *http.Request) {
		<-time.After(3 * time.Second)
		w.Header()["Date"] = nil
		answer(pageOf("Sag"))(w, r)
	}
	inBubble(t, Config{}, slow, func(t *testing.T, c *Client, _ *source) {
		start := time.Now()
		page, err := c.Page(t.Context(), "Sag", aboveZero, Tail)
		if err != nil {
			t.Fatalf("Page: %v", err)
		}
		if sent, took := page.Sent.Sub(start), page.Received.Sub(start); sent != 0 || took != 3*time.Second {
			t.Errorf("sent after %s, received after %s, want 0s and 3s", sent, took)
		}
		if !page.Date.IsZero() {
			t.Errorf("Date is %s without a Date header, want zero", page.Date)
		}
	})
}

func TestPageSendsAUserAgent(t *testing.T) {
	t.Parallel()
	var got http.Header
	h := func(w http.ResponseWriter, r *http.Request) {
		got = r.Header.Clone()
		answer(pageOf("Sag"))(w, r)
	}
	inBubble(t, Config{Contact: "desk@example.org"}, h, func(t *testing.T, c *Client, _ *source) {
		if _, err := c.Page(t.Context(), "Sag", aboveZero, Tail); err != nil {
			t.Fatalf("Page: %v", err)
		}
	})
	if agent := got.Get("User-Agent"); !strings.HasPrefix(agent, "odastream/") || !strings.Contains(agent, "desk@example.org") {
		t.Errorf("User-Agent is %q, want the program's name and the contact", agent)
	}
	if got.Get("Accept") != "application/json" || got.Get("Accept-Encoding") != "gzip" {
		t.Errorf("Accept is %q, Accept-Encoding %q", got.Get("Accept"), got.Get("Accept-Encoding"))
	}
}

func TestGzipIsDecompressed(t *testing.T) {
	t.Parallel()
	body := pageOf("Sag", row(1, "2014-09-09T09:05:59.653"))
	inBubble(t, Config{}, zipped(body, 0), func(t *testing.T, c *Client, _ *source) {
		page, err := c.Page(t.Context(), "Sag", aboveZero, Tail)
		if err != nil || len(page.Rows) != 1 {
			t.Errorf("Page = %d rows, %v, want 1", len(page.Rows), err)
		}
	})
}

// zipped answers with body in gzip, without its last few bytes.
func zipped(body string, without int) http.HandlerFunc {
	var b bytes.Buffer
	zip := gzip.NewWriter(&b)
	_, _ = io.Copy(zip, strings.NewReader(body))
	_ = zip.Close()
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		write(w, typeJSON, b.String()[:b.Len()-without])
	}
}

// hijacked answers with raw bytes and closes the connection.
func hijacked(raw string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			panic(err)
		}
		_, _ = io.WriteString(conn, raw)
		_ = conn.Close()
	}
}

// status answers with a status and a body.
func status(code int, contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
	}
}

// silent sends nothing until the client has gone.
func silent(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// stalled begins to answer and then sends nothing more.
func stalled(w http.ResponseWriter, r *http.Request) {
	write(w, typeJSON, `{"odata.metadata":"x","value":[`)
	_ = http.NewResponseController(w).Flush()
	<-r.Context().Done()
}

const (
	htmlPage  = "<!DOCTYPE html><html><body>The resource cannot be found.</body></html>"
	errorBody = `{"odata.error":{"code":"E1","message":{"lang":"en-US","value":"not so"}}}`
	headers   = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
)

// faults are what the source, or a proxy in front of it, can do wrong.
func faults() map[string]struct {
	h      http.HandlerFunc
	kind   error
	status int
	tries  int
} {
	good := pageOf("Sag", row(3, "2014-09-09T09:05:59.653"))
	type fault = struct {
		h      http.HandlerFunc
		kind   error
		status int
		tries  int
	}
	return map[string]fault{
		"an unknown set is 404 with HTML":          {status(404, "text/html", htmlPage), ErrNotFound, 404, 1},
		"bad syntax is 400 with an empty body":     {status(400, "", ""), ErrBadQuery, 400, 1},
		"501 with an odata.error":                  {status(501, typeJSON, errorBody), ErrRefused, 501, 1},
		"403 of a firewall":                        {status(403, "text/html", htmlPage), ErrRefused, 403, 1},
		"500 with HTML":                            {status(500, "text/html", htmlPage), ErrServer, 500, 5},
		"503 with an odata.error":                  {status(503, typeJSON, errorBody), ErrServer, 503, 5},
		"429 with nothing":                         {status(429, "", ""), ErrServer, 429, 5},
		"an unexpected status":                     {status(204, typeJSON, ""), ErrNotOData, 204, 5},
		"HTML with 200":                            {status(200, "text/html; charset=utf-8", htmlPage), ErrNotOData, 200, 5},
		"HTML that says it is JSON":                {status(200, typeJSON, htmlPage), ErrNotOData, 200, 5},
		"Atom with 200":                            {status(200, "application/atom+xml", "<feed/>"), ErrNotOData, 200, 5},
		"a page that says it is text":              {status(200, "text/plain", good), ErrNotOData, 200, 5},
		"no content type":                          {hijacked("HTTP/1.1 200 OK\r\n\r\n" + good), ErrNotOData, 200, 5},
		"JSON that is not a page":                  {status(200, typeJSON, `{"d":{"results":[]}}`), ErrNotOData, 200, 5},
		"a page without a value":                   {status(200, typeJSON, `{"odata.metadata":"x#Sag"}`), ErrNotOData, 200, 5},
		"a page without odata.metadata":            {status(200, typeJSON, `{"value":[]}`), ErrNotOData, 200, 5},
		"a value that is no array":                 {status(200, typeJSON, `{"odata.metadata":"x#Sag","value":{}}`), ErrNotOData, 200, 5},
		"a page that continues after its end":      {status(200, typeJSON, good+good), ErrNotOData, 200, 5},
		"an odata.error with 200":                  {status(200, typeJSON, errorBody), ErrServer, 200, 5},
		"an encoding that was not asked for":       {encoded("br"), ErrNotOData, 200, 5},
		"an empty body":                            {status(200, typeJSON, ""), ErrTruncated, 200, 5},
		"a body shorter than its length":           {hijacked(headers + "Content-Length: 999\r\n\r\n" + good), ErrTruncated, 0, 5},
		"a body cut in a chunk":                    {hijacked(headers + "Transfer-Encoding: chunked\r\n\r\nfff\r\n" + good), ErrTruncated, 0, 5},
		"a body without a length, cut in a row":    {hijacked(headers + "\r\n" + good[:len(good)-9]), ErrTruncated, 200, 5},
		"a body without a length, cut at its end":  {hijacked(headers + "\r\n" + good[:len(good)-1]), ErrTruncated, 200, 5},
		"gzip cut off":                             {zipped(good, 12), ErrTruncated, 0, 5},
		"a connection that breaks":                 {hijacked(""), ErrUnreachable, 0, 5},
		"silence":                                  {silent, ErrTimeout, 0, 2},
		"silence in a body":                        {stalled, ErrTimeout, 0, 2},
		"a page of another set":                    {answer(pageOf("Stemme")), ErrNotHonoured, 200, 1},
		"rows below the window: filter ignored":    {answer(pageOf("Sag", row(2, ""))), ErrNotHonoured, 200, 1},
		"rows above the window":                    {answer(pageOf("Sag", row(10, ""))), ErrNotHonoured, 200, 1},
		"rows out of order":                        {answer(pageOf("Sag", row(5, ""), row(4, ""))), ErrNotHonoured, 200, 1},
		"a row twice":                              {answer(pageOf("Sag", row(5, ""), row(5, ""))), ErrNotHonoured, 200, 1},
		"a reject out of order":                    {answer(pageOf("Sag", row(5, ""), `{"id":4,"opdateringsdato":1}`)), ErrNotHonoured, 200, 1},
		"a body above the limit, small in gzip":    {zipped(strings.Repeat(" ", maxPage+1), 0), ErrTooLarge, 0, 1},
		"a broken value inside a row stops a page": {answer(pageOf("Sag", `{"id":4,"navn":nil}`)), ErrNotOData, 200, 5},
	}
}

func encoded(as string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", as)
		write(w, typeJSON, pageOf("Sag"))
	}
}

func TestFaultsHaveTheirKinds(t *testing.T) {
	t.Parallel()
	for claim, tt := range faults() {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			inBubble(t, Config{}, tt.h, func(t *testing.T, c *Client, s *source) {
				page, err := c.Page(t.Context(), "Sag", Window{IDs: schema.IDRange{Low: 2, High: 9}}, Tail)
				f, ok := errors.AsType[*Error](err)
				if !ok || !errors.Is(err, tt.kind) {
					t.Fatalf("Page: %v, want %v", err, tt.kind)
				}
				if f.Set != "Sag" || f.Status != tt.status || f.Tries != tt.tries || !strings.Contains(f.URL, "/api/Sag?") {
					t.Errorf("fault of set %q, status %d, tries %d, URL %s; want Sag, %d, %d: %v", f.Set, f.Status, f.Tries, f.URL, tt.status, tt.tries, err)
				}
				if got := len(s.asked()); got != tt.tries {
					t.Errorf("asked %d times, want %d", got, tt.tries)
				}
				if errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("%v reads as the end of the caller's context", err)
				}
				if diff := cmp.Diff(Page{}, page); diff != "" {
					t.Errorf("page beside an error (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestTemporaryFaultsAreRetried(t *testing.T) {
	t.Parallel()
	for claim, tt := range faults() {
		if tt.tries == 1 {
			continue
		}
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			h := first(tt.h, answer(pageOf("Sag", row(3, ""))))
			inBubble(t, Config{}, h, func(t *testing.T, c *Client, s *source) {
				page, err := c.Page(t.Context(), "Sag", aboveZero, Tail)
				if err != nil || len(page.Rows) != 1 || len(s.asked()) != 2 {
					t.Errorf("Page = %d rows, %v, asked %d times; want 1 row at the second", len(page.Rows), err, len(s.asked()))
				}
			})
		})
	}
}

func TestFaultHasTheSourcesMessage(t *testing.T) {
	t.Parallel()
	inBubble(t, Config{}, status(501, typeJSON, errorBody), func(t *testing.T, c *Client, _ *source) {
		_, err := c.Page(t.Context(), "Sag", aboveZero, Tail)
		f, ok := errors.AsType[*Error](err)
		if !ok || f.Code != "E1" || f.Message != "not so" {
			t.Errorf("Page: %v, want code E1 and its message", err)
		}
	})
}

func TestFaultHidesThePassword(t *testing.T) {
	t.Parallel()
	cfg := Config{URL: "http://me:secret@source.test/api/"}
	inBubble(t, cfg, hijacked(""), func(t *testing.T, c *Client, _ *source) {
		_, err := c.Page(t.Context(), "Sag", aboveZero, Tail)
		if err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("Page: %v, want an error without the password", err)
		}
	})
}

func TestStampsOutsideTheWindowAreNotHonoured(t *testing.T) {
	t.Parallel()
	after := Window{IDs: schema.IDsAbove(0), After: "2026-11-23T16:09:58.347", Until: "2026-11-23T16:11:00.1"}
	tests := map[string]struct {
		w     Window
		stamp string
		ok    bool
	}{
		"inside":                                     {after, "2026-11-23T16:10:00", true},
		"ticks: equal to the lower bound":            {after, "2026-11-23T16:09:58.347", true},
		"ticks: 10 ms below the lower bound":         {after, "2026-11-23T16:09:58.337", true},
		"more than 10 ms below the lower bound":      {after, "2026-11-23T16:09:58.333", false},
		"ticks: 10 ms above the upper bound":         {after, "2026-11-23T16:11:00.11", true},
		"zeros that the source does not write":       {after, "2026-11-23T16:11:00.110", true},
		"more than 10 ms above the upper bound":      {after, "2026-11-23T16:11:00.113", false},
		"no fraction, below":                         {after, "2026-11-23T16:09:58", false},
		"null under a stamp filter":                  {after, "", false},
		"null under an upper bound alone":            {Window{IDs: schema.IDsAbove(0), Until: "2026-11-23T16:11:00.1"}, "", false},
		"a zone that the source never had":           {after, "2026-11-23T16:10:00Z", false},
		"anything below an upper bound alone":        {Window{IDs: schema.IDsAbove(0), Until: "2026-11-23T16:11:00.1"}, "1999-01-01T00:00:00", true},
		"anything above a lower bound alone":         {Window{IDs: schema.IDsAbove(0), After: "2026-11-23T16:11:00.1"}, "2999-01-01T00:00:00", true},
		"any text where no stamp was asked for":      {aboveZero, "yesterday", true},
		"null where no stamp was asked for":          {aboveZero, "", true},
		"the October hour is compared as text":       {Window{IDs: schema.IDsAbove(0), After: "2026-10-25T02:00:00"}, "2026-10-25T01:59:59.99", true},
		"tolerance carries over a change of the day": {Window{IDs: schema.IDsAbove(0), After: "2026-10-25T00:00:00"}, "2026-10-24T23:59:59.99", true},
	}
	for claim, tt := range tests {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			h := answer(pageOf("Sag", row(1, tt.stamp)))
			inBubble(t, Config{}, h, func(t *testing.T, c *Client, _ *source) {
				page, err := c.Page(t.Context(), "Sag", tt.w, Tail)
				if tt.ok && (err != nil || len(page.Rows) != 1) {
					t.Errorf("Page: %v, want the row", err)
				}
				if !tt.ok && !errors.Is(err, ErrNotHonoured) {
					t.Errorf("Page: %v, want %v", err, ErrNotHonoured)
				}
			})
		})
	}
}

func TestMoreRowsThanAskedForAreAccepted(t *testing.T) {
	t.Parallel()
	rows := make([]string, 250)
	for i := range rows {
		rows[i] = row(int64(i+1), "2014-09-09T09:05:59.653")
	}
	inBubble(t, Config{}, answer(pageOf("Sag", rows...)), func(t *testing.T, c *Client, _ *source) {
		page, err := c.Page(t.Context(), "Sag", aboveZero, Tail)
		if err != nil || len(page.Rows) != len(rows) {
			t.Errorf("Page = %d rows, %v, want %d", len(page.Rows), err, len(rows))
		}
	})
}

func TestBadBoundsAreNotSent(t *testing.T) {
	t.Parallel()
	inBubble(t, Config{}, answer(pageOf("Sag")), func(t *testing.T, c *Client, s *source) {
		for _, w := range []Window{{}, {IDs: schema.IDsAbove(0), After: "yesterday"}, {IDs: schema.IDsAbove(0), Until: "2014-09-09T09:05:59' or 1 eq 1"}, {IDs: schema.IDsAbove(0), After: "2014-13-09T09:05:59"}} {
			if _, err := c.Page(t.Context(), "Sag", w, Tail); err == nil {
				t.Errorf("Page(%+v) gave no error", w)
			}
		}
		if got := s.asked(); len(got) != 0 {
			t.Errorf("asked %q, want nothing", got)
		}
	})
}

func TestExtent(t *testing.T) {
	t.Parallel()
	counted := func(count, rows string) string {
		return `{"odata.metadata":"https://oda.ft.dk/api/$metadata#Sag",` + count + `"value":[` + rows + `]}`
	}
	tests := map[string]struct {
		page string
		want Extent
		kind error
	}{
		"the count is a text":                  {counted(`"odata.count":"96538",`, row(107611, "")), Extent{107611, 96538}, nil},
		"the count is a number":                {counted(`"odata.count":5,`, row(5, "")), Extent{5, 5}, nil},
		"no count is -1":                       {counted("", row(5, "")), Extent{5, -1}, nil},
		"an empty set":                         {counted(`"odata.count":"0",`, ""), Extent{0, 0}, nil},
		"a row too many":                       {counted(`"odata.count":"2",`, row(5, "")+","+row(4, "")), Extent{5, 2}, nil},
		"rows in the wrong order":              {counted(`"odata.count":"2",`, row(4, "")+","+row(5, "")), Extent{}, ErrNotHonoured},
		"rows that are counted but not there":  {counted(`"odata.count":"2",`, ""), Extent{}, ErrNotHonoured},
		"a count that is not a number":         {counted(`"odata.count":"many",`, ""), Extent{}, ErrNotOData},
		"a highest row without an id":          {counted(`"odata.count":"2",`, `{"id":"x"}`), Extent{schema.NoEnd, 2}, nil},
		"a highest row with half an id":        {counted(`"odata.count":"2",`, `{"id":3.5}`), Extent{schema.NoEnd, 2}, nil},
		"a highest id that is the last number": {counted(`"odata.count":"2",`, row(math.MaxInt64, "")), Extent{schema.NoEnd, 2}, nil},
		"a highest id above all numbers":       {counted(`"odata.count":"2",`, `{"id":9223372036854775808}`), Extent{schema.NoEnd, 2}, nil},
		"ids below 1 alone":                    {counted(`"odata.count":"2",`, row(-5, "")), Extent{0, 2}, nil},
		"a page of another set, empty or not":  {pageOf("Stemme"), Extent{}, ErrNotHonoured},
		"a page that is cut off":               {counted("", row(5, ""))[:90], Extent{}, ErrTruncated},
	}
	for claim, tt := range tests {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			inBubble(t, Config{}, answer(tt.page), func(t *testing.T, c *Client, s *source) {
				got, err := c.Extent(t.Context(), "Sag", Scan)
				if got != tt.want || !errors.Is(err, tt.kind) {
					t.Errorf("Extent = %+v, %v, want %+v, %v", got, err, tt.want, tt.kind)
				}
				want := "/api/Sag?$orderby=id%20desc&$top=1&$inlinecount=allpages"
				if s.asked()[0] != want {
					t.Errorf("asked %s, want %s", s.asked()[0], want)
				}
			})
		})
	}
}

func TestMetadata(t *testing.T) {
	t.Parallel()
	doc := `<?xml version="1.0"?><edmx:Edmx Version="1.0"></edmx:Edmx>` + "\n"
	tests := map[string]struct {
		h    http.HandlerFunc
		kind error
	}{
		"a complete document": {status(200, "application/xml;charset=utf-8", doc), nil},
		"cut off":             {status(200, "application/xml", doc[:40]), ErrTruncated},
		"other XML":           {status(200, "application/xml", "<feed/>"), ErrNotOData},
		"HTML":                {status(200, "text/html", htmlPage), ErrNotOData},
		"not there":           {status(404, "text/html", htmlPage), ErrNotFound},
		"source is broke":     {status(500, "text/html", htmlPage), ErrServer},
	}
	for claim, tt := range tests {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			inBubble(t, Config{}, tt.h, func(t *testing.T, c *Client, s *source) {
				got, err := c.Metadata(t.Context())
				if !errors.Is(err, tt.kind) || tt.kind == nil && string(got) != doc {
					t.Errorf("Metadata = %q, %v, want %v", got, err, tt.kind)
				}
				if s.asked()[0] != "/api/$metadata" {
					t.Errorf("asked %s", s.asked()[0])
				}
				before := len(s.asked())
				if err := c.Reachable(t.Context()); !errors.Is(err, tt.kind) {
					t.Errorf("Reachable: %v, want %v", err, tt.kind)
				}
				if got := len(s.asked()) - before; got != 1 {
					t.Errorf("Reachable asked %d times, want once", got)
				}
			})
		})
	}
}

func TestIsUnreachable(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		h    http.HandlerFunc
		want bool
	}{
		"silence":                  {silent, true},
		"a broken connection":      {hijacked(""), true},
		"somebody else's web site": {status(200, "text/html", htmlPage), true},
		"a set that is not there":  {status(404, "text/html", htmlPage), false},
		"a broken source":          {status(500, "text/html", htmlPage), false},
		"a good page":              {answer(pageOf("Sag")), false},
	}
	for claim, tt := range tests {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			inBubble(t, Config{}, tt.h, func(t *testing.T, c *Client, _ *source) {
				_, err := c.Page(t.Context(), "Sag", aboveZero, Tail)
				if got := IsUnreachable(err); got != tt.want {
					t.Errorf("IsUnreachable(%v) = %t", err, got)
				}
			})
		})
	}
}

func TestACancelledCallIsNoFaultOfTheSource(t *testing.T) {
	t.Parallel()
	inBubble(t, Config{}, silent, func(t *testing.T, c *Client, _ *source) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		_, err := c.Page(ctx, "Sag", aboveZero, Tail)
		if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrTimeout) || IsUnreachable(err) {
			t.Errorf("Page: %v, want the context's end alone", err)
		}
		if took := time.Since(start); took != time.Second {
			t.Errorf("took %s, want 1s", took)
		}
	})
}

func TestCancelledRequestsAreCountedAsCancelled(t *testing.T) {
	t.Parallel()
	inBubble(t, Config{}, silent, func(t *testing.T, c *Client, _ *source) {
		for range 2 * breakerFailures {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			if err := c.Reachable(ctx); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrTimeout) {
				t.Errorf("Reachable: %v, want the context's end alone", err)
			}
			cancel()
		}
		got := counted(t, c.metrics)
		if got["requests_total{outcome=cancelled,set=$metadata}"] != 2*breakerFailures || got["breaker_open{}"] != 0 {
			t.Errorf("counted %v, want each request as cancelled and the breaker closed", got)
		}
	})
}

func TestConnectionsAreKept(t *testing.T) {
	t.Parallel()
	good := answer(pageOf("Sag", row(1, "")))
	for _, atOnce := range []int{1, 4} {
		t.Run(strconv.Itoa(atOnce), func(t *testing.T) {
			t.Parallel()
			h := first(good, status(404, "text/html", htmlPage), status(200, "text/html", htmlPage), status(503, "", ""), func(w http.ResponseWriter, r *http.Request) {
				<-time.After(time.Second)
				good(w, r)
			})
			inBubble(t, Config{Concurrency: atOnce}, h, func(t *testing.T, c *Client, _ *source) {
				var dials atomic.Int64
				transport := c.http.Transport.(*http.Transport)
				dial := transport.DialContext
				transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
					dials.Add(1)
					return dial(ctx, network, addr)
				}
				for range 20 {
					var wg sync.WaitGroup
					for i := range 2 * atOnce {
						set := []string{"Sag", "Aktør"}[i%2] // one set alone does not get all requests
						wg.Go(func() { _, _ = c.Page(t.Context(), set, aboveZero, Tail) })
					}
					wg.Wait()
				}
				if got := int(dials.Load()); got != atOnce {
					t.Errorf("%d connections for %d pages, %d at once, errors among them", got, 40*atOnce, atOnce)
				}
			})
		})
	}
}

func TestAClosedPortIsUnreachable(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	c, err := New(Config{URL: server.URL}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Reachable(t.Context()); !errors.Is(err, ErrUnreachable) || !IsUnreachable(err) {
		t.Errorf("Reachable: %v, want %v", err, ErrUnreachable)
	}
}
