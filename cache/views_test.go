package cache

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"odastream/internal/test/pgtest"
	"odastream/schema"
)

// Every view has its entity's columns, by name, type and order.
func TestEveryEntityHasItsView(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	types := map[string]string{
		"Edm.Int16": "integer", "Edm.Int32": "integer", "Edm.String": "text",
		"Edm.Boolean": "boolean", "Edm.DateTime": "timestamp without time zone",
	}
	const columns = `SELECT column_name, data_type FROM information_schema.columns
WHERE table_schema = 'parliament' AND table_name = $1 ORDER BY ordinal_position`
	for _, e := range schema.Entities() {
		var want []string
		for _, f := range e.Fields {
			typ := types[f.Type]
			if f.Name == "id" {
				typ = "bigint"
			}
			want = append(want, f.Name+" "+typ)
		}
		if diff := cmp.Diff(strings.Join(want, "\n"), pgtest.Lines(t, s.pool, columns, e.Suffix)); diff != "" {
			t.Errorf("columns of parliament.%s (-want +got):\n%s", e.Suffix, diff)
		}
	}
	if got := pgtest.Lines(t, s.pool, `SELECT count(*) FROM pg_views WHERE schemaname = 'parliament' AND viewname NOT IN
('consistent_through', 'partimedlemskab', 'stemmer', 'afstemning_resultat', 'sag_forloeb')`); got != fmt.Sprint(len(schema.Entities())) {
		t.Errorf("views = %s, want %d", got, len(schema.Entities()))
	}
}

// With any JSON in any member, each column of each view can be read: a value that fits
// is shown, one that does not is null. Text takes every value.
func TestViewsOfOddRows(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	odd := []string{
		`null`, `true`, `"true"`, `0`, `-1`, `1.5`, `2147483648`, `1e300`, `"12"`, `""`, `"NaN"`, `[1]`, `[]`, `{"a":1}`, `"x\ty"`,
		`"2023-02-30T00:00:00"`, `"2024-02-29T12:00:00"`, `"1900-02-29T12:00:00"`, `"2024-01-01T24:00:00"`, `"infinity"`,
	}
	var records []Record
	for _, e := range schema.Entities() {
		for i, value := range odd {
			var members []string
			for _, f := range e.Fields {
				members = append(members, fmt.Sprintf("%q:%s", f.Name, value))
			}
			records = append(records, record(e.Name, int64(i), 1, "{"+strings.Join(members, ",")+"}"))
		}
		records = append(records, record(e.Name, 99, 1, `{}`), record(e.Name, 100, 1, `[]`))
	}
	mustApply(t, s, records...)
	for _, e := range schema.Entities() {
		rows := pgtest.Lines(t, s.pool, `SELECT v::text FROM parliament.`+e.Suffix+` v`)
		if got, want := strings.Count(rows, "\n")+1, len(odd)+2; got != want {
			t.Errorf("rows of parliament.%s = %d, want %d", e.Suffix, got, want)
		}
	}
}

func TestValuesInViews(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	for claim, tt := range map[string]struct{ call, value, want string }{
		"a whole number":                  {"as_integer", `42`, "42"},
		"the least integer":               {"as_integer", `-2147483648`, "-2147483648"},
		"the greatest integer":            {"as_integer", `2147483647`, "2147483647"},
		"a number with an empty fraction": {"as_integer", `5.0`, "5"},
		"a number too great":              {"as_integer", `2147483648`, "null"},
		"a number far too great":          {"as_integer", `1e400`, "null"},
		"a fraction":                      {"as_integer", `1.5`, "null"},
		"a number as text":                {"as_integer", `"42"`, "null"},
		"a number in a list":              {"as_integer", `[42]`, "null"},
		"an object for a number":          {"as_integer", `{"a":42}`, "null"},
		"null for a number":               {"as_integer", `null`, "null"},
		"yes":                             {"as_boolean", `true`, "true"},
		"no":                              {"as_boolean", `false`, "false"},
		"yes as text":                     {"as_boolean", `"true"`, "null"},
		"a number for yes":                {"as_boolean", `1`, "null"},
		"a stamp":                         {"as_timestamp", `"2026-11-23T16:09:58.347"`, "2026-11-23 16:09:58.347"},
		"a stamp without a fraction":      {"as_timestamp", `"2014-09-09T09:05:49"`, "2014-09-09 09:05:49"},
		"the last day of a year":          {"as_timestamp", `"2026-12-31T23:59:59.9999999"`, "2027-01-01 00:00:00"},
		"the leap day":                    {"as_timestamp", `"2024-02-29T00:00:00"`, "2024-02-29 00:00:00"},
		"the leap day of 2000":            {"as_timestamp", `"2000-02-29T00:00:00"`, "2000-02-29 00:00:00"},
		"no leap day in 2023":             {"as_timestamp", `"2023-02-29T00:00:00"`, "null"},
		"no leap day in 1900":             {"as_timestamp", `"1900-02-29T00:00:00"`, "null"},
		"no 31st of April":                {"as_timestamp", `"2023-04-31T00:00:00"`, "null"},
		"no 30th of February":             {"as_timestamp", `"2024-02-30T00:00:00"`, "null"},
		"no day 0":                        {"as_timestamp", `"2024-02-00T00:00:00"`, "null"},
		"no month 13":                     {"as_timestamp", `"2024-13-01T00:00:00"`, "null"},
		"no year 0":                       {"as_timestamp", `"0000-02-29T00:00:00"`, "null"},
		"no hour 24":                      {"as_timestamp", `"2024-01-01T24:00:00"`, "null"},
		"a date alone":                    {"as_timestamp", `"2024-01-01"`, "null"},
		"a stamp with a zone":             {"as_timestamp", `"2024-01-01T00:00:00Z"`, "null"},
		"a number for a stamp":            {"as_timestamp", `20240101`, "null"},
		"a 64-bit number":                 {"as_bigint", `"9223372036854775807"`, "9223372036854775807"},
		"a 64-bit number too great":       {"as_bigint", `"9223372036854775808"`, "null"},
		"a 64-bit number as a number":     {"as_bigint", `-7`, "-7"},
		"a decimal":                       {"as_numeric", `"12.50"`, "12.50"},
		"no number":                       {"as_numeric", `"NaN"`, "null"},
		"a decimal as a number":           {"as_numeric", `-0.1`, "-0.1"},
	} {
		t.Run(claim, func(t *testing.T) {
			argument := `$1::jsonb`
			if tt.call != "as_integer" && tt.call != "as_boolean" {
				argument = `$1::jsonb #>> '{}'`
			}
			got := pgtest.Lines(t, s.pool, fmt.Sprintf(`SELECT COALESCE((parliament.%s(%s))::text, 'null')`, tt.call, argument), tt.value)
			if got != tt.want {
				t.Errorf("%s(%s) = %s, want %s", tt.call, tt.value, got, tt.want)
			}
		})
	}
}

