package console_test

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"odastream/internal/console"
	"odastream/schema"
)

func TestTitle(t *testing.T) {
	t.Parallel()
	for claim, c := range map[string]struct{ row, want string }{
		"the short title before the long one": {`{"id":1,"titel":"Forslag til lov om ændring","titelkort":"Om brød"}`, "Om brød"},
		"an empty short title is none":        {`{"id":1,"titelkort":"","titel":"Forslag"}`, "Forslag"},
		"a null short title is none":          {`{"id":1,"titelkort":null,"titel":"Forslag"}`, "Forslag"},
		"a person's name":                     {`{"id":5,"typeid":5,"navn":"Ægir Ørsted"}`, "Ægir Ørsted"},
		"a vote's outcome, on one line":       {`{"id":1,"nummer":411,"konklusion":"Vedtaget\n\nFor stemte 108"}`, "Vedtaget For stemte 108"},
		"what a link joins":                   {`{"id":1,"aktørid":5,"sagid":12,"rolleid":3}`, "aktør 5, sag 12"},
		"a member's vote":                     {`{"id":1,"typeid":1,"afstemningid":10,"aktørid":5}`, "afstemning 10, aktør 5"},
		"escaped letters":                     {`{"navn":"S\u00f8ren"}`, "Søren"},
		"no commands for the terminal":        {`{"navn":"a\u001b[2Jb"}`, "a [2Jb"},
		"a row without a word":                {`{"id":1}`, ""},
		"a delete has no row":                 {``, ""},
		"what is no object":                   {`[1,2]`, ""},
		"as much as can be read":              {`{"navn":"Bo","x":`, "Bo"},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			if got := console.Title([]byte(c.row)); got != c.want {
				t.Errorf("Title(%s) = %q, want %q", c.row, got, c.want)
			}
		})
	}
}

func TestALongTitleIsCutBetweenCharacters(t *testing.T) {
	t.Parallel()
	got := console.Title([]byte(`{"titel":"` + strings.Repeat("å", 500) + `"}`))
	if n := utf8.RuneCountInString(got); n != 90 || !strings.HasSuffix(got, "å…") {
		t.Errorf("title has %d letters and ends %q, want 90 and an ellipsis", n, got[len(got)-5:])
	}
}

func TestLineNamesWhatChanged(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 23, 15, 10, 0, 0, time.Local)
	for claim, c := range map[string]struct {
		change schema.Change
		want   string
	}{
		"an update": {
			schema.Change{Entity: "Sag", ID: 98765, Action: schema.Update, Timestamp: at, Changed: []string{"statusid", "titel"}, Data: []byte(`{"titel":"Om brød"}`)},
			"15:10:00  update    Sag/98765                 Om brød  (statusid, titel)",
		},
		"a delete": {
			schema.Change{Entity: "MødeAktør", ID: 7, Action: schema.Delete, Timestamp: at},
			"15:10:00  delete    MødeAktør/7",
		},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			if got := console.Headline(c.change); got != c.want {
				t.Errorf("Headline = %q, want %q", got, c.want)
			}
		})
	}
}

func FuzzTitle(f *testing.F) {
	f.Add([]byte(`{"titel":"a\nb","sagid":1}`))
	f.Add([]byte("{\"navn\":\"\xff\"}"))
	f.Fuzz(func(t *testing.T, row []byte) {
		if got := console.Title(row); strings.ContainsAny(got, "\n\r\x1b") || utf8.RuneCountInString(got) > 90 {
			t.Errorf("Title(%q) = %q, want one short line", row, got)
		}
	})
}
