package oda

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"odastream/odasim"
	"odastream/schema"
)

// aboutTen is the most that a regular probe may ask.
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

// found gives the finding of a name.
func found(t *testing.T, r Report, name string) Finding {
	t.Helper()
	i := slices.IndexFunc(r.Findings, func(f Finding) bool { return f.Name == name })
	if i < 0 {
		t.Fatalf("no finding %q in %+v", name, r.Findings)
	}
	return r.Findings[i]
}

// verdicts gives the verdict of each finding that is not ok.
func verdicts(r Report) map[string]Verdict {
	out := map[string]Verdict{}
	for _, f := range r.Findings {
		if f.Verdict != VerdictOK {
			out[f.Name] = f.Verdict
		}
	}
	return out
}

func TestProbeOfASourceTellsWhatItDoes(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		options odasim.Options
		faults  odasim.Faults
		arrange func(t *testing.T, s *odasim.Server)
		want    map[string]Verdict // of what is not ok
		seen    map[string]string  // by finding: part of what was seen
	}{
		"as it is believed to be": {
			seen: map[string]string{
				"metadata": "50 sets", "page-cap": "100 rows", "top": "100 rows for $top=100", "order-on-ties": "ties among 100 rows",
				"stamp-comparison": "ticks: a row's own stamp gives …0: eq, …3: gt, …7: neither",
				"unknown-field":    "400", "filter-by-id": "gives none", "filter-by-stamp": "gives none", "filter-gives": "gives that row",
			},
		},
		"stamps compared as text": {
			options: odasim.Options{Compare: odasim.CompareText},
			seen:    map[string]string{"stamp-comparison": "text: a row's own stamp gives …0: eq, …3: eq, …7: eq"},
		},
		"pages of 20": {
			options: odasim.Options{PageCap: 20},
			want:    map[string]Verdict{"page-cap": VerdictNote},
			seen:    map[string]string{"page-cap": "20 rows", "top": "20 rows for $top=100"},
		},
		"pages of 1000": {
			options: odasim.Options{PageCap: 1000},
			want:    map[string]Verdict{"page-cap": VerdictNote},
			seen:    map[string]string{"page-cap": "700 rows of Sag", "top": "100 rows for $top=100"},
		},
		"unknown fields ignored": {
			options: odasim.Options{IgnoreUnknownFields: true},
			want:    map[string]Verdict{"unknown-field": VerdictNote},
			seen:    map[string]string{"unknown-field": "every row comes"},
		},
		"gzip, escapes and Atom by default": {
			options: odasim.Options{Gzip: true, EscapeUnicode: true, AtomDefault: true},
		},
		"filters ignored": {
			faults: odasim.Faults{UnfilteredRate: 1},
			want: map[string]Verdict{
				"filter-by-id": VerdictTrouble, "filter-by-stamp": VerdictTrouble, "stamp-comparison": VerdictNote, "unknown-field": VerdictOK,
			},
			seen: map[string]string{"filter-by-id": "Sag: id 3 is not above 2147483646"},
		},
		"order ignored": {
			faults: odasim.Faults{DisorderRate: 1},
			want:   map[string]Verdict{"order-by-id": VerdictTrouble, "order-on-ties": VerdictNote},
			seen:   map[string]string{"order-by-id": "$orderby=id desc of Sag gives"},
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
			if n := sim.Requests(); n > aboutTen || n != int64(report.Requests) {
				t.Errorf("%d requests, reported %d, want the same and at most %d", n, report.Requests, aboutTen)
			}
			got := verdicts(report)
			for name, want := range tt.want {
				if f := found(t, report, name); f.Verdict != want {
					t.Errorf("%s is %s, want %s: %+v", name, f.Verdict, want, f)
				}
				delete(got, name)
			}
			if claim == "pages short" {
				got = nil // how short is drawn, and any length is no fault
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

func TestWhichFilterIsHonoured(t *testing.T) {
	t.Parallel()
	// All of these have rows with stamps; Sag is the specimen, Dagsordenspunkt one that is asked for nulls.
	sets := []string{"Sag", "Aktør", "Dagsordenspunkt"}
	tests := map[string]struct {
		full   bool
		broken []string // sets whose $filter is ignored
		want   map[string]bool
	}{
		"all are":                           {want: map[string]bool{"Sag": true, "Aktør": true, "Dagsordenspunkt": true}},
		"one set's is not":                  {broken: []string{"Sag"}, want: map[string]bool{"Sag": false, "Aktør": true, "Dagsordenspunkt": true}},
		"none is":                           {broken: sets, want: map[string]bool{"Sag": false, "Aktør": false, "Stemme": false}},
		"one that only a full probe asks":   {full: true, broken: []string{"Aktør"}, want: map[string]bool{"Sag": true, "Aktør": false, "Dagsordenspunkt": true}},
		"and the regular one says nothing":  {broken: []string{"Aktør"}, want: map[string]bool{"Sag": true, "Aktør": true}},
		"none is, and all are asked":        {full: true, broken: sets, want: map[string]bool{"Sag": false, "Aktør": false, "Dagsordenspunkt": false}},
		"the nullable set's own is not":     {broken: []string{"Dagsordenspunkt"}, want: map[string]bool{"Sag": true, "Aktør": true, "Dagsordenspunkt": false}},
		"all are, and all are asked":        {full: true, want: map[string]bool{"Sag": true, "Aktør": true, "Dagsordenspunkt": true, "Stemme": true}},
		"one of two that were asked is not": {broken: []string{"Dagsordenspunkt"}, want: map[string]bool{"Stemme": true}},
	}
	for claim, tt := range tests {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			sim := parliament(t, odasim.Options{})
			for id := range int64(30) {
				put(t, sim, "Dagsordenspunkt", row(id+1, "2026-11-23T10:00:00.123"))
			}
			inBubble(t, Config{}, ignoring(sim, tt.broken), func(t *testing.T, c *Client, _ *source) {
				report, err := c.probe(t.Context(), sets, tt.full)
				if err != nil {
					t.Fatal(err)
				}
				for set, want := range tt.want {
					err := report.Honoured(set)
					if (err == nil) != want || err != nil && !errors.Is(err, ErrNotHonoured) {
						t.Errorf("Honoured(%s) = %v, want honoured %v", set, err, want)
					}
				}
			})
		})
	}
}

// ignoring serves sim with the $filter of some sets taken out.
func ignoring(sim *odasim.Server, sets []string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if slices.ContainsFunc(sets, func(set string) bool { return strings.HasSuffix(r.URL.Path, "/"+set) }) {
			q := r.URL.Query()
			q.Del("$filter")
			r.URL.RawQuery = q.Encode()
		}
		sim.ServeHTTP(w, r)
	}
}

