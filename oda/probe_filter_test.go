package oda

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"odastream/odasim"
)

func TestHonoured(t *testing.T) {
	t.Parallel()
	// All but Fil have rows, and with stamps; Sag is the specimen, Dagsordenspunkt is
	// asked for nulls.
	sets := []string{"Sag", "Aktør", "Dagsordenspunkt", "Fil"}
	tests := map[string]struct {
		full   bool
		broken []string // sets whose $filter is ignored
		want   map[string]bool
	}{
		"all are":                           {want: map[string]bool{"Sag": true, "Aktør": true, "Dagsordenspunkt": true}},
		"one set's is not":                  {broken: []string{"Sag"}, want: map[string]bool{"Sag": false, "Aktør": true, "Dagsordenspunkt": true}},
		"none is":                           {broken: sets, want: map[string]bool{"Sag": false, "Aktør": false, "Stemme": false}},
		"a set that only a full probe asks": {full: true, broken: []string{"Aktør"}, want: map[string]bool{"Sag": true, "Aktør": false, "Dagsordenspunkt": true}},
		"a set that only a full probe asks, in a regular one": {broken: []string{"Aktør"}, want: map[string]bool{"Sag": true, "Aktør": true}},
		"none is, and all are asked":                          {full: true, broken: sets, want: map[string]bool{"Sag": false, "Aktør": false, "Dagsordenspunkt": false, "Fil": false}},
		"the nullable set's own is not":                       {broken: []string{"Dagsordenspunkt"}, want: map[string]bool{"Sag": true, "Aktør": true, "Dagsordenspunkt": false}},
		"all are, and all are asked":                          {full: true, want: map[string]bool{"Sag": true, "Aktør": true, "Dagsordenspunkt": true, "Stemme": true}},
		"one of two that were asked is not":                   {broken: []string{"Dagsordenspunkt"}, want: map[string]bool{"Stemme": true}},
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

// ignoring serves sim and removes the $filter of some sets.
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

// An entity would wait for the next probe, which comes the next day if there is no trouble.
func TestOneUnfilteredAnswerStopsNoEntity(t *testing.T) {
	t.Parallel()
	sim := parliament(t, odasim.Options{})
	sets := []string{"Sag", "Dagsordenspunkt"} // the specimen, and one that may have rows without a stamp
	put(t, sim, "Dagsordenspunkt", row(1, "2026-11-23T10:00:00.123"))
	for n := 1; n <= 5; n++ {
		filtered := 0
		inBubble(t, Config{}, func(w http.ResponseWriter, r *http.Request) {
			if q := r.URL.Query(); q.Has("$filter") && !strings.Contains(q.Get("$filter"), unknownName) {
				if filtered++; filtered == n {
					q.Del("$filter")
					r.URL.RawQuery = q.Encode()
				}
			}
			sim.ServeHTTP(w, r)
		}, func(t *testing.T, c *Client, _ *source) {
			report, err := c.Probe(t.Context(), sets)
			if err != nil {
				t.Fatal(err)
			}
			for _, set := range sets {
				if err := report.Honoured(set); err != nil {
					t.Errorf("filter %d ignored once: %v", n, err)
				}
			}
			if report.Trouble() {
				t.Errorf("filter %d ignored once: trouble in %+v", n, report.Findings)
			}
		})
		if filtered <= n {
			t.Errorf("%d filters were sent, want the one that was ignored again", filtered)
		}
	}
}

// The opposite fault: rows that must be returned are missing.
func TestAFilterThatNeverReturnsRowsIsTrouble(t *testing.T) {
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
		if f := found(t, report, "unknown-field"); f.Verdict != VerdictNote || !strings.Contains(f.Seen, "returns no row") {
			t.Errorf("unknown-field is %+v, want a note of no rows", f)
		}
		if err := report.Honoured("Sag"); !errors.Is(err, ErrNotHonoured) {
			t.Errorf("Honoured(Sag) = %v, want %v", err, ErrNotHonoured)
		}
	})
}