// Every day of the calendar is a timestamp, and no other is.
func TestTimestampsFollowTheCalendar(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	got := pgtest.Lines(t, s.pool, `SELECT count(*), count(parliament.as_timestamp(d || 'T00:00:00')) FILTER (WHERE parliament.as_timestamp(d || 'T00:00:00')::date::text = d)
FROM (SELECT to_char(y, 'FM0000') || '-' || to_char(m, 'FM00') || '-' || to_char(n, 'FM00') AS d
      FROM unnest('{1900,2000,2023,2024}'::int[]) y, generate_series(0, 13) m, generate_series(0, 32) n) days`)
	if want := fmt.Sprint(4*14*33, " ", 365+366+365+366); got != want {
		t.Errorf("days tried and days taken = %s, want %s", got, want)
	}
}

// Readers' filters use the primary key and only one entity's partition.
func TestViewsUseTheKey(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	plan := pgtest.Lines(t, s.pool, `EXPLAIN SELECT "titel" FROM parliament.sag WHERE id = 5`)
	if !strings.Contains(plan, "parliamentary_data_sag_pkey") || strings.Contains(plan, "stemme") {
		t.Errorf("plan of a look at one Sag:\n%s", plan)
	}
}

// The source's descriptions of entities and columns are in the comments, before the
// type; a new description replaces the old one.
func TestViewsHaveTheSourcesDescriptions(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	comments := func() string {
		t.Helper()
		if err := s.describe(t.Context()); err != nil {
			t.Fatal(err)
		}
		var got string
		err := s.pool.QueryRow(t.Context(), `SELECT concat_ws('|', obj_description('parliament.aktoer'::regclass),
    (SELECT col_description(attrelid, attnum) FROM pg_attribute WHERE attrelid = 'parliament.sag'::regclass AND attname = 'titel'))`).Scan(&got)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	const entity, column = "Current rows of the entity set Aktør.", "Edm.String, may be null at the source"
	if got, want := comments(), entity+"|"+column; got != want {
		t.Errorf("without descriptions, the comments are %q, want %q", got, want)
	}
	mustApply(t, s,
		record("EntitetBeskrivelse", 1, 10, `{"entitetnavn":"Aktør","beskrivelse":"Alt der kan ha' en rolle"}`),
		record("EntitetBeskrivelse", 2, 10, `{"entitetnavn":"Ukendt","beskrivelse":"ingen visning"}`),
		record("EntitetBeskrivelse", 3, 10, `{"entitetnavn":"Aktør","beskrivelse":" "}`),
		record("KolloneBeskrivelse", 1, 10, `{"entitetnavn":"Sag","kollonenavn":"Titel","beskrivelse":"Sagens titel\nlang"}`),
		record("KolloneBeskrivelse", 2, 10, `{"entitetnavn":"Sag","kollonenavn":"ukendt","beskrivelse":"ingen kolonne"}`),
		record("KolloneBeskrivelse", 3, 10, `{"entitetnavn":"Sag","kollonenavn":null,"beskrivelse":"ikke visningens"}`),
	)
	for range 2 { // the second time nothing is new
		if got, want := comments(), "Alt der kan ha' en rolle\n"+entity+"|Sagens titel\nlang\n"+column; got != want {
			t.Errorf("comments = %q, want %q", got, want)
		}
	}
	mustApply(t, s, record("KolloneBeskrivelse", 1, 11, `{"entitetnavn":"Sag","kollonenavn":"titel","beskrivelse":"Kort"}`))
	if got, want := comments(), "Alt der kan ha' en rolle\n"+entity+"|Kort\n"+column; got != want {
		t.Errorf("described again, the comments are %q, want %q", got, want)
	}
}
