package console

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"odastream/schema"
)

func TestATerminalObeysNoForeignText(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"Om brød, æøå €\n\tog smør":   "Om brød, æøå €\n\tog smør",
		"\x1b]0;owned\x07":            "\ufffd]0;owned\ufffd",
		"\x1b[2Jgone\r":               "\ufffd[2Jgone\ufffd",
		"a\u009b31mred":               "a\ufffd31mred",
		"gnirts\u202e txt":            "gnirts\ufffd txt",
		"\u2066isolated\u2069 \u200f": "\ufffdisolated\ufffd \ufffd",
		"no UTF-8: \xff":              "no UTF-8: \ufffd",
		"\x00\x7f":                    "\ufffd\ufffd",
	} {
		if got := Visible(text); got != want {
			t.Errorf("Visible(%q) = %q, want %q", text, got, want)
		}
		var out bytes.Buffer
		if n, err := fmt.Fprint(VisibleWriter(&out), text); n != len(text) || err != nil || out.String() != want {
			t.Errorf("VisibleWriter of %q wrote %q (%d, %v), want %q", text, &out, n, err, want)
		}
	}
}

func TestJSONKeepsItsMeaning(t *testing.T) {
	t.Parallel()
	const title = "a\u009b31m \u202e\u2028 ø"
	was, err := json.Marshal(title)
	if err != nil {
		t.Fatal(err)
	}
	now := VisibleJSON(string(was))
	var got string
	if err := json.Unmarshal([]byte(now), &got); err != nil || got != title || strings.ContainsFunc(now, isObeyed) {
		t.Errorf("VisibleJSON(%s) = %s, which means %q (%v), want %q", was, now, got, err, title)
	}
}

// Whatever a row holds, its headline is one line.
func TestAHeadlineIsOneLine(t *testing.T) {
	t.Parallel()
	c := schema.Change{
		Entity: "Sag", ID: 7, Action: schema.Update, Changed: []string{"titel\nforged", "x\x1b[2J"},
		Data: []byte(`{"titel":"Om\nbrød\u001b[2J\u202e","forged\nid":7}`),
	}
	if line := Headline(c); strings.ContainsAny(line, "\n\x1b\u202e") || !strings.Contains(line, "Om brød") {
		t.Errorf("Headline = %q, want one line without controls", line)
	}
}

func FuzzVisible(f *testing.F) {
	f.Add("Om brød\x1b[2J\u202e\xff")
	f.Fuzz(func(t *testing.T, text string) {
		got := Visible(text)
		if strings.ContainsFunc(got, isObeyed) || !utf8.ValidString(got) || Visible(got) != got {
			t.Errorf("Visible(%q) = %q", text, got)
		}
	})
}
