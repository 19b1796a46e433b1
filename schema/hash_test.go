package schema

import (
	"encoding/hex"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"pgregory.net/rapid"
)

func mustHash(t interface {
	Helper()
	Fatalf(format string, args ...any)
}, row string,
) Hash {
	t.Helper()
	hash, err := ContentHash([]byte(row))
	if err != nil {
		t.Fatalf("ContentHash(%q) = %v", row, err)
	}
	return hash
}

// TestContentHashStaysTheSame pins the hash: another hash for the same row would make every
// row of every ledger look changed, and publish all rows again.
func TestContentHashStaysTheSame(t *testing.T) {
	t.Parallel()
	for row, want := range map[string]string{
		`{}`: "e3b0c44298fc1c149afbf4c8996fb924",
		`{"id":1,"navn":"Ærø","opdateringsdato":"2014-09-09T09:05:59.653"}`: "0fb388576996ce9b5eb5eff339aa2c6d",
		`{"id":1,"a":{"b":[1, "\u00f8"],"a":null}}`:                         "e6667a6e10f5192fcdfe5a76d9bc88bb",
		string(sagRow): "92cb53c9d14196bb1cf221e152893c8c",
	} {
		if got := hash32(mustHash(t, row)); got != want {
			t.Errorf("ContentHash(%s) = %s, want %s", row, got, want)
		}
	}
}

func hash32(h Hash) string { return hex.EncodeToString(h[:]) }

func TestContentHashDependsOnContentAndNotOnBytes(t *testing.T) {
	t.Parallel()
	for claim, c := range map[string]struct {
		a, b string
		same bool
	}{
		"order of names":              {`{"a":1,"b":2}`, `{"b":2,"a":1}`, true},
		"white space":                 {`{"a":1,"b":[1,2]}`, " { \"a\" : 1 ,\n\"b\" : [ 1 , 2 ] } ", true},
		"ø spelled as an escape":      {`{"a":"ø"}`, `{"a":"\u00f8"}`, true},
		"an escape in a name":         {`{"aktør":1}`, `{"akt\u00F8r":1}`, true},
		"a surrogate pair":            {`{"a":"😀"}`, `{"a":"\ud83d\uDE00"}`, true},
		"an escaped slash":            {`{"a":"a/b"}`, `{"a":"a\/b"}`, true},
		"two escapes of a line":       {`{"a":"\n"}`, `{"a":"\u000a"}`, true},
		"the stamp":                   {`{"a":1,"opdateringsdato":"2014"}`, `{"a":1,"opdateringsdato":"2015"}`, true},
		"the stamp's name escaped":    {`{"a":1}`, `{"a":1,"opdateringsdat\u006f":"2015"}`, true},
		"a stamp that is missing":     {`{"a":1,"opdateringsdato":null}`, `{"a":1}`, true},
		"names inside a value":        {`{"a":{"x":1,"y":2}}`, `{"a":{"y":2,"x":1}}`, true},
		"escapes inside a value":      {`{"a":["ø"]}`, `{"a":["\u00f8"]}`, true},
		"order of double names":       {`{"a":1,"a":2}`, `{"a":2,"a":1}`, false},
		"a double name's other value": {`{"a":1,"a":2}`, `{"a":2}`, false},
		"null and an empty text":      {`{"a":null}`, `{"a":""}`, false},
		"null and a missing name":     {`{"a":null}`, `{}`, false},
		"a number and its text":       {`{"a":1}`, `{"a":"1"}`, false},
		"a number's digits":           {`{"a":1.5}`, `{"a":1.50}`, false},
		"a big number's last digit":   {`{"a":12345678901234567890}`, `{"a":12345678901234567891}`, false},
		"true and false":              {`{"a":true}`, `{"a":false}`, false},
		"order of an array":           {`{"a":[1,2]}`, `{"a":[2,1]}`, false},
		"a backslash and an escape":   {`{"a":"\\u00f8"}`, `{"a":"\u00f8"}`, false},
		"a stamp inside a value":      {`{"a":{"opdateringsdato":1}}`, `{"a":{"opdateringsdato":2}}`, false},
		"white space in a text":       {`{"a":"x y"}`, `{"a":"x  y"}`, false},
		"names with values swapped":   {`{"a":1,"b":2}`, `{"a":2,"b":1}`, false},
		"halves of surrogate pairs":   {`{"a":"\ud83d"}`, `{"a":"\ud83e"}`, false},
		"half a pair and U+FFFD":      {`{"a":"\ud83d"}`, `{"a":"\ufffd"}`, false},
		"half a pair inside a value":  {`{"a":["\ud83d"]}`, `{"a":["\ud83e"]}`, false},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			if got := mustHash(t, c.a) == mustHash(t, c.b); got != c.same {
				t.Errorf("ContentHash(%s) == ContentHash(%s) is %v, want %v", c.a, c.b, got, c.same)
			}
		})
	}
}

