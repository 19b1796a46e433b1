package odata_test

import (
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"odastream/odata"
	"odastream/schema"
)

// write writes what a request asks, in one form for all ways to ask it.
func write(r *odata.Request) string {
	var b strings.Builder
	b.WriteString(r.Set.Name)
	if r.Key != nil {
		b.WriteString("(key)")
	}
	for _, l := range r.Links {
		b.WriteString("/" + l.Name)
	}
	if r.Filter != nil {
		b.WriteString(" where " + r.Filter.String())
	}
	for _, k := range r.OrderBy {
		b.WriteString(" by " + k.Expr.String())
		if k.Desc {
			b.WriteString(" desc")
		}
	}
	return b.String() + writeShape(r.Shape)
}

func writeShape(s odata.Shape) string {
	var parts []string
	if s.Selected {
		parts = append(parts, s.Fields...)
	} else {
		parts = append(parts, "*")
	}
	for _, l := range s.Links {
		parts = append(parts, l.Name+writeShape(l.Shape))
	}
	return "{" + strings.Join(parts, " ") + "}"
}

func TestURLsAreRead(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"Sag":                                  "Sag{*}",
		"/Sag/":                                "Sag{*}",
		"Sag()":                                "Sag{*}",
		"Sag?&":                                "Sag{*}",
		"Sag?":                                 "Sag{*}",
		"Sag?nocache=1&x":                      "Sag{*}",
		"Sag(1)":                               "Sag(key){*}",
		"Sag(id=1)":                            "Sag(key){*}",
		"Sag(1)/Sagstrin":                      "Sag(key)/Sagstrin{*}",
		"Sag(1)/Periode":                       "Sag(key)/Periode{*}",
		"Sag/$count":                           "Sag{*}",
		"Akt%C3%B8r":                           "Aktør{*}",
		"Akt%c3%b8r":                           "Aktør{*}",
		"Akt%F8r":                              "Aktør{*}",
		"Akt\xf8r":                             "Aktør{*}",
		"Aktør":                                "Aktør{*}",
		"Sag?$top=0":                           "Sag{*}",
		"Sag?%24filter=id+eq+1":                "Sag where id eq 1{*}",
		"Sag?$filter=id%20eq%201&$format=json": "Sag where id eq 1{*}",
		"Sag?$filter=titel eq 'O''Hara'":       "Sag where titel eq 'O''Hara'{*}",
		"Sag?$filter=titel%20eq%20%27a%26b%3Dc%27":                                           "Sag where titel eq 'a&b=c'{*}",
		"Sag?$filter=id eq 1 or id eq 2 and not (id eq 3)":                                   "Sag where (id eq 1) or ((id eq 2) and not (id eq 3)){*}",
		"Sag?$filter=id gt 1 eq true":                                                        "Sag where (id gt 1) eq true{*}",
		"Sag?$filter=(id add 2) mul 3 sub 1 gt -4":                                           "Sag where (((id add 2) mul 3) sub 1) gt -4{*}",
		"Sag?$filter=-id lt 1.5 and id mod 2 eq 0L":                                          "Sag where (-(id) lt 1.5d) and ((id mod 2) eq 0){*}",
		"Sag?$filter=opdateringsdato gt DateTime'2026-01-02'":                                "Sag where opdateringsdato gt datetime'2026-01-02T00:00:00'{*}",
		"Sag?$filter=opdateringsdato gt datetime'2026-01-02T03:04:05.1234567Z'":              "Sag where opdateringsdato gt datetime'2026-01-02T03:04:05.1234567'{*}",
		"Sag?$filter=Periode/kode eq '20221'":                                                "Sag where Periode/kode eq '20221'{*}",
		"Møde?$filter=Afstemning/any()":                                                      "Møde where Afstemning/any(){*}",
		"Sag?$filter=Sagstrin/any(s:s/Afstemning/all(a: a/vedtaget eq true and s/id gt id))": "Sag where Sagstrin/any(x1:x1/Afstemning/all(x2:(x2/vedtaget eq true) and (x1/id gt id))){*}",
		"Sag?$filter=substringof('Klima',titel) eq true":                                     "Sag where substringof('Klima',titel) eq true{*}",
		"Sag?$filter=year(opdateringsdato) eq 2026":                                          "Sag where year(opdateringsdato) eq 2026{*}",
		"Sag?$filter=lovnummer eq null":                                                      "Sag where lovnummer eq null{*}",
		"Sag?$orderby=opdateringsdato desc, Periode/kode asc,id":                             "Sag by opdateringsdato desc by Periode/kode by id{*}",
		"Sag?$select=titel,id":                                                               "Sag{id titel}",
		"Sag?$select=*":                                                                      "Sag{" + fieldsOf("Sag") + "}",
		"Sag?$expand=Sagstype, Sagstrin / Afstemning ,Sagstrin":                              "Sag{* Sagstrin{* Afstemning{*}} Sagstype{*}}",
		"Afstemning?$expand=Sagstrin/Sag&$select=id,Sagstrin/Sag/titel":                      "Afstemning{id Sagstrin{Sag{titel}}}",
		"Afstemning?$select=id,Sagstrin&$expand=Sagstrin":                                    "Afstemning{id Sagstrin{*}}",
		"Afstemning?$select=id&$expand=Sagstrin":                                             "Afstemning{id Sagstrin{*}}",
	} {
		path, query, _ := strings.Cut(raw, "?")
		r, err := model.Parse(path, query)
		if err != nil {
			t.Errorf("%s: %v", raw, err)
			continue
		}
		if diff := cmp.Diff(want, write(r)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", raw, diff)
		}
	}
}

