package odata_test

import (
	"fmt"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"odastream/odata"
	"odastream/schema"
)

// record is a row of made values, with the rows that its links lead to.
type record struct {
	fields map[string]any
	links  map[string][]odata.Record
}

func (r record) Field(f schema.Field) any            { return r.fields[f.Name] }
func (r record) Linked(l schema.Link) []odata.Record { return r.links[l.Name] }
func (r record) with(link string, rows ...record) record {
	list := make([]odata.Record, len(rows))
	for i, row := range rows {
		list[i] = row
	}
	r.links[link] = list
	return r
}

func rec(fields map[string]any) record { return record{fields, map[string][]odata.Record{}} }

// aCase returns a case of a period with two steps, of which the second has a vote.
func aCase() record {
	stamp := time.Date(2026, 1, 31, 23, 59, 7, 500e6, time.UTC)
	vote := rec(map[string]any{"id": int64(9), "vedtaget": true})
	first := rec(map[string]any{"id": int64(1), "titel": "Fremsættelse", "dato": nil})
	second := rec(map[string]any{"id": int64(2), "titel": "1. behandling", "dato": stamp}).with("Afstemning", vote)
	return rec(map[string]any{"id": int64(7), "titel": " Klimalov på ØEN ", "statusid": int64(-3), "opdateringsdato": stamp, "statsbudgetsag": false}).
		with("Periode", rec(map[string]any{"kode": "20251"})).
		with("Sagstrin", first, second)
}

// parseCondition reads a filter of Sag.
func parseCondition(t interface{ Fatal(...any) }, filter string) odata.Expr {
	r, err := model.Parse("Sag", "$filter="+url.QueryEscape(filter))
	if err != nil {
		t.Fatal(err)
	}
	return r.Filter
}

// meanings are conditions that are true, false or null for aCase.
func meanings() map[any][]string {
	return map[any][]string{
		true: {
			"id eq 7",
			"7 eq id",
			"id ne 8",
			"id gt 6",
			"id ge 7",
			"id lt 7.5",
			"id le 7",
			"not (id eq 8)",
			"true",
			"id eq 7L",
			"titel eq ' klimaLOV på øen '",
			"substringof('KLIMA',titel)",
			"substringof('øe',titel) eq true",
			"startswith(titel,' klima')",
			"endswith(trim(titel),'Øen')",
			"indexof(titel,'på') eq 10",
			"indexof(titel,'x') eq -1",
			"length(titel) eq 17",
			"tolower(titel) eq toupper(titel)",
			"substring(titel,10) eq 'på øen '",
			"substring(titel,10,2) eq 'på'",
			"substring(titel,99) eq ''",
			"substring(titel,-5,7) eq ' k'",
			"concat('a',concat(trim(titel),'b')) eq 'aKlimalov på Øenb'",
			"replace(titel,'KLIMA','Natur') eq ' Naturlov på Øen '",
			"replace(titel,'','x') eq titel",
			"year(opdateringsdato) eq 2026 and month(opdateringsdato) eq 1 and day(opdateringsdato) eq 31",
			"hour(opdateringsdato) eq 23 and minute(opdateringsdato) eq 59 and second(opdateringsdato) eq 7",
			"opdateringsdato gt datetime'2026-01-31T23:59:07.499'",
			"opdateringsdato lt datetime'2026-02-01'",
			"opdateringsdato eq datetime'2026-01-31T23:59:07.5Z'",
			"statusid add 3 eq 0",
			"statusid mul -2 eq 6",
			"id div 2 eq 3",
			"-7 div 2 eq -3",
			"id mod 4 eq 3",
			"-7 mod 4 eq -3",
			"7.0 div 2 eq 3.5",
			"-statusid eq 3",
			"id sub 10 eq statusid",
			"round(2.5) eq 3",
			"round(-2.5) eq -3",
			"floor(-0.5) eq -1",
			"ceiling(-0.5) eq 0",
			"round(id) eq 7",
			"lovnummer eq null",
			"null eq null",
			"id ne null",
			"not (lovnummer gt 'a')",
			"lovnummer ne 'a'",
			"statsbudgetsag eq false",
			"not statsbudgetsag",
			"null or id eq 7",
			"not (null and id eq 8)",
			"'å' gt 'ø' and 'ø' gt 'æ' and 'æ' gt 'z'",
			"'a' lt 'B' and 'B' lt 'c'",
			"'A' ge 'a' and 'a' ge 'A'",
			"false or id eq 7 and true",
			"Periode/kode eq '20251'",
			"DeltfraSag/titel eq null",
			"Sagstrin/any()",
			"Sagstrin/any(s:s/id eq 2)",
			"Sagstrin/all(s:s/id le 2)",
			"SagDokument/all(d:d/id eq 1)",
			"Sagstrin/any(s:s/Afstemning/any(a:a/vedtaget eq true and a/id gt s/id and a/id gt id))",
			"Sagstrin/any(s:s/dato eq null)",
			"DeltfraSag/Sagstrin/all(s:false)",
			"(id add null) eq null",
			"(9223372036854775807 add 1) eq null",
			"(id div 0) eq null",
			"(id mod 0) eq null",
			"(1e308 mul 10) eq null",
			"(-9223372036854775808 div -1) eq null",
			"(-9223372036854775808 mul -1) eq null",
			"(-9223372036854775808 sub 1) eq null",
		},
		false: {
			"id eq 8",
			"id gt 7",
			"lovnummer gt 'a'",
			"null gt 1",
			"null le null",
			"lovnummer eq ''",
			"false",
			"SagDokument/any()",
			"SagDokument/any(d:d/id eq 1)",
			"Sagstrin/all(s:s/dato ne null)",
			"DeltfraSag/Sagstrin/any()",
			"null and id eq 8",
			"'aa' eq 'å'",
			"id eq null",
		},
		nil: {
			"null",
			"not null",
			"null and id eq 7",
			"null or id eq 8",
			"startswith(lovnummer,'a')",
			"not startswith(lovnummer,'a')",
			"substringof(null,titel)",
			"null and null",
		},
	}
}

