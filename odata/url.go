package odata

import (
	"net/url"
	"strings"
	"unicode/utf8"
)

// decode undoes the percent-encoding of a part of a URL; in a query + is a blank. Clients
// of the source write æøå as UTF-8 or as Latin-1, escaped or as bytes: a byte that is not
// UTF-8 is Latin-1.
func decode(name, raw string, inQuery bool) (string, error) {
	unescape := url.PathUnescape
	if inQuery {
		unescape = url.QueryUnescape
	}
	text, err := unescape(raw)
	if err != nil {
		return "", &Error{Option: name, What: "bad percent-encoding: " + err.Error()}
	}
	if !utf8.ValidString(text) {
		text = fromLatin1(text)
	}
	if at := strings.IndexByte(text, 0); at >= 0 {
		return "", option{name, text}.wrong(at, "there is a NUL character")
	}
	return text, nil
}

// fromLatin1 replaces the bytes that are not UTF-8 by the characters that they are in
// Latin-1.
func fromLatin1(text string) string {
	var b strings.Builder
	for len(text) > 0 {
		r, n := utf8.DecodeRuneInString(text)
		if r == utf8.RuneError && n == 1 {
			r = rune(text[0])
		}
		b.WriteRune(r)
		text = text[n:]
	}
	return b.String()
}

// options returns the system query options of a raw query, and the option asof. Clients
// leave stray separators in it, and parameters of their own without a $.
func options(rawQuery string) (list []option, err error) {
	seen := map[string]bool{}
	for part := range strings.SplitSeq(strings.TrimLeft(rawQuery, "?"), "&") {
		rawName, rawText, _ := strings.Cut(part, "=")
		name, err := decode("query", rawName, true)
		if err != nil {
			return nil, err
		}
		name = strings.TrimSpace(name)
		if !strings.HasPrefix(name, "$") && name != optionAsOf {
			continue
		}
		text, err := decode(name, rawText, true)
		if err != nil {
			return nil, err
		}
		text = strings.TrimSpace(text)
		switch {
		case text == "":
			return nil, &Error{Option: name, What: "it is empty"}
		case seen[name]:
			return nil, &Error{Option: name, What: "it is given twice"}
		}
		seen[name] = true
		list = append(list, option{name, text})
	}
	return list, nil
}