func TestContentHashRefusesANonObject(t *testing.T) {
	t.Parallel()
	for _, row := range []string{
		``, ` `, `null`, `1`, `"a"`, `[]`, `[{}]`, `{`, `{"a"`, `{"a":`, `{"a":1`, `{"a":1,`, `{"a":1,}`, `{1:2}`, `{"a" 1}`,
		`{"a":01}`, `{"a":"` + "\n" + `"}`, `{"a":"\x"}`, `{} {}`, `{"a":1}}`, `{"a":1} x`, `{"a":NaN}`,
	} {
		if hash, err := ContentHash([]byte(row)); err == nil || hash != (Hash{}) {
			t.Errorf("ContentHash(%q) = %x, %v, want an error and no hash", row, hash, err)
		}
	}
	if _, err := ContentHash([]byte(`{"a":`)); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("ContentHash of half a row = %v, want io.ErrUnexpectedEOF within", err)
	}
}

func TestContentHashLeavesTheRowAlone(t *testing.T) {
	t.Parallel()
	row := []byte(`{"b":"\u00f8","a":{"y":"\u00f8", "x":1}}`)
	before := slices.Clone(row)
	mustHash(t, string(row))
	if _, err := ContentHash(row); err != nil || !slices.Equal(row, before) {
		t.Errorf("after ContentHash the row is %s, %v, want it as it was", row, err)
	}
}

// A reused reading hashes like a new one, also after an invalid row.
func TestContentHashDoesNotDependOnThePreviousRow(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		used := new(reading)
		for range 3 {
			row := objects(1).Draw(t, "row").spell(nil, plain)
			if rapid.Bool().Draw(t, "cut off") {
				row = row[:len(row)/2]
			}
			fresh := new(reading)
			got, want := used.read(row), fresh.read(row)
			if (got == nil) != (want == nil) {
				t.Fatalf("read(%s) of a used reading = %v, want %v", row, got, want)
			}
			if want == nil && used.hash() != fresh.hash() {
				t.Fatalf("hash of %s by a used reading differs from a new one's", row)
			}
		}
	})
}

func TestTextWithoutALongEscapeHasNoShorterForm(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		part := rapid.SampledFrom([]string{
			"u", "/", "ø", "\x7f", "\xff", "\u2028", `\\`, `\"`, `\n`, `\t`, `\b`, `\f`, `\r`, `\/`, `\u00f8`, `\u000A`, `\ud83d`,
		})
		text := `"` + strings.Join(rapid.SliceOf(part).Draw(t, "parts"), "") + `"`
		if short := respell([]byte(text)); !hasLongEscape([]byte(text)) && string(short) != text {
			t.Fatalf("hasLongEscape(%s) = false, but it respells as %s", text, short)
		}
	})
}

func TestContentHashIsTheSameInEveryEncoding(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		row := objects(2).Draw(t, "row")
		a, b := row.spell(nil, plain), row.spell(nil, styles(t))
		if mustHash(t, string(a)) != mustHash(t, string(b)) {
			t.Fatalf("ContentHash differs between %q and %q", a, b)
		}
	})
}

func TestContentHashSeesEachChange(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		row := objects(2).Filter(func(n node) bool { return len(n.nodes) > 0 }).Draw(t, "row")
		at := rapid.IntRange(0, len(row.nodes)-1).Draw(t, "member")
		other := row
		other.nodes = slices.Clone(row.nodes)
		other.nodes[at] = nodes(1).Draw(t, "value")
		// Spelled in the same style, equal objects have equal texts.
		a, b := string(row.spell(nil, plain)), string(other.spell(nil, plain))
		same := a == b || row.names[at] == "opdateringsdato"
		if (mustHash(t, a) == mustHash(t, b)) != same && !reordered(row.nodes[at], other.nodes[at]) {
			t.Fatalf("ContentHash of %s and %s: equal is %v, want %v", a, b, !same, same)
		}
	})
}

// reordered reports whether two objects have the same names, so that they may differ
// only in their order.
func reordered(a, b node) bool {
	return a.kind == jsontext.KindBeginObject && b.kind == a.kind && len(a.names) > 1 && len(a.names) == len(b.names)
}

// FuzzContentHash looks for a row that causes a panic, or that hashes differently in
// another spelling.
func FuzzContentHash(f *testing.F) {
	f.Add(sagRow)
	f.Add([]byte(`{"a":{"b":[1,2,{"z":"\u00f8","y":1.0}],"a":1},"\u00e6":"\n\/\"","a":1e5, "a":null}`))
	f.Add([]byte(`{"a":"\ud83d","opdateringsdato":null}`))
	f.Fuzz(func(t *testing.T, row []byte) {
		hash, err := ContentHash(row)
		if err != nil {
			return
		}
		n, err := parseNode(row)
		if err != nil {
			return // no Unicode: the spelling is the content
		}
		if n.kind != jsontext.KindBeginObject {
			t.Fatalf("ContentHash(%q) took what is no object", row)
		}
		for _, s := range []style{plain, baroque} {
			if again := n.spell(nil, s); mustHash(t, string(again)) != hash {
				t.Fatalf("ContentHash differs between %q and %q", row, again)
			}
		}
	})
}
