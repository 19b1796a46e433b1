package oda

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"math"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"unicode/utf8"

	"odastream/odasim"
	"odastream/schema"
)

// pump writes one text again and again until the reader has gone.
func pump(before, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", typeJSON)
		_, err := io.WriteString(w, before)
		for err == nil {
			_, err = io.WriteString(w, text)
		}
	}
}

// packed answers with head, n times filler, and tail, in gzip. It is compressed
// beforehand and never whole in memory.
func packed(t *testing.T, head, filler string, n int, tail string) http.HandlerFunc {
	t.Helper()
	var b bytes.Buffer
	zip := gzip.NewWriter(&b)
	_, _ = io.WriteString(zip, head)
	many := strings.Repeat(filler, 1024)
	for range n / 1024 {
		_, _ = io.WriteString(zip, many)
	}
	_, _ = io.WriteString(zip, tail)
	if err := zip.Close(); err != nil {
		t.Fatal(err)
	}
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", typeJSON)
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(b.Bytes())
	}
}

// endlessHeaders answers with headers that do not end.
func endlessHeaders(w http.ResponseWriter, _ *http.Request) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		panic(err)
	}
	_, err = io.WriteString(conn, "HTTP/1.1 200 OK\r\n")
	for err == nil {
		_, err = io.WriteString(conn, "X-More: "+strings.Repeat("x", 8000)+"\r\n")
	}
	_ = conn.Close()
}

// Each answer is small on the wire or never ends. What a client allocates for it in all
// tries together stays below the poller's limit.
func TestHostileAnswersEndInBoundedMemory(t *testing.T) { //nolint:paralleltest // it measures what the process allocates
	const (
		mega  = 1 << 20
		begin = `{"odata.metadata":"x#Sag","value":[`
	)
	tests := map[string]struct {
		h    http.HandlerFunc
		kind error
		most uint64 // MiB allocated
	}{
		"twelve million elements":        {packed(t, begin, "0,", 12*mega, "0]}"), ErrTooLarge, 80},
		"seven million elements":         {packed(t, begin, "0,", 7*mega, "0]}"), ErrNotHonoured, 80},
		"a hundred thousand good rows":   {packed(t, begin, `{"id":1},`, 100<<10, `{"id":2}]}`), ErrNotHonoured, 20},
		"spaces in gzip":                 {packed(t, begin, " ", 64*mega, "]}"), ErrTooLarge, 80},
		"arrays in arrays":               {packed(t, begin, "[", 8*mega, ""), ErrNotOData, 5 * 80},
		"objects in a row":               {packed(t, begin+`{"id":1`, `,"x":{"x"`, mega, ""), ErrNotOData, 5 * 80},
		"one text without an end":        {pump(begin+`{"id":1,"navn":"`, strings.Repeat("x", 1<<16)), ErrTooLarge, 80},
		"a body without an end":          {pump("", strings.Repeat(" ", 1<<16)), ErrTooLarge, 80},
		"headers without an end":         {endlessHeaders, ErrUnreachable, 20},
		"a set's name of megabytes":      {packed(t, `{"value":[],"odata.metadata":"x#`, "x", 8*mega, `"}`), ErrNotOData, 5 * 60},
		"a name of a member of a row":    {packed(t, begin+`{"`, "x", 8*mega, `":nil}]}`), ErrNotOData, 5 * 120},
		"a stamp of megabytes":           {packed(t, begin+`{"id":3,"opdateringsdato":"`, "x", 8*mega, `"}]}`), ErrNotHonoured, 80},
		"an odata.error of megabytes":    {packed(t, `{"odata.error":{"code":"`, "x", 8*mega, `"}}`), ErrServer, 5 * 100},
		"many odata.count":               {packed(t, `{"value":[]`, `,"odata.count":"1"`, 512<<10, `}`), ErrNotOData, 5 * 60},
		"empty members of gzip in a row": {packed(t, begin, "", 0, ""), ErrTruncated, 20},
	}
	for claim, tt := range tests {
		t.Run(claim, func(t *testing.T) { //nolint:paralleltest // as above
			var before, after runtime.MemStats
			inBubble(t, Config{}, tt.h, func(t *testing.T, c *Client, _ *source) {
				w := Window{IDs: schema.IDsAbove(0), After: "2014-09-09T09:05:59"}
				if claim == "a hundred thousand good rows" {
					w = aboveZero
				}
				runtime.ReadMemStats(&before)
				page, err := c.Page(t.Context(), "Sag", w, Tail)
				runtime.ReadMemStats(&after)
				if !errors.Is(err, tt.kind) || len(page.Rows)+len(page.Rejects) != 0 {
					t.Errorf("Page = %d rows, %.300v, want %v", len(page.Rows), err, tt.kind)
				}
				if err != nil && len(err.Error()) > 2000 {
					t.Errorf("the error has %d bytes, want 2000 at most: %.300v", len(err.Error()), err)
				}
			})
			took := (after.TotalAlloc - before.TotalAlloc) >> 20
			t.Logf("%d MiB allocated", took)
			if took > tt.most {
				t.Errorf("%d MiB allocated, want %d at most", took, tt.most)
			}
		})
	}
}

