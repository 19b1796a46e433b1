package schema

import "strings"

// StorableText returns text with U+FFFD for what a text column of Postgres refuses:
// NUL, and bytes that are no UTF-8.
func StorableText(text string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\uFFFD")
}
