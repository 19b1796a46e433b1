package oda

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"

	"odastream/odasim"
	"odastream/schema"
)

// parliament returns a simulated one with 300 rows or more in each set: ties, ties
// larger than a page, and single stamps with each last digit.
func parliament(t *testing.T, o odasim.Options) *odasim.Server {
	t.Helper()
	s := odasim.New(o)
	stamp := at(t, "2026-11-23T09:00:00Z")
	for id := int64(1); id <= 700; id++ {
		if id < 200 || id > 379 { // 180 rows with one stamp in between
			stamp = stamp.Add(time.Duration(3+id%5*10) * time.Millisecond)
		}
		for _, set := range []string{"Sag", "Aktør"} {
			if err := s.Put(set, []byte(row(id*3, odasim.Stamp(stamp)))); err != nil {
				t.Fatal(err)
			}
		}
	}
	return s
}

// walkPages reads a window page after page until an empty one. A page that breaks the
// rules is read again a few times, as the entity's next turn would do.
func walkPages(t *testing.T, c *Client, set string, w Window) []Row {
	t.Helper()
	var rows []Row
	for broken := 0; ; {
		page, err := c.Page(t.Context(), set, w, Scan)
		if errors.Is(err, ErrNotHonoured) && broken < 50 {
			broken++
			continue
		}
		if err != nil {
			t.Fatalf("Page(%s, %+v): %v", set, w, err)
		}
		if len(page.Rows) == 0 {
			return rows
		}
		rows = append(rows, page.Rows...)
		w.IDs.Low = page.Rows[len(page.Rows)-1].ID
	}
}

func TestEveryRowOfAParliamentIsRead(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		options odasim.Options
		faults  odasim.Faults
	}{
		"as documented":           {},
		"stamps compared as text": {options: odasim.Options{Compare: odasim.CompareText}},
		"pages of 20":             {options: odasim.Options{PageCap: 20}},
		"gzip and escapes":        {options: odasim.Options{Gzip: true, EscapeUnicode: true}},
		"every fault now and then": {
			options: odasim.Options{PageCap: 20},
			faults: odasim.Faults{
				Seed: 7, ErrorRate: .05, HTMLRate: .05, TruncateRate: .05, ResetRate: .05, StallRate: .05, Stall: 2 * time.Minute,
				UnfilteredRate: .1, DisorderRate: .1, ShortRate: .2,
			},
		},
	}
	for claim, tt := range tests {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			sim := parliament(t, tt.options)
			sim.SetFaults(tt.faults)
			inBubble(t, Config{}, sim.ServeHTTP, func(t *testing.T, c *Client, _ *source) {
				for _, set := range []string{"Sag", "Aktør"} {
					got, want := walkPages(t, c, set, aboveZero), sim.Rows(set)
					if len(got) != len(want) {
						t.Fatalf("%d rows of %s, want %d", len(got), set, len(want))
					}
					for i := range want {
						if !tt.options.EscapeUnicode && !bytes.Equal(got[i].Data, want[i]) {
							t.Fatalf("row %d of %s is %s, want %s", i, set, got[i].Data, want[i])
						}
					}
					if e, err := c.Extent(t.Context(), set, Scan); err != nil || e != (Extent{MaxID: 2100, Count: 700}) {
						t.Errorf("Extent(%s) = %+v, %v, want 2100 and 700", set, e, err)
					}
				}
				n := sim.FaultCounts()
				if met := min(n.Errors, n.HTML, n.Truncated, n.Reset, n.Stalled, n.Unfiltered, n.Disordered); tt.faults.Seed != 0 && met == 0 {
					t.Errorf("met the faults %+v, want some of each", n)
				}
			})
		})
	}
}

// Both comparisons may include or omit a row with the bound's own stamp. Neither may
// break a page, and beyond the tolerance no row may be missing.
func TestStampBoundsHoldForTextAndTicks(t *testing.T) {
	t.Parallel()
	for _, compare := range []odasim.Compare{odasim.CompareTicks, odasim.CompareText} {
		t.Run(string(compare), func(t *testing.T) {
			t.Parallel()
			sim := parliament(t, odasim.Options{Compare: compare})
			inBubble(t, Config{}, sim.ServeHTTP, func(t *testing.T, c *Client, _ *source) {
				all := walkPages(t, c, "Sag", aboveZero)
				for i := 0; i+60 < len(all); i += 37 {
					w := Window{IDs: schema.IDsAbove(0), After: all[i].Opdateringsdato, Until: all[i+60].Opdateringsdato}
					got := walkPages(t, c, "Sag", w)
					for _, r := range all {
						inside := r.Opdateringsdato > shifted(t, w.After, 10*time.Millisecond) && r.Opdateringsdato < shifted(t, w.Until, -10*time.Millisecond)
						if inside && !slices.ContainsFunc(got, func(g Row) bool { return g.ID == r.ID }) {
							t.Fatalf("row %d of %s is missing from %+v", r.ID, r.Opdateringsdato, w)
						}
					}
				}
			})
		})
	}
}

func shifted(t *testing.T, text string, d time.Duration) string {
	t.Helper()
	out, err := ShiftWall(text, d)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestAnUnknownSetIsNotFound(t *testing.T) {
	t.Parallel()
	sim := parliament(t, odasim.Options{})
	inBubble(t, Config{}, sim.ServeHTTP, func(t *testing.T, c *Client, _ *source) {
		if _, err := c.Page(t.Context(), "Slettet", aboveZero, Tail); !errors.Is(err, ErrNotFound) {
			t.Errorf("Page of an unknown set: %v, want %v", err, ErrNotFound)
		}
		if rows := walkPages(t, c, "EUsag", Window{IDs: schema.AllIDs()}); len(rows) != 0 {
			t.Errorf("%d rows of an empty set", len(rows))
		}
		if doc, err := c.Metadata(t.Context()); err != nil || !bytes.Contains(doc, []byte(`Name="Sag"`)) {
			t.Errorf("Metadata = %d bytes, %v", len(doc), err)
		}
		if err := c.Reachable(t.Context()); err != nil {
			t.Errorf("Reachable: %v", err)
		}
	})
}
