package query_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"odastream/odasim"
	"odastream/odata"
)

// Whatever a client writes between quotes, it is compared and nothing else.
func TestTextOfTheCallerIsNoSQL(t *testing.T) {
	t.Parallel()
	sim := odasim.New(odasim.Options{PageCap: 1000, Compare: odasim.CompareText})
	hostile := []string{
		`'; DROP TABLE parliamentary_data; --`,
		`' OR '1'='1`,
		`$1`,
		`$$x$$`,
		`\'`,
		`{0}`,
		`{1l}`,
		`%`,
		`_`,
		`.*`,
		`\1`,
		`(a+)+$`,
		`"`,
		`E'\x41'`,
		`/* */`,
		"line\nbreak",
		"tab\t",
		`æøå ÆØÅ 😀`,
		strings.Repeat("lang ", 2000),
	}
	for i, text := range hostile {
		quoted := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\t", `\t`).Replace(text)
		if err := sim.Put("Sag", fmt.Appendf(nil, `{"id":%d,"titel":"%s","resume":"før %s efter"}`, i+1, quoted, quoted)); err != nil {
			t.Fatal(err)
		}
	}
	p := newParliament(t, sim)
	for i, text := range hostile {
		literal := "'" + strings.ReplaceAll(text, "'", "''") + "'"
		for _, form := range []string{
			"titel eq %s",
			"substringof(%s,resume)",
			"startswith(titel,%s)",
			"endswith(titel,%s)",
			"indexof(resume,%s) eq 4",
			"replace(resume,%s,'x') eq 'før x efter'",
			"replace('abc','b',%s) ne concat('a',concat(%[1]s,'d'))",
			"titel ge %s",
		} {
			filter := fmt.Sprintf(form, literal)
			p.compare(t, "Sag", url.Values{"$filter": {filter}, "$select": {"id"}}, 1000)
			if form == "titel eq %s" {
				got, err := p.fromCopy(t.Context(), "Sag", url.Values{"$filter": {filter}, "$select": {"id"}}.Encode(), 10)
				if want := fmt.Sprintf(`{"id":%d}`, i+1); err != nil || len(got.Value) != 1 || string(got.Value[0]) != want {
					t.Errorf("%q gives %s, %v; want %s", text, got.Value, err, want)
				}
			}
		}
	}
}

// A value that does not fit the type that its field had is null, and spoils no answer.
func TestValuesThatDoNotFitAreNull(t *testing.T) {
	t.Parallel()
	sim := odasim.New(odasim.Options{PageCap: 1000, Compare: odasim.CompareText})
	for i, members := range []string{
		`"statusid":5`,
		`"statusid":"5"`,
		`"statusid":5.5`,
		`"statusid":3000000000`,
		`"statusid":[5]`,
		`"statusid":true`,
		`"statsbudgetsag":1`,
		`"statsbudgetsag":"true"`,
		`"afgørelsesdato":"i går"`,
		`"afgørelsesdato":"2026-02-30T00:00:00"`,
		`"afgørelsesdato":20260101`,
		`"periodeid":"x"`,
		`"deltundersagid":"1"`,
	} {
		if err := sim.Put("Sag", fmt.Appendf(nil, `{"id":%d,"titel":"t",%s}`, i+1, members)); err != nil {
			t.Fatal(err)
		}
	}
	p := newParliament(t, sim)
	for filter, want := range map[string]int{
		"statusid eq 5":                                       1,
		"statusid ne null":                                    1,
		"statusid gt 0 or statusid le 0":                      1,
		"statsbudgetsag ne null":                              0,
		"afgørelsesdato ne null":                              0,
		"year(afgørelsesdato) eq 2026":                        0,
		"Periode/kode eq null":                                13,
		"DeltfraSag/titel eq 't'":                             0,
		"Sagerdelti/any()":                                    0,
		"not (afgørelsesdato gt datetime'2026-01-01')":        13,
		"(statusid add 1) eq 6 and (statusid mul 2) eq 10":    1,
		"statusid eq 1 or statusid eq 5 or statusid eq 70000": 1,
	} {
		request, err := p.model.Parse("Sag", "$filter="+url.QueryEscape(filter)+"&$expand=Periode,DeltfraSag,Sagerdelti&$orderby=statusid,afgørelsesdato,statsbudgetsag")
		if err != nil {
			t.Fatal(err)
		}
		page, err := p.reader.Rows(t.Context(), request, 100)
		if err != nil || len(page.Rows) != want {
			t.Errorf("%s gives %d rows, %v; want %d", filter, len(page.Rows), err, want)
		}
	}
}

