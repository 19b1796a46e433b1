package odasim

import (
	"fmt"
	"strconv"
)

// unknownFieldError is the error of a query that names a field that its set does not
// have.
type unknownFieldError struct{ field string }

func (e *unknownFieldError) Error() string {
	return fmt.Sprintf("parse query: no field %q in this set", e.field)
}

// maxNesting is the depth of parentheses at which the service gives up.
const maxNesting = 100

// parser reads a filter by recursive descent: or binds least, then and, then
// not, then comparisons and parentheses.
type parser struct {
	lexer  lexer
	ahead  token
	fields map[string]string // Edm type by field
	depth  int
}

// parseFilter reads the text of a $filter for a set with these fields (Edm type
// by name). A field that is not among them is an *unknownFieldError; any other
// error is bad syntax or a literal of the wrong type.
func parseFilter(text string, fields map[string]string) (filter, error) {
	p := &parser{lexer: lexer{rest: text}, fields: fields}
	if err := p.advance(); err != nil {
		return nil, err
	}
	f, err := p.or()
	if err != nil {
		return nil, err
	}
	if p.ahead.kind != endToken {
		return nil, fmt.Errorf("parse filter: unexpected %q", p.ahead.text)
	}
	return f, nil
}

// advance reads the next token.
func (p *parser) advance() error {
	t, err := p.lexer.next()
	p.ahead = t
	return err
}

// takes reports whether the next token is the key word, and if so consumes it.
func (p *parser) takes(word string) (bool, error) {
	if p.ahead.kind != nameToken || p.ahead.text != word {
		return false, nil
	}
	return true, p.advance()
}

func (p *parser) or() (filter, error) {
	return p.chain("or", p.and, func(a, b filter) filter { return orFilter{a, b} })
}

func (p *parser) and() (filter, error) {
	return p.chain("and", p.unary, func(a, b filter) filter { return andFilter{a, b} })
}

// chain reads operands joined by a key word.
func (p *parser) chain(word string, operand func() (filter, error), join func(a, b filter) filter) (filter, error) {
	f, err := operand()
	for err == nil {
		var more bool
		if more, err = p.takes(word); err != nil || !more {
			break
		}
		var g filter
		g, err = operand()
		f = join(f, g)
	}
	return f, err
}

func (p *parser) unary() (filter, error) {
	p.depth++
	defer func() { p.depth-- }()
	if p.depth > maxNesting {
		return nil, fmt.Errorf("parse filter: nested deeper than %d", maxNesting)
	}
	not, err := p.takes("not")
	if err != nil {
		return nil, err
	}
	if not {
		f, err := p.unary()
		return notFilter{f}, err
	}
	if p.ahead.kind == openToken {
		return p.group()
	}
	return p.comparison()
}

// group reads a filter in parentheses.
func (p *parser) group() (filter, error) {
	if err := p.advance(); err != nil {
		return nil, err
	}
	f, err := p.or()
	if err != nil {
		return nil, err
	}
	if p.ahead.kind != closeToken {
		return nil, fmt.Errorf("parse filter: unexpected %q, want )", p.ahead.text)
	}
	return f, p.advance()
}

// comparison reads field op literal, or literal op field.
func (p *parser) comparison() (filter, error) {
	left := p.ahead
	if err := p.advance(); err != nil {
		return nil, err
	}
	op, err := p.operator()
	if err != nil {
		return nil, err
	}
	right := p.ahead
	if err := p.advance(); err != nil {
		return nil, err
	}
	if value, err := literalOf(left); err == nil {
		return p.compare(right, op.flipped(), value)
	}
	value, err := literalOf(right)
	if err != nil {
		return nil, err
	}
	return p.compare(left, op, value)
}

// operator reads eq, ne, gt, ge, lt or le.
func (p *parser) operator() (operator, error) {
	op := operator(p.ahead.text)
	switch op {
	case equal, notEqual, greater, greaterOrEqual, less, lessOrEqual:
		if p.ahead.kind == nameToken {
			return op, p.advance()
		}
	}
	return "", fmt.Errorf("parse filter: unexpected %q, want an operator", p.ahead.text)
}

// compare returns the filter that compares a field with a value.
func (p *parser) compare(field token, op operator, value literal) (filter, error) {
	if field.kind != nameToken {
		return nil, fmt.Errorf("parse filter: unexpected %q, want a field", field.text)
	}
	edm, known := p.fields[field.text]
	if !known {
		return nil, &unknownFieldError{field: field.text}
	}
	if value.kind == nullLiteral {
		if op != equal && op != notEqual {
			return nil, fmt.Errorf("parse filter: null compared by %s", op)
		}
		return nullFilter{field: field.text, op: op}, nil
	}
	if kind, ok := kindOf(edm); !ok || kind != value.kind {
		return nil, fmt.Errorf("parse filter: %s is %s, and compared with another type", field.text, edm)
	}
	switch field.text {
	case "id":
		return idFilter{op: op, value: value.number}, nil
	case stampField:
		return stampFilter{op: op, value: value.number}, nil
	default:
		return fieldFilter{field: field.text, op: op, value: value}, nil
	}
}

// stampField is the name of the stamp in every set.
const stampField = "opdateringsdato"

// literalOf returns the value of a literal's token.
func literalOf(t token) (literal, error) {
	switch t.kind {
	case numberToken:
		n, err := strconv.ParseInt(t.text, 10, 64)
		if err != nil {
			return literal{}, fmt.Errorf("parse filter: number %q: %w", t.text, err)
		}
		return literal{kind: numberLiteral, number: n}, nil
	case textToken:
		return literal{kind: textLiteral, text: t.text}, nil
	case datetimeToken:
		m, err := parseMoment(t.text)
		return literal{kind: momentLiteral, number: m}, err
	case nameToken:
		return wordLiteral(t.text)
	default:
		return literal{}, fmt.Errorf("parse filter: unexpected %q, want a value", t.text)
	}
}

// wordLiteral returns the value of true, false and null.
func wordLiteral(word string) (literal, error) {
	switch word {
	case "true":
		return literal{kind: boolLiteral, number: 1}, nil
	case "false":
		return literal{kind: boolLiteral}, nil
	case "null":
		return literal{kind: nullLiteral}, nil
	default:
		return literal{}, fmt.Errorf("parse filter: unexpected %q, want a value", word)
	}
}
