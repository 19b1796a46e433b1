package oda

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
)

// counted returns the counters and gauges of a client, as name{labels}.
func counted(t *testing.T, m *metrics) map[string]float64 {
	t.Helper()
	reg := prometheus.NewPedanticRegistry()
	reg.MustRegister(m.requests, m.retries, m.rows, m.rejects, m.seconds, m.waited, m.breaker)
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]float64{}
	for _, f := range families {
		for _, s := range f.GetMetric() {
			var labels []string
			for _, l := range s.GetLabel() {
				labels = append(labels, l.GetName()+"="+l.GetValue())
			}
			name := fmt.Sprintf("%s{%s}", strings.TrimPrefix(f.GetName(), "odastream_source_"), strings.Join(labels, ","))
			out[name] = s.GetCounter().GetValue() + s.GetGauge().GetValue() + float64(s.GetHistogram().GetSampleCount())
		}
	}
	return out
}

func TestMetricsCountRequests(t *testing.T) {
	t.Parallel()
	h := first(
		status(503, "", ""), answer(pageOf("Sag", row(1, ""), `7`, row(2, ""))), // a page at the second try
		status(404, "", ""),                           // no such set
		answer(pageOf("Sag", row(5, ""), row(4, ""))), // a broken page
	)
	inBubble(t, Config{}, h, func(t *testing.T, c *Client, _ *source) {
		for range 3 {
			_, _ = c.Page(t.Context(), "Sag", aboveZero, Scan)
		}
		want := map[string]float64{
			"requests_total{outcome=ok,set=Sag}":           1,
			"requests_total{outcome=server,set=Sag}":       1,
			"requests_total{outcome=not_found,set=Sag}":    1,
			"requests_total{outcome=not_honoured,set=Sag}": 1,
			"retries_total{outcome=server}":                1,
			"rows_total{set=Sag}":                          2,
			"rejects_total{set=Sag}":                       1,
			"request_seconds{}":                            4,
			"budget_wait_seconds{lane=scan}":               4,
			"breaker_open{}":                               0,
		}
		if diff := cmp.Diff(want, counted(t, c.metrics)); diff != "" {
			t.Errorf("metrics (-want +got):\n%s", diff)
		}
	})
}

func TestOpenBreakerIsSeen(t *testing.T) {
	t.Parallel()
	inBubble(t, Config{}, status(503, "", ""), func(t *testing.T, c *Client, _ *source) {
		for range breakerFailures {
			_ = c.Reachable(t.Context())
		}
		if got := counted(t, c.metrics)["breaker_open{}"]; got != 1 {
			t.Errorf("breaker_open is %v after %d failures, want 1", got, breakerFailures)
		}
	})
}

func TestEachKindOfFaultHasAName(t *testing.T) {
	t.Parallel()
	all := []error{
		ErrNotFound, ErrBadQuery, ErrRefused, ErrNotOData, ErrServer, ErrTruncated,
		ErrTooLarge, ErrNotHonoured, ErrTimeout, ErrUnreachable, ErrOpen,
	}
	var names []string
	for _, kind := range all {
		names = append(names, (&Error{Kind: kind}).outcome())
	}
	slices.Sort(names)
	if distinct := len(slices.Compact(names)); distinct != len(all) || slices.Contains(names, "cancelled") {
		t.Errorf("names of %d kinds: %q", len(all), names)
	}
}

func TestFaultReadsAsOneLine(t *testing.T) {
	t.Parallel()
	f := &Error{
		Set: "Sag", URL: "https://oda.ft.dk/api/Sag", Status: http.StatusServiceUnavailable, Code: "E1", Message: "not\nnow",
		Tries: 5, Kind: ErrServer, Cause: errors.New("because"),
	}
	want := `read Sag: source is out of order (status 503), odata.error "E1" "not\nnow" after 5 tries: GET https://oda.ft.dk/api/Sag: because`
	if got := f.Error(); got != want {
		t.Errorf("Error() = %s, want %s", got, want)
	}
}

func TestLastIDIncludesRejects(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		page Page
		id   int64
		ok   bool
	}{
		"an empty page":               {Page{}, 0, false},
		"rows":                        {Page{Rows: []Row{{ID: 3}, {ID: 5}}}, 5, true},
		"a reject at the end":         {Page{Rows: []Row{{ID: 3}}, Rejects: []Reject{{ID: 9}}}, 9, true},
		"a reject before the end":     {Page{Rows: []Row{{ID: 3}}, Rejects: []Reject{{ID: 2}}}, 3, true},
		"nothing but rejects":         {Page{Rejects: []Reject{{ID: 9}, {}}}, 9, true},
		"rejects that have no id":     {Page{Rejects: []Reject{{}}}, 0, false},
		"rows below zero, and one 0":  {Page{Rows: []Row{{ID: -3}}, Rejects: []Reject{{}}}, -3, true},
		"a reject below zero, itself": {Page{Rejects: []Reject{{ID: -4}}}, -4, true},
	}
	for claim, tt := range tests {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			if id, ok := tt.page.LastID(); id != tt.id || ok != tt.ok {
				t.Errorf("LastID() = %d, %t, want %d, %t", id, ok, tt.id, tt.ok)
			}
		})
	}
}
