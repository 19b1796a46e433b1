package console

import (
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Visible returns a text with U+FFFD for each character that a terminal obeys, that
// changes the order of those beside it, or that is not UTF-8. Titles, keys and errors
// may hold what somebody else wrote. Line breaks and tabs stay.
func Visible(text string) string {
	if !strings.ContainsFunc(text, isObeyed) && utf8.ValidString(text) {
		return text
	}
	return strings.Map(func(r rune) rune {
		if isObeyed(r) {
			return utf8.RuneError
		}
		return r
	}, text)
}

// VisibleJSON returns JSON with escapes for the same characters, so that its meaning
// stays.
func VisibleJSON(text string) string {
	if !strings.ContainsFunc(text, isObeyed) {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if isObeyed(r) {
			fmt.Fprintf(&b, `\u%04x`, r) // all of them are below U+10000
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// isObeyed reports whether r is a control character other than a line break or a tab, or
// one of the characters that set the direction of text (UAX 9).
func isObeyed(r rune) bool {
	switch {
	case r == '\n' || r == '\t':
		return false
	case r == '\u061c', r == '\u200e', r == '\u200f', r == '\u2028', r == '\u2029':
		return true
	case r >= '\u202a' && r <= '\u202e', r >= '\u2066' && r <= '\u2069':
		return true
	}
	return unicode.IsControl(r)
}

// VisibleWriter writes what Visible returns of each text to w. No text may end within a
// character.
func VisibleWriter(w io.Writer) io.Writer { return visibleWriter{w} }

type visibleWriter struct{ w io.Writer }

func (v visibleWriter) Write(p []byte) (int, error) {
	if _, err := io.WriteString(v.w, Visible(string(p))); err != nil {
		return 0, err
	}
	return len(p), nil
}
