package schema

import "testing"

func TestStorableText(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"": "", "Ærø": "Ærø", "a\x00b": "a\uFFFDb", "a\xffb": "a\uFFFDb", "\xed\xa0\x80": "\uFFFD", "tab\tand\nline": "tab\tand\nline",
	} {
		if got := StorableText(text); got != want {
			t.Errorf("StorableText(%q) = %q, want %q", text, got, want)
		}
	}
}
