package gateway

import (
	"net/url"
	"slices"
	"testing"

	"odastream/odata"
	"odastream/schema"
)

func TestRequestsAreClassedByWhatTheyCost(t *testing.T) {
	t.Parallel()
	model := odata.NewModel(schema.Entities())
	doubtful := []string{
		"Stemme?$filter=typeid eq 1", "Sag?$filter=typeid eq 3", "Sag?$skip=5000", "Sag?$filter=tolower(titel) eq 'x'",
		"Sag/$count?$filter=typeid eq 3", "Sag?$orderby=titel&$inlinecount=allpages",
	}
	for path, want := range map[string]class{
		"":                                 noClass,
		"$metadata":                        noClass,
		"Sag(1)":                           simpleClass,
		"Sag(1)/titel":                     simpleClass,
		"Sag":                              simpleClass,
		"Stemme?$filter=afstemningid eq 5": simpleClass,
		"Sagstype?$filter=type eq 'x'":     simpleClass,
		"Sagstrin?$orderby=dato desc":      simpleClass,
		"Stemme?$filter=typeid eq 1":       mediumClass,
		"Sag?$filter=id gt 5":              simpleClass,
		"Sag?$filter=id eq 5 or id eq 6":   simpleClass,
		"Sag?$filter=opdateringsdato gt datetime'2026-01-01'&$top=100":    simpleClass,
		"Sag?$orderby=opdateringsdato desc":                               simpleClass,
		"Sag?$filter=id gt 5 and opdateringsdato gt datetime'2026-01-01'": mediumClass,
		"Sag?$top=101":                             mediumClass,
		"Sag?$filter=typeid eq 3":                  mediumClass,
		"Sag?$expand=Periode":                      mediumClass,
		"Sag(1)?$expand=Periode":                   mediumClass,
		"Sag/$count":                               mediumClass,
		"Sag?$inlinecount=allpages":                mediumClass,
		"Sag?$skip=5000":                           mediumClass,
		"Sag?$top=1001":                            complexClass,
		"Sag?$expand=Sagstrin/Sagstrinstype":       complexClass,
		"Sag?$filter=substringof('x',titel)":       complexClass,
		"Sag?$filter=tolower(titel) eq 'x'":        mediumClass,
		"Sag?$filter=Sagstrin/any(s:s/id eq 1)":    complexClass,
		"Sag/$count?$filter=typeid eq 3":           complexClass,
		"Sag?$orderby=titel&$inlinecount=allpages": complexClass,
	} {
		p, err := url.Parse(path)
		if err != nil {
			t.Fatal(err)
		}
		options, err := url.ParseQuery(p.RawQuery)
		if err != nil {
			t.Fatal(err)
		}
		r, err := model.Parse(p.Path, options.Encode())
		if err != nil {
			t.Fatal(err)
		}
		limit, _ := mirrored{Request: r}.rows(10000)
		got, inDoubt := classify(r, limit)
		if got != want {
			t.Errorf("%s is %s, want %s", path, got, want)
		}
		if want := slices.Contains(doubtful, path); inDoubt != want {
			t.Errorf("%s is in doubt: %v, want %v", path, inDoubt, want)
		}
	}
}

// Whatever a client writes: the link to the next page is a text inside JSON, an address,
// and asks for the same options.
func FuzzNextLink(f *testing.F) {
	f.Add("$filter=titel%20ne%20'x'&$top=5&x=\"<>\xff&%24skip=3&$skiptoken=a&&?$orderby=id")
	f.Add("%zz=1&=&a")
	f.Fuzz(func(t *testing.T, rawQuery string) {
		rest := int64(7)
		m := mirrored{Request: &odata.Request{Resource: odata.Resource{Set: schema.Entity{Name: "Aktør"}}}, base: "http://h/api", rawQuery: rawQuery, rest: &rest}
		link := m.nextLink("token")
		for i := range len(link) {
			if c := link[i]; c <= ' ' || c >= 0x7F || c == '"' || c == '\\' {
				t.Fatalf("%q has the byte %q", link, c)
			}
		}
		u, err := url.Parse(link)
		if err != nil {
			t.Fatalf("%q: %v", link, err)
		}
		options, _ := url.ParseQuery(u.RawQuery) // what cannot be read was not written by us
		if got := options["$skiptoken"]; len(got) != 1 || got[0] != "token" {
			t.Fatalf("%q has the tokens %q", link, got)
		}
		if got := options["$top"]; len(got) != 1 || got[0] != "7" {
			t.Fatalf("%q has $top %q", link, got)
		}
		if options.Has("$skip") {
			t.Fatalf("%q skips rows again", link)
		}
	})
}