// The source was once said to send pages of a thousand rows, never larger ones.
func TestElementsOfAPageAreCounted(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]error{999: nil, 1000: nil, 1001: ErrNotHonoured} {
		rows := make([]string, n)
		for i := range rows {
			rows[i] = row(int64(i+1), "")
			if i%2 == 0 {
				rows[i] = "0"
			}
		}
		inBubble(t, Config{}, answer(pageOf("Sag", rows...)), func(t *testing.T, c *Client, s *source) {
			page, err := c.Page(t.Context(), "Sag", aboveZero, Tail)
			if !errors.Is(err, want) || err == nil && len(page.Rows)+len(page.Rejects) != n {
				t.Errorf("Page of %d elements = %d and %d, %v, want %v", n, len(page.Rows), len(page.Rejects), err, want)
			}
			if got := len(s.asked()); got != 1 {
				t.Errorf("%d requests, want 1", got)
			}
		})
	}
}

func TestAPageOfMegabytesIsRead(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 15<<20)
	for claim, h := range map[string]http.HandlerFunc{
		"as it is": answer(pageOf("Sag", `{"id":1,"navn":"`+long+`"}`)),
		"in gzip":  zipped(pageOf("Sag", `{"id":1,"navn":"`+long+`"}`), 0),
	} {
		inBubble(t, Config{}, h, func(t *testing.T, c *Client, _ *source) {
			page, err := c.Page(t.Context(), "Sag", aboveZero, Tail)
			if err != nil || len(page.Rows) != 1 || len(page.Rows[0].Data) < len(long) {
				t.Errorf("Page %s = %d rows, %v, want a row of 15 MiB", claim, len(page.Rows), err)
			}
		})
	}
}

func TestMetadataOfMegabytesIsRefused(t *testing.T) {
	t.Parallel()
	doc := `<?xml version="1.0"?><edmx:Edmx>` + strings.Repeat("<EntityType/>", 200_000) + `</edmx:Edmx>`
	inBubble(t, Config{}, status(200, typeXML, doc), func(t *testing.T, c *Client, _ *source) {
		if got, err := c.Metadata(t.Context()); !errors.Is(err, ErrTooLarge) || got != nil {
			t.Errorf("Metadata = %d bytes, %v, want %v", len(got), err, ErrTooLarge)
		}
	})
}

