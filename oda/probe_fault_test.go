package oda

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"odastream/odasim"
)

// A temporary fault is retried and is no finding. A lasting one is a finding, and the
// requests after it are still sent.
func TestProbeOfAnUnreliableSource(t *testing.T) {
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

func TestAFailedRequestIsOneFinding(t *testing.T) {
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
		"far stamps refused":      {http.StatusBadRequest, inFilter("9999-"), "filter-by-stamp", "only its entity waits"},
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

func TestAProbeThatCannotContinueReturnsAnError(t *testing.T) {
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