// The opposite liar: what it must give does not come.
func TestAFilterThatAlwaysGivesNothingIsTrouble(t *testing.T) {
	t.Parallel()
	sim := parliament(t, odasim.Options{})
	inBubble(t, Config{}, func(w http.ResponseWriter, r *http.Request) {
		if q := r.URL.Query(); q.Has("$filter") {
			q.Set("$filter", "id lt 0")
			r.URL.RawQuery = q.Encode()
		}
		sim.ServeHTTP(w, r)
	}, func(t *testing.T, c *Client, _ *source) {
		report, err := c.Probe(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if f := found(t, report, "filter-gives"); f.Verdict != VerdictTrouble {
			t.Errorf("filter-gives is %+v, want trouble", f)
		}
		if f := found(t, report, "unknown-field"); f.Verdict != VerdictNote || !strings.Contains(f.Seen, "gives no row") {
			t.Errorf("unknown-field is %+v, want a note of no rows", f)
		}
		if err := report.Honoured("Sag"); !errors.Is(err, ErrNotHonoured) {
			t.Errorf("Honoured(Sag) = %v, want %v", err, ErrNotHonoured)
		}
	})
}

// A source whose literals mean another zone than its stamps: neither world.
func TestStampsComparedInAnotherZoneAreTrouble(t *testing.T) {
	t.Parallel()
	sim := parliament(t, odasim.Options{})
	inBubble(t, Config{}, func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		q.Set("$filter", strings.ReplaceAll(q.Get("$filter"), "T10:", "T09:"))
		if q.Get("$filter") == "" {
			q.Del("$filter")
		}
		r.URL.RawQuery = q.Encode()
		sim.ServeHTTP(w, r)
	}, func(t *testing.T, c *Client, _ *source) {
		report, err := c.Probe(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		f := found(t, report, "stamp-comparison")
		if f.Verdict != VerdictTrouble || !strings.Contains(f.Seen, "…0: gt, …3: gt, …7: gt") || report.Comparison != "" {
			t.Errorf("comparison %q, %+v, want trouble", report.Comparison, f)
		}
	})
}

func TestProbeNamesWhatTheSchemaHasNew(t *testing.T) {
	t.Parallel()
	entities := schema.Entities()
	for i, e := range entities {
		switch e.Name {
		case "Sag":
			fields := append(slices.Clone(e.Fields), schema.Field{Name: "nytfelt", Type: "Edm.Guid", Nullable: true})
			fields[slices.IndexFunc(fields, func(f schema.Field) bool { return f.Name == "titel" })].Type = "Edm.Int32"
			entities[i].Fields = fields
		case "Møde":
			entities[i].Fields = slices.DeleteFunc(slices.Clone(e.Fields), func(f schema.Field) bool { return f.Name == "lokale" })
		}
	}
	gone := slices.IndexFunc(entities, func(e schema.Entity) bool { return e.Name == "Omtryk" })
	entities = append(slices.Delete(entities, gone, gone+1), schema.Entity{Name: "Høring", Fields: []schema.Field{{Name: "id", Type: "Edm.Int32"}}})
	report := probed(t, parliament(t, odasim.Options{Entities: entities}), nil, false)
	want := Drift{
		NewSets: []string{"Høring"}, MissingSets: []string{"Omtryk"},
		NewFields:     []FieldDrift{{Set: "Sag", Field: "nytfelt", Declared: "Edm.Guid?"}},
		MissingFields: []FieldDrift{{Set: "Møde", Field: "lokale", Known: "Edm.String?"}},
		Retyped:       []FieldDrift{{Set: "Sag", Field: "titel", Declared: "Edm.Int32?", Known: "Edm.String?"}},
	}
	if diff := cmp.Diff(want, report.Drift); diff != "" {
		t.Errorf("drift (-want +got):\n%s", diff)
	}
	for name, part := range map[string]string{
		"metadata": ", known is ", "new-sets": "Høring", "missing-sets": "Omtryk", "new-fields": "Sag.nytfelt Edm.Guid?",
		"missing-fields": "Møde.lokale", "retyped-fields": "Sag.titel Edm.Int32?, known as Edm.String?",
	} {
		if f := found(t, report, name); f.Verdict != VerdictNote || !strings.Contains(f.Seen, part) {
			t.Errorf("%s is %+v, want a note with %q", name, f, part)
		}
	}
	if report.Trouble() {
		t.Errorf("what is new is trouble: %+v", report.Findings)
	}
}

func TestASetWithoutItsStampIsTroubleOnlyIfItIsCopied(t *testing.T) {
	t.Parallel()
	entities := schema.Entities()
	for i, e := range entities {
		if e.Name == "Fil" {
			entities[i].Fields = slices.DeleteFunc(slices.Clone(e.Fields), func(f schema.Field) bool { return f.Name == "opdateringsdato" })
		}
	}
	for set, want := range map[string]bool{"Fil": true, "Aktør": false} {
		report := probed(t, parliament(t, odasim.Options{Entities: entities}), []string{"Sag", set}, false)
		if report.Trouble() != want {
			t.Errorf("with %s copied trouble is %v, want %v: %+v", set, report.Trouble(), want, report.Findings)
		}
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

// In 2016 another set could have null stamps. However many can, a regular probe
// stays small, and gets round to all of them.
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

// What passes by itself is tried again and is no finding; what does not is
// one, and the questions after it are still asked.
func TestAProbeOfASourceThatStumbles(t *testing.T) {
	t.Parallel()
	sim := parliament(t, odasim.Options{})
	sim.SetFaults(odasim.Faults{Seed: 3, ErrorRate: .1, HTMLRate: .1, TruncateRate: .1, ResetRate: .1})
	report := probed(t, sim, nil, false)
	if v := verdicts(report); len(v) > 0 {
		t.Errorf("not ok: %v", v)
	}
	if n := sim.FaultCounts(); n.Errors+n.HTML+n.Truncated+n.Reset == 0 {
		t.Error("no fault was met")
	}
}

func TestAQuestionThatFailsIsOneFinding(t *testing.T) {
	t.Parallel()
	for claim, tt := range map[string]struct {
		status int
		fails  func(*http.Request) bool
		want   string
		remedy string
	}{
		"$metadata refused":       {http.StatusForbidden, func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "$metadata") }, "metadata", "ODA_CONTACT"},
		"nulls out of order":      {http.StatusInternalServerError, inFilter("null"), "null-stamps", "later"},
		"stamps out of order":     {http.StatusInternalServerError, inFilter(" eq datetime"), "stamp-comparison", "later"},
		"far stamps refused":      {http.StatusBadRequest, inFilter("9999-"), "filter-by-stamp", "backs off"},
		"unknown field, rather":   {http.StatusInternalServerError, inFilter(unknownName), "unknown-field", "later"},
		"thousand rows refused":   {http.StatusBadRequest, func(r *http.Request) bool { return r.URL.Query().Get("$top") == "1000" }, "page-cap", "maintainers"},
		"order by stamp is a 400": {http.StatusBadRequest, func(r *http.Request) bool { return strings.HasPrefix(r.URL.Query().Get("$orderby"), "opd") }, "order-on-ties", "maintainers"},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			sim := parliament(t, odasim.Options{})
			inBubble(t, Config{}, func(w http.ResponseWriter, r *http.Request) {
				if tt.fails(r) {
					w.WriteHeader(tt.status)
					return
				}
				sim.ServeHTTP(w, r)
			}, func(t *testing.T, c *Client, _ *source) {
				report, err := c.Probe(t.Context(), []string{"Sag", "Dagsordenspunkt"})
				if err != nil {
					t.Fatal(err)
				}
				if f := found(t, report, tt.want); f.Verdict != VerdictTrouble || !strings.Contains(f.Remedy, tt.remedy) {
					t.Errorf("%s is %+v, want trouble with %q to do", tt.want, f, tt.remedy)
				}
				if last := report.Findings[len(report.Findings)-1].Name; last != "absent-sets" {
					t.Errorf("the last finding is %s: the probe did not go on", last)
				}
			})
		})
	}
}

