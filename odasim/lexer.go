package odasim

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// tokenKind is the kind of a token.
type tokenKind int

const (
	endToken tokenKind = iota
	openToken
	closeToken
	nameToken     // a field, an operator, true, false, null
	numberToken   // digits, perhaps with a minus sign
	textToken     // 'text', with doubled quotes made single
	datetimeToken // datetime'…', the text between the quotes
)

// token is one word of a filter.
type token struct {
	kind tokenKind
	text string
}

// lexer splits a filter into tokens.
type lexer struct{ rest string }

// next returns the next token, and at the end an endToken each time.
func (l *lexer) next() (token, error) {
	l.rest = strings.TrimLeft(l.rest, " \t")
	if l.rest == "" {
		return token{}, nil
	}
	switch c := l.rest[0]; {
	case c == '(':
		return l.take(openToken, 1), nil
	case c == ')':
		return l.take(closeToken, 1), nil
	case c == '\'':
		return l.quoted(textToken)
	case strings.HasPrefix(l.rest, "datetime'"):
		l.rest = l.rest[len("datetime"):]
		return l.quoted(datetimeToken)
	case c == '-' || c >= '0' && c <= '9':
		return l.number()
	default:
		return l.name()
	}
}

// take cuts off a token of n bytes.
func (l *lexer) take(kind tokenKind, n int) token {
	t := token{kind: kind, text: l.rest[:n]}
	l.rest = l.rest[n:]
	return t
}

// quoted reads 'text'; a quote in the text is written twice.
func (l *lexer) quoted(kind tokenKind) (token, error) {
	var text strings.Builder
	rest := l.rest[1:]
	for {
		before, after, found := strings.Cut(rest, "'")
		if !found {
			return token{}, fmt.Errorf("parse filter: quote without an end at %q", l.rest)
		}
		text.WriteString(before)
		if !strings.HasPrefix(after, "'") {
			l.rest = after
			return token{kind: kind, text: text.String()}, nil
		}
		text.WriteByte('\'')
		rest = after[1:]
	}
}

// number reads an integer; OData's suffix L is dropped.
func (l *lexer) number() (token, error) {
	n := 1
	for n < len(l.rest) && l.rest[n] >= '0' && l.rest[n] <= '9' {
		n++
	}
	t := l.take(numberToken, n)
	if len(l.rest) > 0 && (l.rest[0] == 'L' || l.rest[0] == 'l') {
		l.rest = l.rest[1:]
	}
	if r, _ := utf8.DecodeRuneInString(l.rest); r == '.' || nameRune(r) {
		return token{}, fmt.Errorf("parse filter: bad number at %q", t.text+l.rest)
	}
	return t, nil
}

// name reads a field's name or a key word; Danish letters are letters.
func (l *lexer) name() (token, error) {
	n := strings.IndexFunc(l.rest, func(r rune) bool { return !nameRune(r) })
	if n < 0 {
		n = len(l.rest)
	}
	if n == 0 {
		return token{}, fmt.Errorf("parse filter: unexpected %q", l.rest)
	}
	return l.take(nameToken, n), nil
}

// nameRune reports whether r may be part of a name.
func nameRune(r rune) bool {
	return r == '_' || r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r))
}