func fieldsOf(entity string) string {
	e, err := schema.Lookup(entity)
	if err != nil {
		panic(err)
	}
	var names []string
	for _, f := range e.Fields {
		names = append(names, f.Name)
	}
	return strings.Join(names, " ")
}

func TestPathsHaveTheirKinds(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]odata.Kind{
		"": odata.Service, "/": odata.Service, "$metadata": odata.Metadata,
		"Sag": odata.Rows, "Sag(1)/Sagstrin": odata.Rows, "Sag(1)/Periode/Møde": odata.Rows,
		"Sag(1)": odata.Row, "Sag(1)/Periode": odata.Row, "Sag(0)": odata.Row, "Sag(-1)": odata.Row,
		"Sag(1)/titel": odata.Property, "Sag(1)/Periode/kode": odata.Property, "Sag(1)/titel/$value": odata.Value,
		"Sag/$count": odata.Count, "Sag(1)/Sagstrin/$count": odata.Count,
	} {
		if r, err := model.Parse(path, ""); err != nil || r.Kind != want {
			t.Errorf("%s gives %+v, %v; want kind %d", path, r, err, want)
		}
	}
}

func TestErrorsSayWhereAndWhatIsAllowed(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"Sager":                          `path at character 1: there is no entity set "Sager"; allowed: Sag, Aktør, EUsag`,
		"sag":                            `path at character 1: there is no entity set "sag"; allowed: Sag`,
		"Sag(x)":                         `path at character 5: "x" is not the id of a row`,
		"Sag(1":                          `path at character 5: "1" is not the id of a row`,
		"Sag(9223372036854775808)":       `path at character 5: "9223372036854775808" is not the id of a row`,
		"Sag/titel":                      `path at character 5: nothing of the name "titel" is here`,
		"Periode(1)/Titel":               `path at character 12: Periode has no field or link "Titel"; allowed: id, startdato, slutdato, type, kode, titel, opdateringsdato, Aktør, Møde, Sag`,
		"Sag?$filter=%zz":                `$filter: bad percent-encoding: invalid URL escape "%zz"`,
		"Sag?$filter=titel eq 'a%00'":    `$filter at character 12: there is a NUL character`,
		"Sag?$filter=":                   `$filter: it is empty`,
		"Sag?$top=1&$top=2":              `$top: it is given twice`,
		"Sag?$search=x":                  `$search: this option does not apply here; allowed: $format, asof, $filter, $orderby, $top, $skip, $skiptoken, $inlinecount, $select, $expand`,
		"Sag(1)?$filter=id eq 1":         `$filter: this option does not apply here; allowed: $format, asof, $select, $expand`,
		"Sag?$top=-1":                    `$top: "-1" is not a whole number from 0 to 2⁶³-1`,
		"Sag?$skip=x":                    `$skip: "x" is not a whole number from 0 to 2⁶³-1`,
		"Sag?$inlinecount=yes":           `$inlinecount: unknown value "yes"; allowed: allpages, none`,
		"Sag?asof=yesterday":             `asof at character 1: "yesterday" is not an instant; allowed: 2026-11-01T12:00:00Z, 2026-11-01T13:00:00.123+01:00, 2026-11-01 (its first moment in Denmark)`,
		"Sag?$filter=id":                 `$filter at character 1: a condition is wanted, and this is a whole number`,
		"Sag?$filter=id eq":              `$filter at character 6: the end stands where a value, a field or a function is wanted`,
		"Sag?$filter=id eq 1 1":          `$filter at character 9: "1" stands where an operator or the end is wanted`,
		"Sag?$filter=id = 1":             `$filter at character 4: unexpected character '='`,
		"Sag?$filter=(id eq 1":           `$filter at character 9: the end stands where ")" is wanted`,
		"Sag?$filter=titel eq 'a":        `$filter at character 10: the quote is not closed`,
		"Sag?$filter=id eq '1'":          `$filter at character 4: eq does not compare a whole number with a text`,
		"Sag?$filter=not titel":          `$filter at character 5: not takes a boolean, and this is a text`,
		"Sag?$filter=titel and id eq 1":  `$filter at character 1: and takes booleans, and this is a text`,
		"Sag?$filter=titel add 1 eq 1":   `$filter at character 1: add takes numbers, and this is a text`,
		"Sag?$filter=-titel eq 1":        `$filter at character 2: - takes a number, and this is a text`,
		"Stemme?$filter=Stemmetype eq 1": `$filter at character 12: "eq" stands where "/" and a field is wanted`,
		"Periode?$filter=Sag/titel eq 'a'": `$filter at character 5: Sag leads to many rows, so "titel" needs any or all; ` +
			`allowed: Sag/any(x:x/titel eq …), Sag/all(x:x/titel eq …)`,
		"Periode?$filter=Sag/all()":                                             `$filter at character 9: ")" stands where the name of a variable is wanted`,
		"Periode?$filter=Sag/any(s:s/id)":                                       `$filter at character 13: a condition is wanted, and this is a whole number`,
		"Sag?$filter=id eq 9223372036854775808":                                 `$filter at character 7: "9223372036854775808" is not a whole number from -2⁶³ to 2⁶³-1`,
		"Sag?$filter=id eq 1x":                                                  `$filter at character 8: unexpected character 'x' in a number`,
		"Sag?$filter=id eq 1.2.3":                                               `$filter at character 7: "1.2.3" is not a number`,
		"Sag?$filter=id eq 1e999":                                               `$filter at character 7: "1e999" is not a number`,
		"Sag?$filter=opdateringsdato gt datetime'2026-02-30'":                   `$filter at character 20: the time '2026-02-30' is not a time of the form 2026-01-31T12:00:00.123`,
		"Sag?$filter=opdateringsdato gt datetime'2026-01-02T03:04:05.12345678'": `$filter at character 20: the time '2026-01-02T03:04:05.12345678' is not a time of the form 2026-01-31T12:00:00.123`,
		"Sag?$filter=opdateringsdato gt '2026-01-01'":                           `$filter at character 17: gt does not compare a time with a text`,
		"Sag?$filter=substringof(titel)":                                        `$filter at character 1: substringof does not take these arguments; allowed: substringof(a text, a text)`,
		"Sag?$filter=contains(titel,'a')":                                       `$filter at character 1: unknown function "contains", which is of OData v4: write substringof('text',field); allowed: ceiling, concat, day, endswith, floor, hour, indexof, length, minute, month, replace, round, second, startswith, substring, substringof, tolower, toupper, trim, year`,
		"Sag?$orderby=titel down":                                               `$orderby at character 7: "down" stands where asc or desc is wanted`,
		"Sag?$orderby=titel,":                                                   `$orderby at character 7: the end stands where a value, a field or a function is wanted`,
		"Sag?$select=Periode":                                                   `$select at character 1: Periode is a link of Sag and not expanded: add it to $expand`,
		"Sag?$select=id,,titel":                                                 `$select at character 4: a name is missing`,
		"Stemme?$expand=Sag":                                                    `$expand at character 1: Stemme has no link "Sag"; allowed: Afstemning, Aktør, Stemmetype`,
		"Sag?$expand=Sagstrin/Afstemning/Stemme/Aktør":                          `$expand at character 28: a path has at most 3 links`,
		"Aktør?$filter=navn eq 'æøå' and x eq 1":                                `$filter at character 19: Aktør has no field or link "x"; allowed: id, typeid, gruppenavnkort, navn, fornavn, efternavn, biografi, periodeid, opdateringsdato, startdato, slutdato, FraAktørAktør, TilAktørAktør, DokumentAktør, MødeAktør, SagAktør, SagstrinAktør, Stemme, Aktørtype, Periode`,
	} {
		path, query, _ := strings.Cut(raw, "?")
		_, err := model.Parse(path, query)
		var wrong *odata.Error
		if !errors.As(err, &wrong) {
			t.Errorf("%s gives %v, want an *Error", raw, err)
			continue
		}
		if diff := cmp.Diff(want, wrong.Error()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", raw, diff)
		}
	}
}