func TestEveryInt64IsAnID(t *testing.T) {
	t.Parallel()
	ids := []int64{math.MinInt64, -1, 0, 1, math.MaxInt64}
	rows := make([]string, len(ids))
	for i, id := range ids {
		rows[i] = row(id, "")
	}
	w := Window{IDs: schema.IDRange{Low: schema.NoStart, High: schema.NoEnd}}
	inBubble(t, Config{}, answer(pageOf("Sag", rows...)), func(t *testing.T, c *Client, _ *source) {
		page, err := c.Page(t.Context(), "Sag", w, Tail)
		if err != nil || len(page.Rows) != len(ids) {
			t.Fatalf("Page = %d rows, %v, want %d", len(page.Rows), err, len(ids))
		}
		if last, known := page.LastID(); last != math.MaxInt64 || !known {
			t.Errorf("LastID = %d, %t, want the highest", last, known)
		}
	})
	again := answer(pageOf("Sag", row(math.MinInt64, ""), row(math.MinInt64, "")))
	inBubble(t, Config{}, again, func(t *testing.T, c *Client, _ *source) {
		if _, err := c.Page(t.Context(), "Sag", w, Tail); !errors.Is(err, ErrNotHonoured) {
			t.Errorf("Page with a row twice: %v, want %v", err, ErrNotHonoured)
		}
	})
}

// How a client sees odasim's faults.
func TestAHostileParliamentIsRefused(t *testing.T) {
	t.Parallel()
	for claim, tt := range map[string]struct {
		faults odasim.Faults
		want   error
	}{
		"a bomb":                     {odasim.Faults{BombRate: 1}, ErrTooLarge},
		"a redirect to another host": {odasim.Faults{RedirectRate: 1, RedirectTo: "http://other.test/api/Sag"}, ErrRedirected},
		"a redirect in a circle":     {odasim.Faults{RedirectRate: 1}, ErrRedirected},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			sim := parliament(t, odasim.Options{})
			sim.SetFaults(tt.faults)
			inBubble(t, Config{}, sim.ServeHTTP, func(t *testing.T, c *Client, _ *source) {
				if _, err := c.Page(t.Context(), "Sag", aboveZero, Tail); !errors.Is(err, tt.want) {
					t.Errorf("Page: %v, want %v", err, tt.want)
				}
			})
			if n := sim.FaultCounts(); n.Bombs+n.Redirected == 0 {
				t.Errorf("met %+v, want the fault counted", n)
			}
		})
	}
}

// FuzzHostilePage splits pages that repeat a part any number of times. Memory grows
// with their bytes, and no further than that many rows need. The decoder writes a byte that
// is not UTF-8 as three, several times.
func FuzzHostilePage(f *testing.F) {
	const begin = `{"odata.metadata":"x#Sag","value":[`
	for _, unit := range []string{"0,", "{},", `{"id":1},`, "[", `{"x":`, " ", `"x",`, `{"id":3.5},`, "null,"} {
		f.Add([]byte(begin), []byte(unit), uint32(1<<17), []byte("0]}"))
	}
	f.Add([]byte(begin+`{"`), []byte("x"), uint32(1<<17), []byte(`":nil}]}`))
	f.Add([]byte(`{"odata.error":{"code":"`), []byte("x"), uint32(1<<17), []byte(`"}}`))
	f.Add([]byte(`{"`), []byte("\xd2"), uint32(1<<17), []byte(`"`))
	s := new(splitter)
	f.Fuzz(func(t *testing.T, head, unit []byte, n uint32, tail []byte) {
		const most = 256 << 10
		if len(unit) > 0 {
			head = append(head, bytes.Repeat(unit, min(int(n), most/len(unit)))...)
		}
		body := append(head, tail...)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		out, err := s.split(body, nil)
		runtime.ReadMemStats(&after)
		each := 8
		if !utf8.Valid(body) {
			each = 40
		}
		if took, most := after.TotalAlloc-before.TotalAlloc, uint64(1<<20+each*len(body)); took > most {
			t.Errorf("%d bytes allocated for a page of %d, want %d at most: %.100s", took, len(body), most, body)
		}
		if got := len(out.rows) + len(out.rejects); got > maxElements || err != nil && got > 0 {
			t.Errorf("%d elements, %v", got, err)
		}
	})
}
