package odata

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// tokenKind is the kind of a token. The kinds of single characters are these characters.
type tokenKind rune

const (
	tokenEnd      tokenKind = 0
	tokenName     tokenKind = 'n' // a field, a link, a function, an operator, true, false, null
	tokenNumber   tokenKind = '0' // as written, with a sign and a suffix
	tokenText     tokenKind = 't' // the text between the quotes, each doubled one made single
	tokenDatetime tokenKind = 'd' // the text between the quotes of datetime'…'
)

// token is one word of an expression.
type token struct {
	kind tokenKind
	text string
	at   int // in bytes of the option's text
}

// String is the token as an error names it.
func (t token) String() string {
	switch t.kind {
	case tokenEnd:
		return "the end"
	case tokenText:
		return "the text '" + t.text + "'"
	case tokenDatetime:
		return "the time '" + t.text + "'"
	}
	return `"` + t.text + `"`
}

// lexer splits the text of an option into tokens.
type lexer struct {
	option
	at int // in bytes
}

// next returns the next token, and at the end a tokenEnd each time.
func (l *lexer) next() (token, error) {
	rest := strings.TrimLeft(l.text[l.at:], " \t\r\n")
	l.at = len(l.text) - len(rest)
	if rest == "" {
		return token{at: l.at}, nil
	}
	switch c := rest[0]; {
	case strings.IndexByte("(),/:", c) >= 0:
		return l.take(tokenKind(c), 1), nil
	case c == '\'':
		return l.quoted(tokenText, 0)
	case startsNumber(rest):
		return l.number(rest)
	case c == '-':
		return l.take('-', 1), nil
	}
	return l.word(rest)
}

// startsNumber reports whether a number stands at the start of rest; a sign belongs to it.
func startsNumber(rest string) bool {
	if c := rest[0]; c == '-' || c == '+' {
		rest = rest[1:]
	}
	return rest != "" && (isDigit(rest[0]) || rest[0] == '.')
}

// word returns the name, or the datetime'…', at the start of rest.
func (l *lexer) word(rest string) (token, error) {
	n := strings.IndexFunc(rest, func(r rune) bool { return !isNameRune(r) })
	if n < 0 {
		n = len(rest)
	}
	if n == 0 {
		r, _ := utf8.DecodeRuneInString(rest)
		return token{}, l.wrong(l.at, "unexpected character %q", r)
	}
	if strings.EqualFold(rest[:n], "datetime") && strings.HasPrefix(rest[n:], "'") {
		return l.quoted(tokenDatetime, n)
	}
	return l.take(tokenName, n), nil
}

// take returns the next n bytes as a token.
func (l *lexer) take(kind tokenKind, n int) token {
	t := token{kind, l.text[l.at : l.at+n], l.at}
	l.at += n
	return t
}

// quoted returns the text in quotes that stands behind prefix bytes.
func (l *lexer) quoted(kind tokenKind, prefix int) (token, error) {
	start := l.at
	rest := l.text[start+prefix+1:]
	var text strings.Builder
	for {
		before, after, found := strings.Cut(rest, "'")
		if !found {
			return token{}, l.wrong(start, "the quote is not closed")
		}
		text.WriteString(before)
		if !strings.HasPrefix(after, "'") {
			l.at = len(l.text) - len(after)
			return token{kind, text.String(), start}, nil
		}
		text.WriteByte('\'')
		rest = after[1:]
	}
}

// number takes all that could belong to a number; numberOf checks it.
func (l *lexer) number(rest string) (token, error) {
	n := 1
	for n < len(rest) && (isDigit(rest[n]) || rest[n] == '.' || isExponent(rest, n)) {
		n++
	}
	if n < len(rest) && strings.IndexByte("LlMmDdFf", rest[n]) >= 0 {
		n++
	}
	if r, _ := utf8.DecodeRuneInString(rest[n:]); n < len(rest) && isNameRune(r) {
		return token{}, l.wrong(l.at+n, "unexpected character %q in a number", r)
	}
	return l.take(tokenNumber, n), nil
}

// isExponent reports whether rest[n] is the e of an exponent or the sign behind it.
func isExponent(rest string, n int) bool {
	switch rest[n] {
	case 'e', 'E':
		return n+1 < len(rest) && (isDigit(rest[n+1]) || rest[n+1] == '-' || rest[n+1] == '+')
	case '-', '+':
		return rest[n-1] == 'e' || rest[n-1] == 'E'
	}
	return false
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// isNameRune reports whether r may be part of a name; Danish letters are letters.
func isNameRune(r rune) bool {
	return r == '_' || r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r))
}
