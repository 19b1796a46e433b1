package schema

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf16"

	"github.com/go-json-experiment/json/jsontext"
	"pgregory.net/rapid"
)

// node is a JSON value without its spelling.
type node struct {
	kind    jsontext.Kind
	text    string   // a text's content or a number's digits
	names   []string // of an object, parallel to nodes
	nodes   []node   // of an object or array
	doubled bool     // an object has a name twice
}

// style spells a node. Each function is called again for each use.
type style struct {
	space  func() string
	escape func(r rune) bool
	order  func(n int) []int
}

// plain spells compactly, with ø as ø, in the order given.
var plain = style{
	space:  func() string { return "" },
	escape: func(rune) bool { return false },
	order:  func(n int) []int { return upTo(n) },
}

// baroque spells with all the space and escapes that JSON allows, and with the names in
// reverse.
var baroque = style{
	space:  func() string { return " \n\t\r " },
	escape: func(rune) bool { return true },
	order: func(n int) []int {
		list := upTo(n)
		slices.Reverse(list)
		return list
	},
}

func upTo(n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = i
	}
	return list
}

// spell appends n in style s.
func (n node) spell(dst []byte, s style) []byte {
	dst = append(dst, s.space()...)
	switch n.kind {
	case jsontext.KindString:
		dst = spellText(dst, n.text, s)
	case jsontext.KindBeginObject, jsontext.KindBeginArray:
		dst = n.spellNodes(dst, s)
	default:
		dst = append(dst, n.text...)
	}
	return append(dst, s.space()...)
}

func (n node) spellNodes(dst []byte, s style) []byte {
	order := upTo(len(n.nodes))
	if n.kind == jsontext.KindBeginObject && !n.doubled {
		order = s.order(len(n.nodes))
	}
	closing := byte(']')
	if n.kind == jsontext.KindBeginObject {
		closing = '}'
	}
	dst = append(dst, byte(n.kind))
	for i, at := range order {
		if i > 0 {
			dst = append(dst, ',')
		}
		if n.kind == jsontext.KindBeginObject {
			dst = spellText(append(dst, s.space()...), n.names[at], s)
			dst = append(append(dst, s.space()...), ':')
		}
		dst = n.nodes[at].spell(dst, s)
	}
	return append(append(dst, s.space()...), closing)
}

func spellText(dst []byte, text string, s style) []byte {
	dst = append(dst, '"')
	for _, r := range text {
		switch escape := s.escape(r); {
		case escape && r > 0xffff:
			high, low := utf16.EncodeRune(r)
			dst = fmt.Appendf(dst, `\u%04x\u%04X`, high, low)
		case escape || r < ' ' || r == '"' || r == '\\':
			dst = fmt.Appendf(dst, `\u%04X`, r)
		default:
			dst = append(dst, string(r)...)
		}
	}
	return append(dst, '"')
}

// parseNode reads one JSON value, and checks that it is Unicode.
func parseNode(value []byte) (node, error) {
	dec := jsontext.NewDecoder(bytes.NewReader(value), jsontext.AllowDuplicateNames(true))
	n, err := readNode(dec)
	if err != nil {
		return node{}, err
	}
	if _, err := dec.ReadToken(); !errors.Is(err, io.EOF) {
		return node{}, errors.New("more follows")
	}
	return n, nil
}

func readNode(dec *jsontext.Decoder) (node, error) {
	token, err := dec.ReadToken()
	if err != nil {
		return node{}, err
	}
	n := node{kind: token.Kind()}
	switch n.kind {
	case jsontext.KindBeginObject, jsontext.KindBeginArray:
		err = readNodes(dec, &n)
	default:
		n.text = strings.Clone(token.String())
	}
	return n, err
}

func readNodes(dec *jsontext.Decoder, n *node) error {
	for kind := dec.PeekKind(); kind != jsontext.KindEndObject && kind != jsontext.KindEndArray; kind = dec.PeekKind() {
		if n.kind == jsontext.KindBeginObject {
			name, err := dec.ReadToken()
			if err != nil {
				return err
			}
			text := name.String()
			n.doubled = n.doubled || slices.Contains(n.names, text)
			n.names = append(n.names, strings.Clone(text))
		}
		value, err := readNode(dec)
		if err != nil {
			return err
		}
		n.nodes = append(n.nodes, value)
	}
	_, err := dec.ReadToken()
	return err
}

// texts draws strings with characters special to JSON and Danish.
var texts = rapid.OneOf(
	rapid.String(),
	rapid.SampledFrom([]string{"", "ø", "Ændring af lov \"m.v.\"", "\\u00f8", "a/b", "\x00\x1f\x7f", "\u2028", "😀", "<b>&amp;</b>", "null"}),
)

var numbers = rapid.OneOf(
	rapid.Map(rapid.Int64(), func(n int64) string { return fmt.Sprint(n) }),
	rapid.SampledFrom([]string{"0", "-0", "1.0", "1.50", "1e5", "1E+5", "123456789012345678901234567890", "1e-999", "0.1000"}),
)

// nodes draws JSON values up to a depth.
func nodes(depth int) *rapid.Generator[node] {
	scalars := []*rapid.Generator[node]{
		rapid.Map(texts, func(s string) node { return node{kind: jsontext.KindString, text: s} }),
		rapid.Map(numbers, func(s string) node { return node{kind: jsontext.KindNumber, text: s} }),
		rapid.SampledFrom([]node{
			{kind: jsontext.KindNull, text: "null"}, {kind: jsontext.KindTrue, text: "true"}, {kind: jsontext.KindFalse, text: "false"},
		}),
	}
	if depth == 0 {
		return rapid.OneOf(scalars...)
	}
	arrays := rapid.Custom(func(t *rapid.T) node {
		return node{kind: jsontext.KindBeginArray, nodes: rapid.SliceOfN(nodes(depth-1), 0, 4).Draw(t, "items")}
	})
	return rapid.OneOf(append(scalars, arrays, objects(depth-1))...)
}

// objects draws rows: objects without duplicate names.
func objects(depth int) *rapid.Generator[node] {
	return rapid.Custom(func(t *rapid.T) node {
		names := rapid.SliceOfNDistinct(texts, 0, 8, rapid.ID).Draw(t, "names")
		values := rapid.SliceOfN(nodes(depth), len(names), len(names)).Draw(t, "values")
		return node{kind: jsontext.KindBeginObject, names: names, nodes: values}
	})
}

// styles draws styles.
func styles(t *rapid.T) style {
	return style{
		space:  func() string { return rapid.SampledFrom([]string{"", " ", "\n\t"}).Draw(t, "space") },
		escape: func(rune) bool { return rapid.Bool().Draw(t, "escape") },
		order:  func(n int) []int { return rapid.Permutation(upTo(n)).Draw(t, "order") },
	}
}
