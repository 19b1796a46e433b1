package odata

import (
	"slices"

	"odastream/schema"
)

// The limits of an expression. Real ones have up to some hundred ids in a chain.
const (
	maxNesting    = 100
	maxNodes      = 20_000
	maxOptionText = 256 << 10 // bytes
)

// variableOf is what a name in front of a path stands for.
type variableOf struct {
	name   string // "": the row that the expression is of
	entity schema.Entity
}

// parser reads an expression by recursive descent. The operators bind, from the loosest:
// or, and, equality, order, add and sub, mul and div and mod, not and minus.
type parser struct {
	lexer
	model *Model
	ahead token
	scope []variableOf // the row itself, and that of each lambda around the place
	depth int
	nodes int
}

// newParser returns a parser of an option's text about rows of an entity.
func newParser(m *Model, o option, entity schema.Entity) (*parser, error) {
	p := &parser{lexer: lexer{option: o}, model: m, scope: []variableOf{{entity: entity}}}
	if len(o.text) > maxOptionText {
		return nil, &Error{Option: o.name, What: "the text is longer than 256 KiB"}
	}
	return p, p.advance()
}

// parseFilter reads a condition on rows of an entity.
func parseFilter(m *Model, o option, entity schema.Entity) (Expr, error) {
	p, err := newParser(m, o, entity)
	if err != nil {
		return nil, err
	}
	e, err := p.expression()
	if err != nil {
		return nil, err
	}
	if p.ahead.kind != tokenEnd {
		return nil, p.unexpected("an operator or the end")
	}
	return e, o.condition(e)
}

// advance reads the next token.
func (p *parser) advance() error {
	t, err := p.next()
	p.ahead = t
	return err
}

func (p *parser) unexpected(want string) error {
	return p.wrong(p.ahead.at, "%s stands where %s is wanted", p.ahead, want)
}

// expect reads over a token of a kind.
func (p *parser) expect(kind tokenKind) error {
	if p.ahead.kind != kind {
		return p.unexpected(`"` + string(rune(kind)) + `"`)
	}
	return p.advance()
}

// levels are the binary operators, the loosest first.
var levels = [][]Op{{Or}, {And}, {Eq, Ne}, {Gt, Ge, Lt, Le}, {Add, Sub}, {Mul, Div, Mod}}

func (p *parser) expression() (Expr, error) {
	p.depth++
	defer func() { p.depth-- }()
	if p.depth > maxNesting {
		return nil, p.wrong(p.ahead.at, "the expression is nested deeper than %d", maxNesting)
	}
	return p.level(0)
}

// level reads operands that operators of a level, or of a tighter one, join.
func (p *parser) level(n int) (Expr, error) {
	if n == len(levels) {
		return p.unary()
	}
	left, err := p.level(n + 1)
	for err == nil && p.ahead.kind == tokenName && slices.Contains(levels[n], Op(p.ahead.text)) {
		op := p.ahead
		if err = p.advance(); err != nil {
			break
		}
		var right Expr
		if right, err = p.level(n + 1); err != nil {
			break
		}
		left, err = p.count(p.binary(Op(op.text), left, right, op.at))
	}
	return left, err
}

// count counts a node of the expression.
func (p *parser) count(e Expr, err error) (Expr, error) {
	p.nodes++
	if err == nil && p.nodes > maxNodes {
		return nil, p.wrong(p.ahead.at, "the expression has more than %d parts", maxNodes)
	}
	return e, err
}

// unary reads an operand and the operators before it.
func (p *parser) unary() (Expr, error) {
	op := Op("")
	switch {
	case p.ahead.kind == '-':
		op = Neg
	case p.ahead.kind == tokenName && p.ahead.text == string(Not):
		op = Not
	default:
		return p.primary()
	}
	at := p.ahead.at
	if err := p.advance(); err != nil {
		return nil, err
	}
	p.depth++
	defer func() { p.depth-- }()
	if p.depth > maxNesting {
		return nil, p.wrong(at, "the expression is nested deeper than %d", maxNesting)
	}
	x, err := p.unary()
	if err != nil {
		return nil, err
	}
	return p.count(p.option.unary(op, x, at))
}

// primary reads a literal, a name or an expression in parentheses.
func (p *parser) primary() (Expr, error) {
	t := p.ahead
	switch t.kind {
	case '(':
		return p.group()
	case tokenName:
		return p.count(p.named())
	case tokenNumber, tokenText, tokenDatetime:
		if err := p.advance(); err != nil {
			return nil, err
		}
		return p.count(p.literal(t))
	}
	return nil, p.unexpected("a value, a field or a function")
}

func (p *parser) group() (Expr, error) {
	if err := p.advance(); err != nil {
		return nil, err
	}
	e, err := p.expression()
	if err != nil {
		return nil, err
	}
	return e, p.expect(')')
}

func (p *parser) literal(t token) (Expr, error) {
	switch t.kind {
	case tokenNumber:
		return p.numberOf(t)
	case tokenDatetime:
		return p.timeOf(t)
	}
	return &Literal{Value: t.text, typ: Text, at: t.at}, nil
}

// words are the names that are values.
var words = map[string]Literal{
	"null": {typ: Null}, "true": {Value: true, typ: Bool}, "false": {Value: false, typ: Bool},
}

// named reads what begins with a name.
func (p *parser) named() (Expr, error) {
	name := p.ahead
	if err := p.advance(); err != nil {
		return nil, err
	}
	if word, ok := words[name.text]; ok {
		word.at = name.at
		return &word, nil
	}
	if p.ahead.kind != '(' {
		return p.path(name)
	}
	if err := p.advance(); err != nil {
		return nil, err
	}
	args, err := p.arguments()
	if err != nil {
		return nil, err
	}
	return p.call(name, args)
}

// arguments reads the arguments of a function, and the parenthesis behind them.
func (p *parser) arguments() (args []Expr, err error) {
	for p.ahead.kind != ')' {
		if len(args) > 0 {
			if err := p.expect(','); err != nil {
				return nil, err
			}
		}
		a, err := p.expression()
		if err != nil {
			return nil, err
		}
		args = append(args, a)
	}
	return args, p.advance()
}
