package odasim

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
)

// discard is a client that reads nothing.
type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(p []byte) (int, error) { return len(p), nil }
func (d discard) WriteHeader(int)             {}

// BenchmarkPage measures one page of a set with a million rows, for each form of query
// that the poller sends.
func BenchmarkPage(b *testing.B) {
	s := newSim(Options{})
	many(b, s, 1_000_000, 80_000)
	window := "opdateringsdato gt datetime'%s' and opdateringsdato le datetime'2019-03-20T19:23:00.000' and id gt %d"
	for _, c := range []struct{ name, filter, order string }{
		{"id range", "id gt 500000 and id le 510000", "id"},
		{"tie from its start", fmt.Sprintf(window, "2019-03-20T19:21:12.257", 0), "id"},
		{"tie in the middle", fmt.Sprintf(window, "2019-03-20T19:21:12.257", 960_000), "id"},
		{"behind the tie", fmt.Sprintf(window, "2019-03-20T19:21:12.257", 1_000_000), "id"},
		{"narrow window", "opdateringsdato gt datetime'2014-09-03T09:05:00' and opdateringsdato le datetime'2014-09-03T09:05:01' and id gt 0", "id"},
		{"quiet window", fmt.Sprintf(window, "2019-03-20T19:22:00.000", 0), "id"},
		{"keyset in the tie", "opdateringsdato gt datetime'2019-03-20T19:21:12.267' or (opdateringsdato eq datetime'2019-03-20T19:21:12.267' and id gt 960000)", "opdateringsdato,id"},
	} {
		query := url.Values{"$filter": {c.filter}, "$orderby": {c.order}, "$top": {"100"}}
		b.Run(c.name, func(b *testing.B) { benchmarkPage(b, s, query) })
	}
	b.Run("extent", func(b *testing.B) {
		benchmarkPage(b, s, url.Values{"$orderby": {"id desc"}, "$top": {"1"}, "$inlinecount": {"allpages"}})
	})
}

func benchmarkPage(b *testing.B, s *Server, query url.Values) {
	b.ReportAllocs()
	r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, Root+"/Stemme?"+query.Encode(), nil)
	for b.Loop() {
		s.ServeHTTP(discard{http.Header{}}, r)
	}
}
