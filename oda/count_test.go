package oda

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"odastream/schema"
)

// stating returns a page that states a count of rows.
func stating(set, count string, rows ...string) string {
	return strings.Replace(pageOf(set, rows...), `"value"`, fmt.Sprintf(`"odata.count":%s,"value"`, count), 1)
}

func TestCountAsksForANumberAndOneRow(t *testing.T) {
	t.Parallel()
	inBubble(t, Config{}, answer(stating("Sag", `"4711"`, row(11, ""))), func(t *testing.T, c *Client, s *source) {
		got, err := c.Count(t.Context(), "Sag", Window{IDs: schema.IDRange{Low: 10, High: 9000}}, Scan)
		if err != nil || got != 4711 {
			t.Errorf("Count = %d, %v, want 4711", got, err)
		}
		want := "/api/Sag?$filter=id%20gt%2010%20and%20id%20le%209000&$orderby=id&$top=1&$inlinecount=allpages"
		if asked := s.asked(); len(asked) != 1 || asked[0] != want {
			t.Errorf("asked %q, want %q", asked, want)
		}
	})
}

// Invariant 7: a count is used only with a row that lies in the window.
func TestCountChecksTheAnswer(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		page string
		want int64
		err  error
	}{
		"none":                         {stating("Sag", `"0"`), 0, nil},
		"a number that is not a text":  {stating("Sag", `1`, row(3, "")), 1, nil},
		"no number":                    {pageOf("Sag", row(3, "")), 0, ErrNotHonoured},
		"a row below the window":       {stating("Sag", `"5"`, row(2, "")), 0, ErrNotHonoured},
		"a row above the window":       {stating("Sag", `"5"`, row(10, "")), 0, ErrNotHonoured},
		"a number without a row":       {stating("Sag", `"5"`), 0, ErrNotHonoured},
		"a row without a number":       {stating("Sag", `"0"`, row(3, "")), 0, ErrNotHonoured},
		"the number of another entity": {stating("Stemme", `"5"`, row(3, "")), 0, ErrNotHonoured},
		"a reject counts as a row":     {stating("Sag", `"1"`, `{"id":3,"opdateringsdato":1}`), 1, nil},
	}
	for claim, tt := range tests {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			inBubble(t, Config{}, answer(tt.page), func(t *testing.T, c *Client, _ *source) {
				got, err := c.Count(t.Context(), "Sag", Window{IDs: schema.IDRange{Low: 2, High: 9}}, Scan)
				if got != tt.want || !errors.Is(err, tt.err) {
					t.Errorf("Count = %d, %v, want %d, %v", got, err, tt.want, tt.err)
				}
			})
		})
	}
}
