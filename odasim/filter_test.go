package odasim

import (
	"fmt"
	"net/http"
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"odastream/odata"
)

// filterOf returns the filter of a condition on rows of a set.
func filterOf(t testing.TB, s *Server, set, condition string) filter {
	t.Helper()
	r, err := s.parse(set, "$filter="+url.QueryEscape(condition))
	if err != nil {
		t.Fatal(err)
	}
	return newQuery(r, s.view()).filter
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
		"not (id eq 1)":                    {2, 3, 4},
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

// Package odata tests what else is refused.
func TestABadQueryIsRefused(t *testing.T) {
	t.Parallel()
	s := newSim(Options{})
	for claim, options := range map[string][]string{
		"a condition that ends too early": {"$filter", "id gt"},
		"an unknown field":                {"$filter", "id gt 1 and (nope eq 2)"},
		"an unknown field of the order":   {"$orderby", "nope"},
		"an order without a key":          {"$orderby", "id,"},
		"an unknown link":                 {"$expand", "Nope"},
		"an unknown option":               {"$search", "x"},
	} {
		if a := ask(t, s, "/Sag", options...); a.Code != http.StatusBadRequest || a.Body.Len() != 0 {
			t.Errorf("%s gives %d %q, want 400 and nothing", claim, a.Code, a.Body)
		}
	}
}

// A condition that the service leaves aside is the only thing that it does.
func TestAnUnknownFieldMayBeIgnored(t *testing.T) {
	t.Parallel()
	s := newSim(Options{IgnoreUnknownFields: true})
	put(t, s, "Sag", `{"id":1,"opdateringsdato":null}`, `{"id":2,"opdateringsdato":null}`)
	if diff := cmp.Diff([]int64{2}, ids(t, s, "Sag", "$filter", "nope eq 2", "$orderby", "id desc", "$top", "1")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if a := ask(t, s, "/Sag", "$orderby", "nope"); a.Code != http.StatusBadRequest {
		t.Errorf("an unknown field of the order gives %d, want 400", a.Code)
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

// What a compiled filter finds by its bounds is what the condition means.
func TestCompiledConditionsMeanTheSame(t *testing.T) {
	t.Parallel()
	s := newSim(Options{Compare: CompareText})
	var rows []row
	for id, stamp := range []string{"null", `"2019-03-20T19:21:12.003"`, `"2019-03-20T19:21:12.007"`, `"2019-03-21T00:00:00"`} {
		r, err := s.options.encode(fmt.Appendf(nil, `{"id":%d,"titel":"it's","statsbudgetsag":true,"opdateringsdato":%s}`, id, stamp))
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, r)
	}
	for _, condition := range []string{
		"opdateringsdato gt datetime'2019-03-20T19:21:12.003' and opdateringsdato le datetime'2019-03-21T00:00:00' and id gt 2",
		"opdateringsdato gt datetime'2019-03-20T19:21:12.003' or (datetime'2019-03-20T19:21:12.003' eq opdateringsdato and 1 le id)",
		"not (titel eq 'it''s' or statsbudgetsag ne true) and opdateringsdato eq null", "opdateringsdato ne null", "not (opdateringsdato gt datetime'2019-03-20')",
		"opdateringsdato ne datetime'2019-03-21'", "id lt 2 or titel eq 'IT''S'", "id add 1 gt 2", "null", "id eq null",
	} {
		r, err := s.parse("Sag", "$filter="+url.QueryEscape(condition))
		if err != nil {
			t.Fatal(err)
		}
		f := newQuery(r, s.view()).filter
		for _, one := range rows {
			want := odata.Holds(r.Filter, record{s.view(), one.data})
			if got := f.match(one); got != want || got && !f.bounds().holds(one.id, one.stamp) {
				t.Errorf("%s matches row %d: %t, within its bounds: %t; want %t", condition, one.id, got, f.bounds().holds(one.id, one.stamp), want)
			}
		}
	}
}
