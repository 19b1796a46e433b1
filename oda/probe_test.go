package oda

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"odastream/odasim"
	"odastream/schema"
)

// aboutTen is the most requests of a regular probe.
const aboutTen = 12

// probed runs a probe of sim in a bubble.
func probed(t *testing.T, sim *odasim.Server, sets []string, full bool) Report {
	t.Helper()
	var report Report
	inBubble(t, Config{}, sim.ServeHTTP, func(t *testing.T, c *Client, _ *source) {
		var err error
		if report, err = c.probe(t.Context(), sets, full); err != nil {
			t.Fatalf("probe: %v", err)
		}
	})
	return report
}

// found returns the finding with a name.
func found(t *testing.T, r Report, name string) Finding {
	t.Helper()
	i := slices.IndexFunc(r.Findings, func(f Finding) bool { return f.Name == name })
	if i < 0 {
		t.Fatalf("no finding %q in %+v", name, r.Findings)
	}
	return r.Findings[i]
}

// verdicts returns the verdict of each finding that is not ok.
func verdicts(r Report) map[string]Verdict {
	out := map[string]Verdict{}
	for _, f := range r.Findings {
		if f.Verdict != VerdictOK {
			out[f.Name] = f.Verdict
		}
	}
	return out
}

func TestProbeFindings(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		options odasim.Options
		faults  odasim.Faults
		arrange func(t *testing.T, s *odasim.Server)
		cap     int                // the most rows of a page, if not 100
		want    map[string]Verdict // of what is not ok
		seen    map[string]string  // by finding: part of what was seen
	}{
		"as documented": {
			seen: map[string]string{
				"metadata": "50 sets", "page-cap": "100 rows", "top": "100 rows for $top=100", "order-on-ties": "ties among 100 rows",
				"stamp-comparison": "ticks: filtering by a row's own stamp gives …0: eq, …3: gt, …7: neither",
				"unknown-field":    "400", "filter-by-id": "returns no row", "filter-by-stamp": "returns no row", "filter-gives": "returns that row",
			},
		},
		"stamps compared as text": {
			options: odasim.Options{Compare: odasim.CompareText},
			seen:    map[string]string{"stamp-comparison": "text: filtering by a row's own stamp gives …0: eq, …3: eq, …7: eq"},
		},
		"pages of 20": {
			options: odasim.Options{PageCap: 20},
			cap:     20,
			want:    map[string]Verdict{"page-cap": VerdictNote},
			seen:    map[string]string{"page-cap": "20 rows", "top": "20 rows for $top=100"},
		},
		"pages of 1000": {
			options: odasim.Options{PageCap: 1000},
			cap:     -1, // not seen: the set has 700 rows
			want:    map[string]Verdict{"page-cap": VerdictNote},
			seen:    map[string]string{"page-cap": "700 rows of Sag", "top": "100 rows for $top=100"},
		},
		"unknown fields ignored": {
			options: odasim.Options{IgnoreUnknownFields: true},
			want:    map[string]Verdict{"unknown-field": VerdictNote},
			seen:    map[string]string{"unknown-field": "every row is returned"},
		},
		"gzip, escapes and Atom by default": {
			options: odasim.Options{Gzip: true, EscapeUnicode: true, AtomDefault: true},
		},
		"filters ignored": {
			faults: odasim.Faults{UnfilteredRate: 1},
			want: map[string]Verdict{
				"filter-by-id": VerdictTrouble, "filter-by-stamp": VerdictTrouble, "stamp-comparison": VerdictTrouble, "unknown-field": VerdictOK,
			},
			seen: map[string]string{"filter-by-id": "Sag: id 3 is not above 2147483646"},
		},
		"order ignored": {
			faults: odasim.Faults{DisorderRate: 1},
			want:   map[string]Verdict{"order-by-id": VerdictTrouble, "order-on-ties": VerdictNote},
			seen:   map[string]string{"order-by-id": "$orderby=id desc of Sag returns"},
		},
		"pages short": {
			faults: odasim.Faults{ShortRate: 1},
		},
		"no Date header": {
			options: odasim.Options{NoDate: true},
			want:    map[string]Verdict{"clock": VerdictNote},
		},
		"rows without a stamp": {
			arrange: func(t *testing.T, s *odasim.Server) { put(t, s, "Dagsordenspunkt", row(4, "")) },
			want:    map[string]Verdict{"null-stamps": VerdictNote},
			seen:    map[string]string{"null-stamps": "rows without a stamp in Dagsordenspunkt"},
		},
		"one set is gone": {
			arrange: func(t *testing.T, s *odasim.Server) { miss(t, s, "EntitetBeskrivelse") },
			want:    map[string]Verdict{"absent-sets": VerdictNote},
			seen:    map[string]string{"absent-sets": "EntitetBeskrivelse answers 404"},
		},
		"the usual specimen is gone": {
			arrange: func(t *testing.T, s *odasim.Server) { miss(t, s, "Sag") },
			want:    map[string]Verdict{"absent-sets": VerdictNote},
			seen:    map[string]string{"page-cap": "100 rows of Aktør"},
		},
	}
	for claim, tt := range tests {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			sim := parliament(t, tt.options)
			if tt.arrange != nil {
				tt.arrange(t, sim)
			}
			sim.SetFaults(tt.faults)
			report := probed(t, sim, nil, false)
			most := int64(aboutTen)
			if tt.faults.UnfilteredRate > 0 { // each with a filter is asked again
				most += 7
			}
			if n := sim.Requests(); n > most || n != int64(report.Requests) {
				t.Errorf("%d requests, reported %d, want the same and at most %d", n, report.Requests, most)
			}
			want := max(0, tt.cap)
			if tt.cap == 0 {
				want = 100
			}
			if report.PageCap != want && tt.faults.ShortRate == 0 {
				t.Errorf("page cap %d, want %d", report.PageCap, want)
			}
			got := verdicts(report)
			for name, want := range tt.want {
				if f := found(t, report, name); f.Verdict != want {
					t.Errorf("%s is %s, want %s: %+v", name, f.Verdict, want, f)
				}
				delete(got, name)
			}
			if claim == "pages short" {
				got = nil // the length is random, and no length is a fault
			}
			if len(got) > 0 {
				t.Errorf("not ok besides: %v in %+v", got, report.Findings)
			}
			for name, want := range tt.seen {
				if f := found(t, report, name); !strings.Contains(f.Seen, want) {
					t.Errorf("%s saw %q, want %q in it", name, f.Seen, want)
				}
			}
			if report.Trouble() != slices.ContainsFunc(report.Findings, func(f Finding) bool { return f.Remedy != "" }) {
				t.Errorf("trouble %v, want a remedy with each trouble and with nothing else: %+v", report.Trouble(), report.Findings)
			}
		})
	}
}

