package odata_test

import (
	"errors"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"odastream/odata"
	"odastream/schema"
)

// vote is a row as Postgres writes it, and what its links lead to.
func vote() odata.Element {
	return odata.Element{
		Data: []byte(`{"id": 7, "ukendt": {"a": [1, 2]}, "typeid": null, "vedtaget": true, "konklusion": "For stemte \"S\", æøå", "opdateringsdato": "2014-10-31T12:00:00"}`),
		Linked: [][]odata.Element{
			{{Data: []byte(`{"id": 1, "typeid": 1}`)}, {Data: []byte(`{"typeid": 2, "id": 2}`)}},
			{{Data: []byte(`{"id": 5, "titel": "3. behandling"}`), Linked: [][]odata.Element{{{Data: []byte(`{"titel": "Lov", "id": 1}`)}}}}},
		},
	}
}

// shapeOf returns the shape that a query of votes asks for.
func shapeOf(t *testing.T, query url.Values) *odata.Request {
	t.Helper()
	r, err := model.Parse("Afstemning", query.Encode())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestElementsAreWrittenInTheOrderOfMetadata(t *testing.T) {
	t.Parallel()
	const expand = "Stemme,Sagstrin/Sag"
	for claim, c := range map[string]struct {
		query url.Values
		row   odata.Element
		want  string
	}{
		"all fields, unknown ones behind them": {
			url.Values{},
			odata.Element{Data: vote().Data},
			`{"id":7,"konklusion":"For stemte \"S\", æøå","vedtaget":true,"typeid":null,"opdateringsdato":"2014-10-31T12:00:00","ukendt":{"a": [1, 2]}}`,
		},
		"selected fields alone, missing ones left out": {
			url.Values{"$select": {"vedtaget,id,kommentar"}},
			odata.Element{Data: vote().Data},
			`{"id":7,"vedtaget":true}`,
		},
		"links before the fields": {
			url.Values{"$expand": {expand}, "$select": {"id,Stemme/typeid,Sagstrin/Sag/titel"}},
			vote(),
			`{"Stemme":[{"typeid":1},{"typeid":2}],"Sagstrin":{"Sag":{"titel":"Lov"}},"id":7}`,
		},
		"links that lead nowhere": {
			url.Values{"$expand": {expand}, "$select": {"id"}},
			odata.Element{Data: vote().Data, Linked: [][]odata.Element{nil, nil}},
			`{"Stemme":[],"Sagstrin":null,"id":7}`,
		},
		"an empty row": {
			url.Values{},
			odata.Element{Data: []byte(`{}`)},
			`{}`,
		},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			r := shapeOf(t, c.query)
			got, err := odata.AppendElement([]byte("before "), c.row, r.Entity, r.Shape, 1<<20)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff("before "+c.want, string(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestABrokenElementIsAnError(t *testing.T) {
	t.Parallel()
	r := shapeOf(t, url.Values{"$expand": {"Sagstrin"}})
	for claim, row := range map[string]odata.Element{
		"no object":            {Data: []byte(`[1]`), Linked: [][]odata.Element{nil}},
		"nothing":              {Linked: [][]odata.Element{nil}},
		"an object cut short":  {Data: []byte(`{"id":`), Linked: [][]odata.Element{nil}},
		"a broken linked row":  {Data: []byte(`{}`), Linked: [][]odata.Element{{{Data: []byte(`{"id"}`)}}}},
		"a name that is open":  {Data: []byte(`{"id`), Linked: [][]odata.Element{nil}},
		"a value that is none": {Data: []byte(`{"id":x}`), Linked: [][]odata.Element{nil}},
	} {
		if got, err := odata.AppendElement(nil, row, r.Entity, r.Shape, 1<<20); err == nil {
			t.Errorf("%s is written %s, want an error", claim, got)
		}
	}
}

func TestMemberReturnsOneValue(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{"id": "7", "typeid": "null", "ukendt": `{"a": [1, 2]}`, "ikke der": ""} {
		got, err := odata.Member(vote().Data, name)
		if err != nil || string(got) != want {
			t.Errorf("Member(%s) = %s, %v; want %s", name, got, err, want)
		}
	}
	if got, err := odata.Member([]byte(`"x"`), "id"); err == nil {
		t.Errorf("Member of a text = %s, want an error", got)
	}
}

// Rows that many others lead to are written for each of them, so a few rows can make an
// answer of any size.
func TestAnElementHasALargestSize(t *testing.T) {
	t.Parallel()
	r, err := odata.NewModel(schema.Entities()).Parse("Møde", "$expand=Afstemning/Møde/Afstemning")
	if err != nil {
		t.Fatal(err)
	}
	many := slices.Repeat([]odata.Element{{Data: []byte(`{"id":1}`)}}, 300)
	meeting := odata.Element{Data: []byte(`{"id":1}`), Linked: [][]odata.Element{many}}
	votes := slices.Repeat([]odata.Element{{Data: []byte(`{"id":1}`), Linked: [][]odata.Element{{meeting}}}}, 300)
	row := odata.Element{Data: []byte(`{"id":1}`), Linked: [][]odata.Element{votes}}
	const most = 100_000
	if got, err := odata.AppendElement(nil, row, r.Entity, r.Shape, most); !errors.Is(err, odata.ErrTooLarge) {
		t.Errorf("%d bytes, %v; want an error above %d", len(got), err, most)
	}
	got, err := odata.AppendElement(nil, row, r.Entity, r.Shape, 10*most)
	if err != nil || len(got) < 300*300*len(`{"id":1}`) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

// BenchmarkAppendElement writes a row as Postgres stores it.
func BenchmarkAppendElement(b *testing.B) {
	request, err := odata.NewModel(schema.Entities()).Parse("Sag", "")
	if err != nil {
		b.Fatal(err)
	}
	row := odata.Element{Data: []byte(`{"id": 1, "titel": "` + strings.Repeat("Forslag til lov ", 5) + `", "nummer": "L 1", "resume": "` + strings.Repeat("a ", 200) +
		`", "typeid": 3, "statusid": 2, "periodeid": 3, "titelkort": "kort", "opdateringsdato": "2020-01-01T10:00:00"}`)}
	b.SetBytes(int64(len(row.Data)))
	b.ReportAllocs()
	var dst []byte
	for b.Loop() {
		if dst, err = odata.AppendElement(dst[:0], row, request.Entity, request.Shape, 1<<20); err != nil {
			b.Fatal(err)
		}
	}
}
