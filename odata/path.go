package odata

import (
	"odastream/schema"
)

// path reads a path that begins with a name: of a variable, a link or a field.
func (p *parser) path(name token) (Expr, error) {
	v, isVariable := p.variableOf(name)
	entity := p.scope[v].entity
	if isVariable {
		var err error
		if name, err = p.segment(); err != nil {
			return nil, err
		}
	}
	var links []schema.Link
	for {
		if f, ok := entity.Field(name.text); ok {
			return &Path{Var: v, Links: links, Field: f, at: name.at}, nil
		}
		link, ok := entity.Link(name.text)
		if !ok {
			return nil, p.unknownMember(name, entity)
		}
		next, err := p.segment()
		if err != nil {
			return nil, err
		}
		if link.Many {
			return p.lambda(&Lambda{Var: v, Links: links, Many: link, at: name.at}, next)
		}
		links = append(links, link)
		entity, name = p.model.linked(link), next
		if len(links) > maxPath {
			return nil, p.wrong(name.at, "the path is longer than %d links", maxPath)
		}
	}
}

// maxPath is how many links a path may follow.
const maxPath = 8

// variableOf returns the variable that a name stands for; 0 if it stands for none.
func (p *parser) variableOf(name token) (v int, ok bool) {
	if p.ahead.kind != '/' {
		return 0, false
	}
	for v := len(p.scope) - 1; v > 0; v-- {
		if p.scope[v].name == name.text {
			return v, true
		}
	}
	return 0, false
}

// segment reads the slash behind a link or variable, and the name behind it.
func (p *parser) segment() (token, error) {
	if p.ahead.kind != '/' {
		return token{}, p.unexpected(`"/" and a field`)
	}
	if err := p.advance(); err != nil {
		return token{}, err
	}
	name := p.ahead
	if name.kind != tokenName {
		return token{}, p.unexpected("a field or a link")
	}
	return name, p.advance()
}

// lambda reads any(…) or all(…) behind a link to many rows; its first token is read.
func (p *parser) lambda(l *Lambda, word token) (Expr, error) {
	if word.text != "any" && word.text != "all" {
		err := p.wrong(word.at, "%s leads to many rows, so %s needs any or all", l.Many.Name, word)
		err.Allowed = []string{l.Many.Name + "/any(x:x/" + word.text + " eq …)", l.Many.Name + "/all(x:x/" + word.text + " eq …)"}
		return nil, err
	}
	l.All = word.text == "all"
	if err := p.expect('('); err != nil {
		return nil, err
	}
	if p.ahead.kind == ')' && !l.All {
		return l, p.advance()
	}
	return p.lambdaBody(l)
}

// lambdaBody reads the variable and the condition of a lambda, and the parenthesis.
func (p *parser) lambdaBody(l *Lambda) (Expr, error) {
	name := p.ahead
	if name.kind != tokenName {
		return nil, p.unexpected("the name of a variable")
	}
	if err := p.advance(); err != nil {
		return nil, err
	}
	if err := p.expect(':'); err != nil {
		return nil, err
	}
	p.scope = append(p.scope, variableOf{name.text, p.model.linked(l.Many)})
	l.Name, l.Depth = name.text, len(p.scope)-1
	body, err := p.expression()
	p.scope = p.scope[:l.Depth]
	if err != nil {
		return nil, err
	}
	if err := p.condition(body); err != nil {
		return nil, err
	}
	l.Body = body
	return l, p.expect(')')
}

// unknownMember is the error of a name that is neither a field nor a link of an entity.
func (o option) unknownMember(name token, entity schema.Entity) *Error {
	err := o.wrong(name.at, "%s has no field or link %s", entity.Name, name)
	err.Unknown = name.text
	for _, f := range entity.Fields {
		err.Allowed = append(err.Allowed, f.Name)
	}
	for _, l := range entity.Links {
		err.Allowed = append(err.Allowed, l.Name)
	}
	return err
}
