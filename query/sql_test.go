package query

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"odastream/odata"
	"odastream/schema"
)

// A year becomes bounds that an index on the time serves.
func TestSQLOfYears(t *testing.T) {
	t.Parallel()
	const stamp = "t0.opdateringsdato"
	for filter, want := range map[string]string{
		"year(opdateringsdato) eq 2014": "(" + stamp + " >= $1::timestamp AND " + stamp + " < $2::timestamp)",
		"year(opdateringsdato) gt 2014": "(" + stamp + " >= $1::timestamp)",
		"2014 gt year(opdateringsdato)": "(" + stamp + " < $1::timestamp)",
	} {
		request, err := odata.NewModel(schema.Entities()).Parse("Sag", "$filter="+filter)
		if err != nil {
			t.Fatal(err)
		}
		if got := newCompiler(nil).condition(request.Filter, loose); got != want {
			t.Errorf("%s is %s, want %s", filter, got, want)
		}
	}
}

// A request without asof reads the current rows and no history.
func TestSQLOfCurrentRows(t *testing.T) {
	t.Parallel()
	request, err := odata.NewModel(schema.Entities()).Parse("Sag", "$filter=Periode/kode eq 'a' and Sagstrin/any(s:s/Sag/id eq 1)")
	if err != nil {
		t.Fatal(err)
	}
	s, err := view{}.selection(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	const want = ` FROM parliamentary_data AS t0` +
		` LEFT JOIN parliamentary_data AS t1 ON t1.entity_type = 'Periode' AND t1.entity_id = parliament.as_integer(t0.data -> 'periodeid')` +
		` WHERE t0.entity_type = 'Sag'` +
		` AND ((lower((t1.data ->> 'kode') COLLATE "da-x-icu") = lower($1::text COLLATE "da-x-icu"))` +
		` AND (EXISTS (SELECT FROM parliamentary_data AS t2` +
		` LEFT JOIN parliamentary_data AS t3 ON t3.entity_type = 'Sag' AND t3.entity_id = parliament.as_integer(t2.data -> 'sagid')` +
		` WHERE t0.entity_id <= 9223372036854775807 AND t2.entity_type = 'Sagstrin' AND parliament.as_integer(t2.data -> 'sagid') = t0.entity_id` +
		` AND (t3.entity_id = $2::bigint))))`
	if diff := cmp.Diff(want, s.from()); diff != "" {
		t.Errorf("SQL of current rows (-want +got):\n%s", diff)
	}
}
