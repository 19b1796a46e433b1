package oda

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"odastream/schema"
)

// rowsLike makes a page of rows of about the given size, like real ones: several
// members, Danish text.
func rowsLike(size int) []byte {
	rows := make([]string, schema.PageSize)
	for i := range rows {
		var b strings.Builder
		fmt.Fprintf(&b, `{"id":%d`, i+1)
		for n := 0; b.Len() < size-45; n++ {
			fmt.Fprintf(&b, `,"felt%d":"Forslag om ændring af lov nr. %d, §"`, n, n)
		}
		fmt.Fprintf(&b, `,"opdateringsdato":"2014-09-09T09:05:%02d.653"}`, i%60)
		rows[i] = b.String()
	}
	return []byte(pageOf("Sag", rows...))
}

func BenchmarkSplit(b *testing.B) {
	pages := map[string]func(b *testing.B) []byte{
		"stemme":      func(*testing.B) []byte { return rowsLike(100) },
		"sag":         func(*testing.B) []byte { return rowsLike(1650) },
		"real-stemme": func(b *testing.B) []byte { return bodyOf("Sag", realRows(b, "2014-10/stemme", schema.PageSize)) },
		"real-sag":    func(b *testing.B) []byte { return bodyOf("Sag", realRows(b, "2014-10/sag", schema.PageSize)) },
	}
	for name, page := range pages {
		b.Run(name, func(b *testing.B) {
			body, s := page(b), new(splitter)
			w, err := Window{IDs: schema.IDsAbove(0), After: "2000-01-01T00:00:00", Until: "2030-01-01T00:00:00"}.rule()
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				fresh := w
				if out, err := s.split(body, &fresh); err != nil || len(out.rows) != schema.PageSize {
					b.Fatal(len(out.rows), err)
				}
			}
		})
	}
}

// BenchmarkPages reads from a server on this machine, so it measures the client, the
// network stack and the server together.
func BenchmarkPages(b *testing.B) {
	for name, size := range map[string]int{"stemme": 100, "sag": 1650} {
		b.Run(name, func(b *testing.B) {
			body := rowsLike(size)
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", typeJSON)
				_, _ = w.Write(body)
			}))
			defer server.Close()
			c, err := New(Config{URL: server.URL, Concurrency: 4}, nil, nil)
			if err != nil {
				b.Fatal(err)
			}
			defer c.Close()
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			b.SetParallelism(2)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, err := c.Page(b.Context(), "Sag", aboveZero, Scan); err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "pages/s")
		})
	}
}