func put(t *testing.T, s *odasim.Server, set, data string) {
	t.Helper()
	if err := s.Put(set, []byte(data)); err != nil {
		t.Fatal(err)
	}
}

func miss(t *testing.T, s *odasim.Server, set string) {
	t.Helper()
	if err := s.SetMissing(set, true); err != nil {
		t.Fatal(err)
	}
}

func TestAFullProbeAsksEverySet(t *testing.T) {
	t.Parallel()
	sim := parliament(t, odasim.Options{})
	put(t, sim, "Fil", row(4, ""))
	miss(t, sim, "Sambehandlinger")
	miss(t, sim, "Omtryk")
	report := probed(t, sim, nil, true)
	if diff := cmp.Diff([]string{"Omtryk", "Sambehandlinger"}, report.Absent); diff != "" {
		t.Errorf("absent (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"Fil"}, report.NullStamps); diff != "" {
		t.Errorf("with null stamps (-want +got):\n%s", diff)
	}
	if n, want := sim.Requests(), int64(3*45+7); n != want {
		t.Errorf("%d requests, want %d", n, want)
	}
	if f := found(t, report, "filter-by-id"); f.Verdict != VerdictOK || !strings.Contains(f.Seen, "sets asked: 43") {
		t.Errorf("filter-by-id is %+v, want 43 sets asked", f)
	}
	if f := found(t, report, "page-without-top"); !strings.Contains(f.Seen, "100 rows") {
		t.Errorf("page-without-top is %+v, want 100 rows", f)
	}
	if report.Trouble() {
		t.Errorf("trouble in %+v", report.Findings)
	}
}

// In 2016 another set could have null stamps. However many sets can, a regular probe
// stays small and asks all of them in turn.
func TestSetsThatMayHoldNullsAreAskedInTurn(t *testing.T) {
	t.Parallel()
	entities := schema.Entities()
	for i, e := range entities {
		entities[i].Fields = slices.Clone(e.Fields)
		for j := range e.Fields {
			entities[i].Fields[j].Nullable = true
		}
	}
	sim := parliament(t, odasim.Options{Entities: entities})
	inBubble(t, Config{}, sim.ServeHTTP, func(t *testing.T, c *Client, s *source) {
		for range 45 {
			before := sim.Requests()
			if _, err := c.Probe(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
			if n := sim.Requests() - before; n > aboutTen {
				t.Fatalf("%d requests, want at most %d", n, aboutTen)
			}
			<-time.After(24 * time.Hour) // on the bubble's clock
		}
		asked := map[string]bool{}
		for _, uri := range s.asked() {
			if path, _, nulls := strings.Cut(uri, "?$filter=opdateringsdato%20eq%20null"); nulls {
				asked[path] = true
			}
		}
		if len(asked) != 45 {
			t.Errorf("%d sets were asked in 45 days, want all 45", len(asked))
		}
	})
}

func TestAnEmptyParliamentIsNoTrouble(t *testing.T) {
	t.Parallel()
	sim := odasim.New(odasim.Options{})
	report := probed(t, sim, nil, false)
	if f := found(t, report, "specimen"); f.Verdict != VerdictNote || report.Trouble() {
		t.Errorf("findings %+v, want a note that there are no rows", report.Findings)
	}
	if n := sim.Requests(); n > aboutTen {
		t.Errorf("%d requests, want at most %d", n, aboutTen)
	}
}

func TestAReportIsJSON(t *testing.T) {
	t.Parallel()
	report := probed(t, parliament(t, odasim.Options{PageCap: 20}), nil, false)
	text, err := json.Marshal(report)
	if err != nil {
		t.Fatal(err)
	}
	var back Report
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	report.asked, back.asked = nil, nil
	if diff := cmp.Diff(report, back, cmp.AllowUnexported(Report{})); diff != "" {
		t.Errorf("report after JSON (-want +got):\n%s\n%s", diff, text)
	}
	if want := fmt.Sprintf(`"page_cap":%d`, 20); !strings.Contains(string(text), want) {
		t.Errorf("JSON lacks %s: %s", want, text)
	}
}