func TestConditionsMeanWhatODataSays(t *testing.T) {
	t.Parallel()
	for want, filters := range meanings() {
		for _, filter := range filters {
			condition := parseCondition(t, filter)
			if got := odata.Eval(condition, aCase()); got != want {
				t.Errorf("%s is %v, want %v", filter, got, want)
			}
			if got := odata.Holds(condition, aCase()); got != (want == true) {
				t.Errorf("%s holds: %t, want %t", filter, got, want == true)
			}
		}
	}
}

// A written condition is read again as the same one.
func TestWrittenConditionsMeanTheSame(t *testing.T) {
	t.Parallel()
	for want, filters := range meanings() {
		for _, filter := range filters {
			written := parseCondition(t, filter).String()
			again := parseCondition(t, written)
			if again.String() != written || odata.Eval(again, aCase()) != want {
				t.Errorf("%s is written %s, which is written %s and is %v; want %v", filter, written, again, odata.Eval(again, aCase()), want)
			}
		}
	}
}

func TestRowsAreInDanishOrder(t *testing.T) {
	t.Parallel()
	r, err := model.Parse("Sag", "$orderby=titel desc,statusid")
	if err != nil {
		t.Fatal(err)
	}
	var rows []record
	for i, titel := range []any{"Ørsted", nil, "zebra", "Å", "æble", "Anders", "anders", "Zebra"} {
		rows = append(rows, rec(map[string]any{"titel": titel, "statusid": int64(-i)}))
	}
	slices.SortStableFunc(rows, func(a, b record) int { return odata.Compare(r.OrderBy, a, b) })
	var got []string
	for _, row := range rows {
		got = append(got, fmt.Sprint(row.fields["titel"], row.fields["statusid"]))
	}
	want := []string{"Å-3", "Ørsted0", "æble-4", "Zebra-7", "zebra-2", "anders-6", "Anders-5", "<nil> -1"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}
