package odata

import (
	"math"
	"slices"
	"strings"
	"time"
	"unicode"
)

// call evaluates a function. One of null is null.
func (s scope) call(e *Call) any {
	args := make([]any, len(e.Args))
	for i, a := range e.Args {
		if args[i] = s.eval(a); args[i] == nil {
			return nil
		}
	}
	switch first := args[0].(type) {
	case string:
		return ofText(e.Func, first, args[1:])
	case time.Time:
		return ofTime(e.Func, first)
	}
	f, _ := float(args[0])
	return ofNumber(e.Func, f)
}

// ofText evaluates a function whose first argument is a text.
func ofText(name, text string, rest []any) any {
	switch name {
	case "length":
		return int64(len([]rune(text)))
	case "tolower":
		return strings.Map(unicode.ToLower, text)
	case "toupper":
		return strings.Map(unicode.ToUpper, text)
	case "trim":
		return strings.Trim(text, " ")
	case "substring":
		return substring([]rune(text), rest)
	}
	other := rest[0].(string)
	switch name {
	case "substringof":
		return indexOf(other, text) >= 0
	case "startswith":
		return strings.HasPrefix(fold(text), fold(other))
	case "endswith":
		return strings.HasSuffix(fold(text), fold(other))
	case "indexof":
		return int64(indexOf(text, other))
	case "concat":
		return text + other
	}
	return replace(text, other, rest[1].(string))
}

// fold returns a text in which case makes no difference, with as many characters.
func fold(text string) string { return strings.Map(unicode.ToLower, text) }

// indexOf returns the place of part in text in characters, -1 if it is not there.
func indexOf(text, part string) int {
	folded := fold(text)
	at := strings.Index(folded, fold(part))
	if at < 0 {
		return -1
	}
	return len([]rune(folded[:at]))
}

// replace replaces each occurrence of old, in any case.
func replace(text, old, replacement string) string {
	if old == "" {
		return text
	}
	var b strings.Builder
	rest, width := []rune(text), len([]rune(old))
	for {
		at := indexOf(string(rest), old)
		if at < 0 {
			return b.String() + string(rest)
		}
		b.WriteString(string(rest[:at]) + replacement)
		rest = rest[at+width:]
	}
}

// substring returns the characters from rest[0] on, rest[1] of them where it is given. What
// lies outside the text is left out.
func substring(text []rune, rest []any) string {
	n := int64(len(text))
	from := rest[0].(int64)
	to := n
	if len(rest) > 1 {
		if length := rest[1].(int64); length < n-from {
			to = from + max(length, 0)
		}
	}
	from, to = min(max(from, 0), n), min(max(to, 0), n)
	return string(text[from:max(from, to)])
}

func ofTime(name string, t time.Time) any {
	parts := []int{t.Year(), int(t.Month()), t.Day(), t.Hour(), t.Minute(), t.Second()}
	return int64(parts[slices.Index([]string{"year", "month", "day", "hour", "minute", "second"}, name)])
}

// ofNumber rounds; a half goes away from zero.
func ofNumber(name string, f float64) any {
	switch name {
	case "round":
		return math.Round(f)
	case "floor":
		return math.Floor(f)
	}
	return math.Ceil(f)
}