func inFilter(part string) func(*http.Request) bool {
	return func(r *http.Request) bool { return strings.Contains(r.URL.Query().Get("$filter"), part) }
}

func TestAProbeThatCannotGoOnSaysSo(t *testing.T) {
	t.Parallel()
	sim := parliament(t, odasim.Options{})
	sim.SetFaults(odasim.Faults{ResetRate: 1})
	inBubble(t, Config{}, sim.ServeHTTP, func(t *testing.T, c *Client, _ *source) {
		report, err := c.Probe(t.Context(), nil)
		if !errors.Is(err, ErrUnreachable) || len(report.Findings) != 0 {
			t.Errorf("Probe = %+v, %v, want no finding and %v", report.Findings, err, ErrUnreachable)
		}
	})
	sim.SetFaults(odasim.Faults{StallRate: 1, Stall: time.Hour})
	inBubble(t, Config{}, sim.ServeHTTP, func(t *testing.T, c *Client, s *source) {
		if _, err := c.Probe(t.Context(), nil); !errors.Is(err, ErrTimeout) || len(s.asked()) != maxTimeouts {
			t.Errorf("Probe of a source that hangs: %v after %d requests, want %v after %d", err, len(s.asked()), ErrTimeout, maxTimeouts)
		}
	})
}

func TestAProbeGoesThroughTheBudget(t *testing.T) {
	t.Parallel()
	sim := parliament(t, odasim.Options{})
	inBubble(t, Config{Rate: 2}, sim.ServeHTTP, func(t *testing.T, c *Client, _ *source) {
		began := time.Now()
		report, err := c.Probe(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if took, want := time.Since(began), time.Duration(report.Requests-1)*time.Second/2; took < want {
			t.Errorf("%d requests took %s, want %s at 2 a second", report.Requests, took, want)
		}
	})
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
