package odasim

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// fieldsOfSag are some of Sag's fields.
func fieldsOfSag() map[string]string {
	return map[string]string{
		"id": "Edm.Int32", "opdateringsdato": "Edm.DateTime", "typeid": "Edm.Int32", "titel": "Edm.String",
		"statsbudgetsag": "Edm.Boolean", "afgørelsesdato": "Edm.DateTime", "rådsmødedato": "Edm.DateTime",
	}
}

func TestFilterMatches(t *testing.T) {
	t.Parallel()
	s := newSim(Options{})
	put(t, s, "Sag",
		`{"id":1,"typeid":3,"titel":"Lov om øer","statsbudgetsag":true,"afgørelsesdato":null,"opdateringsdato":"2019-03-20T19:21:12"}`,
		`{"id":2,"typeid":3,"titel":"Lov om 'told'","statsbudgetsag":false,"afgørelsesdato":"2019-01-01T00:00:00","opdateringsdato":"2019-03-20T19:21:12"}`,
		`{"id":3,"typeid":5,"titel":"","statsbudgetsag":null,"afgørelsesdato":"2020-01-01T00:00:00","opdateringsdato":"2019-03-20T19:21:13"}`,
		`{"id":4,"typeid":9,"titel":null,"opdateringsdato":"2019-03-20T19:21:14"}`,
	)
	for filter, want := range map[string][]int64{
		"id gt 1 and id le 3":              {2, 3},
		"id gt 1L":                         {2, 3, 4},
		"3 le id":                          {3, 4},
		"id eq -1":                         {},
		"id eq 1 or id eq 4":               {1, 4},
		"id eq 1 or id eq 4 and id eq 2":   {1},
		"(id eq 1 or id eq 4) and id gt 1": {4},
		"not id eq 1":                      {2, 3, 4},
		"not (id eq 1 or id eq 2) and typeid lt 9": {3},
		"id ne 2":                    {1, 3, 4},
		"id gt 9223372036854775807":  {},
		"id lt -9223372036854775808": {},
		"((((id le 1))))":            {1},
		"  id   gt  3 ":              {4},
		"opdateringsdato gt datetime'2019-03-20T19:21:12' and id gt 3": {4},
		"datetime'2019-03-20T19:21:13' lt opdateringsdato":             {4},
		"typeid eq 3":                {1, 2},
		"typeid ne 3":                {3, 4},
		"titel eq 'Lov om øer'":      {1},
		"titel eq 'LOV OM ØER'":      {1},
		"titel eq 'Lov om ''told'''": {2},
		"titel eq ''":                {3},
		"titel eq null":              {4},
		"titel ne null":              {1, 2, 3},
		"statsbudgetsag eq true":     {1},
		"statsbudgetsag eq false":    {2},
		"afgørelsesdato gt datetime'2019-06-01T00:00'": {3},
		"afgørelsesdato eq null":                       {1, 4},
		"opdateringsdato gt datetime'2019-03-20T19:21:12' or (opdateringsdato eq datetime'2019-03-20T19:21:12' and id gt 1)": {2, 3, 4},
	} {
		t.Run(filter, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(want, ids(t, s, "Sag", "$filter", filter)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseFilterRefuses(t *testing.T) {
	t.Parallel()
	for claim, text := range map[string]string{
		"nothing":                       "",
		"only a field":                  "id",
		"no value":                      "id gt",
		"no operator":                   "id 5",
		"an unknown operator":           "id has 5",
		"an operator in upper case":     "id GT 5",
		"two comparisons unjoined":      "id gt 5 id lt 6",
		"an open parenthesis":           "(id gt 5",
		"a parenthesis too many":        "id gt 5)",
		"empty parentheses":             "()",
		"a quote without an end":        "titel eq 'x",
		"a date without quotes":         "opdateringsdato gt 2019-03-20T19:21:12",
		"a date that is text":           "opdateringsdato gt '2019-03-20T19:21:12'",
		"a date that is not a time":     "opdateringsdato gt datetime'2019-03-20'",
		"a number with a point":         "id gt 1.5",
		"a number too large":            "id gt 9223372036854775808",
		"a lone minus":                  "id gt -",
		"two fields":                    "id gt typeid",
		"two values":                    "1 eq 1",
		"null compared":                 "titel gt null",
		"a function":                    "substringof('x',titel)",
		"and without a right side":      "id gt 5 and",
		"stray signs":                   "id gt 5 & id lt 6",
		"invalid UTF-8":                 "id\xff gt 5",
		"parentheses nested too deeply": strings.Repeat("(", 5000) + "id gt 1" + strings.Repeat(")", 5000),
		"not nested too deeply":         strings.Repeat("not ", 5000) + "id gt 1",
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			f, err := parseFilter(text, fieldsOfSag())
			if err == nil {
				t.Errorf("parseFilter(%q) = %v, want an error", text, f)
			}
		})
	}
}

func TestUnknownFieldIsNamed(t *testing.T) {
	t.Parallel()
	_, err := parseFilter("id gt 1 and (nope eq 2)", fieldsOfSag())
	var unknown *unknownFieldError
	if !errors.As(err, &unknown) || unknown.field != "nope" {
		t.Errorf("error %v, want an unknownFieldError of nope", err)
	}
}

// drawFilter returns a random filter on stamp and ids up to top.
func drawFilter(r *rapid.T, depth int, top int64) filter {
	kinds := 5
	if depth == 0 {
		kinds = 2
	}
	op := operator(rapid.SampledFrom([]string{"eq", "ne", "gt", "ge", "lt", "le"}).Draw(r, "op"))
	switch rapid.IntRange(1, kinds).Draw(r, "kind") {
	case 1:
		return idFilter{op, rapid.Int64Range(0, top).Draw(r, "id")}
	case 2:
		return stampFilter{op, rapid.Int64Range(0, 6).Draw(r, "stamp")}
	case 3:
		return andFilter{drawFilter(r, depth-1, top), drawFilter(r, depth-1, top)}
	case 4:
		return orFilter{drawFilter(r, depth-1, top), drawFilter(r, depth-1, top)}
	default:
		return notFilter{drawFilter(r, depth-1, top)}
	}
}

// TestBoundsContainEveryMatch checks what the indexes rely on: a row that matches lies
// within the bounds, and exact bounds contain no other row.
func TestBoundsContainEveryMatch(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		f := drawFilter(r, 3, 30)
		b := f.bounds()
		for id := range int64(32) {
			for stamp := int64(-1); stamp < 8; stamp++ {
				one := row{id: id, stamp: stamp}
				if stamp < 0 {
					one.stamp = noMoment
				}
				inside := b.holds(one.id, one.stamp) && compareKeys(stampKey{one.stamp, one.id}, b.first) >= 0
				switch matches := f.match(one); {
				case matches && !inside:
					r.Fatalf("%+v matches %+v, which is outside %+v", one, f, b)
				case !matches && b.exact && b.holds(one.id, one.stamp):
					r.Fatalf("%+v does not match %+v, which is inside the exact %+v", one, f, b)
				}
			}
		}
	})
}

func FuzzParseFilter(f *testing.F) {
	for _, seed := range []string{
		"opdateringsdato gt datetime'2019-03-20T19:21:12.003' and opdateringsdato le datetime'2019-03-21T00:00:00' and id gt 7",
		"opdateringsdato gt datetime'2019-03-20T19:21' or (opdateringsdato eq datetime'2019-03-20T19:21' and id gt -7L)",
		"not (titel eq 'it''s' or statsbudgetsag ne true) and rådsmødedato eq null",
		"((((", "id gt", "'", "datetime'", "-", "not not not",
	} {
		f.Add(seed)
	}
	rows := []row{
		{id: 1, stamp: noMoment, data: []byte(`{"id":1}`)},
		{id: 7, stamp: 3, data: []byte(`{"id":7,"titel":"it's","statsbudgetsag":true,"rådsmødedato":"2019-03-20T19:21:12"}`)},
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := parseFilter(text, fieldsOfSag())
		if err != nil {
			return
		}
		b := got.bounds()
		for _, r := range rows {
			if got.match(r) && !b.holds(r.id, r.stamp) {
				t.Errorf("%q matches row %d outside its bounds", text, r.id)
			}
		}
	})
}