func TestWhatIsNotThereIsTold(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]odata.Error{
		"Tale": {NotFound: true}, "Sag(1)/Taler": {NotFound: true, Unknown: "Taler"}, "Sag/x": {NotFound: true},
		"Sag(x)": {}, "Sag?$filter=x eq 1": {Unknown: "x"}, "Sag?$expand=Taler": {Unknown: "Taler"}, "Sag?$format=v4": {},
	} {
		path, query, _ := strings.Cut(raw, "?")
		_, err := model.Parse(path, query)
		var e *odata.Error
		if !errors.As(err, &e) || e.NotFound != want.NotFound || e.Unknown != want.Unknown {
			t.Errorf("%s gives %#v, want NotFound %t, Unknown %q", raw, err, want.NotFound, want.Unknown)
		}
	}
}

func TestFormatsAreRead(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]odata.Format{
		"json": odata.JSON, "JSON": odata.JSON, "application/json;odata.metadata=none": odata.JSON, "atom": odata.Atom, "application/xml": odata.XML,
	} {
		if r, err := model.Parse("Sag", "$format="+url.QueryEscape(text)); err != nil || r.Format != want {
			t.Errorf("$format=%s gives %+v, %v; want %s", text, r, err, want)
		}
	}
}

func TestInstantsAreRead(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"2026-11-01T12:00:00Z":             "2026-11-01T12:00:00Z",
		"2026-11-01T12:00:00.1234567Z":     "2026-11-01T12:00:00.1234567Z",
		"2026-11-01T13:00:00%2B01:00":      "2026-11-01T12:00:00Z",
		"2026-11-01T13:00:00+01:00":        "2026-11-01T12:00:00Z", // + is a blank in a query
		"2026-11-01T11:00:00-01:00":        "2026-11-01T12:00:00Z",
		"2026-11-01":                       "2026-10-31T23:00:00Z",
		"2026-07-01":                       "2026-06-30T22:00:00Z",
		"2026-02-30":                       "",
		"2026-11-01T12:00:00":              "",
		"2026-11-01 12:00:00Z":             "",
		"2026-11-01T12:00:00Europe/Berlin": "",
		"datetime'2026-11-01T12:00:00'":    "",
		"1793534400":                       "",
	} {
		for _, path := range []string{"Sag", "Sag(1)", "Sag(1)/titel", "Sag/$count", "Sag(1)/Sagstrin"} {
			r, err := model.Parse(path, "asof="+text)
			var wrong *odata.Error
			switch {
			case want == "" && (!errors.As(err, &wrong) || wrong.Option != "asof" || len(wrong.Allowed) == 0):
				t.Errorf("%s asof %s gives %v, want an *Error about asof", path, text, err)
			case want != "" && (err != nil || r.AsOf == nil || r.AsOf.Format(time.RFC3339Nano) != want):
				t.Errorf("%s asof %s gives %+v, %v; want %s", path, text, r, err, want)
			}
		}
	}
}

// A hostile expression is refused before it costs much.
func TestExpressionsHaveLimits(t *testing.T) {
	t.Parallel()
	for claim, filter := range map[string]string{
		"nested deeper than 100":    strings.Repeat("(", 200) + "id eq 1" + strings.Repeat(")", 200),
		"is nested deeper than 100": strings.Repeat("not ", 200) + "id eq 1",
		"more than 20000 parts":     "id eq 1" + strings.Repeat(" or id eq 1", 7_000),
		"longer than 256 KiB":       "titel eq '" + strings.Repeat("a", 300<<10) + "'",
		"is longer than 8 links":    strings.Repeat("DeltfraSag/", 20) + "id eq 1",
	} {
		if _, err := model.Parse("Sag", "$filter="+url.QueryEscape(filter)); err == nil || !strings.Contains(err.Error(), claim) {
			t.Errorf("Parse gives %v, want an error that says %q", err, claim)
		}
	}
	chain := "id eq 1" + strings.Repeat(" or id eq 1", 1_000)
	if _, err := model.Parse("Sag", "$filter="+url.QueryEscape(chain)); err != nil {
		t.Errorf("a chain of a thousand ids: %v", err)
	}
}