// Rows that are written between two pages shift none: a page begins behind the last row of
// the one before, whatever became of it.
func TestPagesShiftUnderNoReader(t *testing.T) {
	t.Parallel()
	sim := odasim.New(odasim.Options{})
	for id := range 9 {
		if err := sim.Put("Sag", fmt.Appendf(nil, `{"id":%d,"titel":"%c"}`, 10*(id+1), 'i'-id)); err != nil {
			t.Fatal(err)
		}
	}
	p := newParliament(t, sim)
	for order, want := range map[string][]string{
		"id":         {"10", "20", "30 | 40", "50", "60 | 70", "80", "90"},
		"id desc":    {"90", "80", "70 | 60", "50", "40 | 30", "20", "10"},
		"titel":      {"90", "80", "70 | 60", "50", "40 | 30", "20", "10"},
		"titel desc": {"10", "20", "30 | 40", "50", "60 | 70", "80", "90"},
	} {
		request, err := p.model.Parse("Sag", "$select=id&$orderby="+url.QueryEscape(order))
		if err != nil {
			t.Fatal(err)
		}
		got := readPages(t, p, request, 3, func(page int) {
			// Before the pages that were read, nothing may matter any more.
			if _, err := p.pool.Exec(t.Context(), `INSERT INTO parliamentary_data (entity_type, entity_id, data, seq) VALUES ('Sag', $1, $2, 1)
ON CONFLICT (entity_type, entity_id) DO UPDATE SET data = excluded.data`, before(order, page), fmt.Sprintf(`{"id":%d,"titel":"%s"}`, before(order, page), title(order))); err != nil {
				t.Fatal(err)
			}
		})
		if text := strings.Join(got, ", "); text != strings.Join(want, ", ") {
			t.Errorf("by %s the pages are %s, want %s", order, text, strings.Join(want, ", "))
		}
		if _, err := p.pool.Exec(t.Context(), `DELETE FROM parliamentary_data WHERE entity_type = 'Sag' AND entity_id % 10 <> 0`); err != nil {
			t.Fatal(err)
		}
	}
}

// Pages of any size go through values and nulls, in either direction.
func TestPagesGoThroughNulls(t *testing.T) {
	t.Parallel()
	sim := odasim.New(odasim.Options{PageCap: 1000, Compare: odasim.CompareText})
	for id, status := range []string{"3", "null", "2", "null", "2", "1", "null"} {
		if err := sim.Put("Sag", fmt.Appendf(nil, `{"id":%d,"statusid":%s}`, id+1, status)); err != nil {
			t.Fatal(err)
		}
	}
	p := newParliament(t, sim)
	for _, order := range []string{"statusid", "statusid desc", "statusid,id desc", "statusid desc,id desc"} {
		for limit := 1; limit < 9; limit++ {
			p.compare(t, "Sag", url.Values{"$orderby": {order}}, limit)
		}
	}
}

// before returns the id of a row that stands before all pages of an order.
func before(order string, page int) int {
	if order == "id desc" {
		return 1001 + page
	}
	return 1 + page
}

// title returns a title that stands before all others in an order.
func title(order string) string {
	if order == "titel desc" {
		return "zz"
	}
	return "A"
}

// readPages reads pages of rows and does something after each. A page's last id and the
// next one's first stand together.
func readPages(t *testing.T, p *parliament, request *odata.Request, limit int, after func(page int)) (ids []string) {
	t.Helper()
	for n := 0; ; n++ {
		page, err := p.reader.Rows(t.Context(), request, limit)
		if err != nil {
			t.Fatal(err)
		}
		for i, row := range page.Rows {
			id, err := odata.Member(row.Data, "id")
			if err != nil {
				t.Fatal(err)
			}
			if i == 0 && n > 0 {
				ids[len(ids)-1] += " | " + string(id)
				continue
			}
			ids = append(ids, string(id))
		}
		if page.Next == "" {
			return ids
		}
		request.SkipToken = page.Next
		after(n)
	}
}
