package oda

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"odastream/odasim"
)

// The source may change while it is probed: a row that gets a new stamp between two
// requests is no fault.
func TestARowThatChangesDuringAProbeIsNoTrouble(t *testing.T) {
	t.Parallel()
	for _, compare := range []odasim.Compare{odasim.CompareTicks, odasim.CompareText} {
		for _, before := range []string{" eq datetime", " gt datetime"} {
			sim := parliament(t, odasim.Options{Compare: compare})
			inBubble(t, Config{}, func(w http.ResponseWriter, r *http.Request) {
				if filter := r.URL.Query().Get("$filter"); strings.HasPrefix(filter, "id eq") && strings.Contains(filter, before) {
					var sevenths, id int64
					for clause := range strings.SplitSeq(filter, " or ") {
						if _, err := fmt.Sscanf(clause, "id eq %d and", &id); err == nil && strings.HasSuffix(clause, "7'") {
							sevenths = id
						}
					}
					if err := sim.Edit("Sag", sevenths, "opdateringsdato", "2026-11-23T15:00:00.123"); err != nil {
						t.Error(err)
					}
				}
				sim.ServeHTTP(w, r)
			}, func(t *testing.T, c *Client, _ *source) {
				report, err := c.Probe(t.Context(), nil)
				if err != nil {
					t.Fatal(err)
				}
				f := found(t, report, "stamp-comparison")
				if f.Verdict != VerdictOK || string(report.Comparison) != string(compare) || !strings.Contains(f.Seen, "…7: no row to ask for") {
					t.Errorf("changed before%s: %q, %+v, want %s by the others", before, report.Comparison, f, compare)
				}
			})
		}
	}
}

// A source whose literals have another zone than its stamps fits neither comparison.
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
