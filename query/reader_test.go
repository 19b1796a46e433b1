package query_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgxpool"
	"pgregory.net/rapid"

	"odastream/internal/test/conditions"
	"odastream/internal/test/copied"
	"odastream/odasim"
	"odastream/odata"
	"odastream/query"
	"odastream/schema"
)

// parliament is a simulated parliament and the copy of its rows. The one evaluates
// requests in memory, the other in Postgres.
type parliament struct {
	pool   *pgxpool.Pool
	sim    *odasim.Server
	reader *query.Reader
	model  *odata.Model
}

// simulated returns a parliament with generated rows.
func simulated(t *testing.T, scale float64) *parliament {
	t.Helper()
	sim := odasim.New(odasim.Options{PageCap: math.MaxInt32, Compare: odasim.CompareText, PublicURL: "https://oda.ft.dk/api"})
	sim.Generate(7, scale)
	return newParliament(t, sim)
}

// newParliament copies the rows of a simulated parliament.
func newParliament(t *testing.T, sim *odasim.Server) *parliament {
	t.Helper()
	pool := copied.Rows(t, sim, nil)
	return &parliament{pool, sim, query.NewReader(pool), odata.NewModel(schema.Entities())}
}

// answer is a page as OData writes it.
type answer struct {
	Count string            `json:"odata.count"`
	Value []json.RawMessage `json:"value"`
}

// inMemory returns what the simulated parliament answers.
func (p *parliament) inMemory(ctx context.Context, path, rawQuery string) (a answer, err error) {
	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, odasim.Root+"/"+path+"?"+rawQuery, nil)
	r.Header.Set("Accept", "application/json")
	p.sim.ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		return a, fmt.Errorf("status %d", w.Code)
	}
	return a, json.Unmarshal(w.Body.Bytes(), &a)
}

// fromCopy returns what the copy answers, page by page.
func (p *parliament) fromCopy(ctx context.Context, path, rawQuery string, limit int) (a answer, err error) {
	request, err := p.model.Parse(path, rawQuery)
	if err != nil {
		return a, err
	}
	left := int64(math.MaxInt64)
	if request.Top != nil {
		left = *request.Top
	}
	for {
		page, err := p.reader.Rows(ctx, request, int(min(int64(limit), left)))
		if err != nil {
			return a, err
		}
		if request.Count {
			a.Count = strconv.FormatInt(page.Count, 10)
		}
		for _, row := range page.Rows {
			text, err := odata.AppendElement(nil, row, request.Entity, request.Shape, 1<<20)
			if err != nil {
				return a, err
			}
			a.Value = append(a.Value, text)
		}
		left -= int64(len(page.Rows))
		if page.Next == "" || left == 0 {
			return a, nil
		}
		request.SkipToken, request.Skip = page.Next, 0
	}
}

// failer is a *testing.T or a *rapid.T.
type failer interface {
	Fatalf(format string, args ...any)
	Helper()
	Context() context.Context
}

// compare fails unless copy and memory give the same answer to a request.
func (p *parliament) compare(t failer, path string, options url.Values, limit int) {
	t.Helper()
	rawQuery := options.Encode()
	want, err := p.inMemory(t.Context(), path, rawQuery)
	if err != nil {
		t.Fatalf("%s %v in memory: %v", path, options, err)
	}
	got, err := p.fromCopy(t.Context(), path, rawQuery, limit)
	if err != nil {
		t.Fatalf("%s %v from the copy: %v", path, options, err)
	}
	if diff := cmp.Diff(texts(want), texts(got)); diff != "" {
		t.Fatalf("%s %v (-memory +copy):\n%s", path, options, diff)
	}
}

// texts returns an answer as texts.
func texts(a answer) []string {
	list := []string{"count " + a.Count}
	for _, row := range a.Value {
		list = append(list, string(row))
	}
	return list
}

func TestTheCopyAnswersLikeTheSource(t *testing.T) {
	t.Parallel()
	p := simulated(t, 0.02)
	for _, c := range []struct{ path, filter, order, others string }{
		{"Sag", "", "", ""},
		{"Sag", "", "", "$skip=1&$top=5"},
		{"Sag", "", "id", "$skip=17&$expand=Periode"},
		{"Sag", "", "id desc", "$skip=3&$top=4&$inlinecount=allpages"},
		{"Sag", "", "", "$skip=9000000000"},
		{"Sag(3)/Sagstrin", "", "", "$skip=1"},
		{"Sag", "id gt 5", "id desc", "$inlinecount=allpages"},
		{"Sag", "typeid eq 3 or typeid eq 5 or id eq 7", "opdateringsdato desc", "$top=7&$skip=2&$inlinecount=allpages"},
		{"Sag", "substringof('LOV',titel) and not (statusid eq null)", "titel", ""},
		{"Sag", "titel eq null or startswith(titel,'for') eq true", "Periode/kode desc,titel desc", "$expand=Periode,Sagstrin/Sagstrinstype"},
		{"Sag", "Sagstrin/any(s:s/Afstemning/any(a:a/vedtaget eq true))", "", "$expand=Sagstrin/Afstemning&$select=id,titel,Sagstrin/Afstemning/vedtaget"},
		{"Sag", "Sagstrin/all(s:s/typeid lt 3)", "Sagskategori/kategori,id desc", ""},
		{"Afstemning", "Møde/Periode/id gt 0 and year(opdateringsdato) ge 2000", "Sagstrin/Sag/titel", "$expand=Stemme/Aktør,Møde"},
		{"Stemme", "typeid eq 1", "Aktør/navn", "$top=50&$expand=Afstemning/Sagstrin/Sag"},
		{"Aktør", "typeid eq 5 and substringof('en',navn)", "efternavn,fornavn", "$expand=FraAktørAktør/TilAktør,TilAktørAktør"},
		{"Sag(3)/Sagstrin", "", "dato desc", "$expand=Sag"},
		{"Sag(3)/Periode/Møde", "", "", "$inlinecount=allpages"},
		{"Dokument", "", "spørgsmålsid desc", ""},
		{"Dokument", "not (spørgsmålsid gt 0)", "spørgsmålsid", ""},
		{"Dokument", "spørgsmålsid ne null", "", "$expand=Fil,SpørgsmålsDokument,SvarDokumenter"},
	} {
		options, err := url.ParseQuery(c.others)
		if err != nil {
			t.Fatal(err)
		}
		for name, text := range map[string]string{"$filter": c.filter, "$orderby": c.order} {
			if text != "" {
				options.Set(name, text)
			}
		}
		for _, limit := range []int{3, 1000} {
			p.compare(t, c.path, options, limit)
		}
	}
}

// leaves are expressions of generated rows of Sag.
func leaves() conditions.Leaves {
	return conditions.Leaves{
		odata.Bool:   {"true", "false", "null", "statsbudgetsag", "Sagstrin/any()", "Periode/Møde/any()"},
		odata.Int:    {"0", "1", "-1", "9223372036854775807", "-9223372036854775808", "id", "statusid", "typeid", "Periode/id", "deltundersagid", "null"},
		odata.Number: {"0.5", "-2.5", "1000000.25", "3.0d", "null"},
		odata.Text:   {"''", "'Ø'", "'a''b'", "'lov'", `'\.*['`, "titel", "Periode/kode", "Sagstype/type", "lovnummer", "null"},
		odata.Time:   {"datetime'2014-10-31'", "datetime'0001-01-01T00:00:00.000001'", "opdateringsdato", "afgørelsesdato", "Periode/startdato", "null"},
	}
}

// Whatever is asked, in pages of any size, the copy answers what evaluation in memory
// gives.
func TestAnyRequestIsAnsweredLikeInMemory(t *testing.T) {
	t.Parallel()
	p := simulated(t, 0.02)
	rapid.Check(t, func(rt *rapid.T) {
		options := url.Values{}
		depth := func() int { return rapid.IntRange(0, 3).Draw(rt, "depth") }
		options.Set("$filter", leaves().Draw(rt, odata.Bool, depth()))
		var keys []string
		for range rapid.IntRange(0, 2).Draw(rt, "keys") {
			typ := rapid.SampledFrom([]odata.Type{odata.Bool, odata.Int, odata.Number, odata.Text, odata.Time}).Draw(rt, "type")
			keys = append(keys, leaves().Draw(rt, typ, depth())+rapid.SampledFrom([]string{"", " desc"}).Draw(rt, "direction"))
		}
		if len(keys) > 0 {
			options.Set("$orderby", strings.Join(keys, ","))
		}
		if rapid.Bool().Draw(rt, "counted") {
			options.Set("$inlinecount", "allpages")
		}
		options.Set("$select", "id,titel")
		p.compare(rt, "Sag", options, rapid.SampledFrom([]int{1, 7, 5000}).Draw(rt, "limit"))
	})
}

// Years are compared as the bounds of times.
func TestYearsAreComparedLikeInMemory(t *testing.T) {
	t.Parallel()
	sim := odasim.New(odasim.Options{PageCap: 1000, Compare: odasim.CompareText})
	for id, date := range []string{`"2013-12-31T23:59:59.997"`, `"2014-01-01T00:00:00"`, `"2014-12-31T23:59:59.997"`, `"2015-01-01T00:00:00"`, `null`, `"0001-01-01T00:00:00"`} {
		if err := sim.Put("Sag", fmt.Appendf(nil, `{"id":%d,"afgørelsesdato":%s}`, id+1, date)); err != nil {
			t.Fatal(err)
		}
	}
	p := newParliament(t, sim)
	for _, op := range []string{"eq", "ne", "gt", "ge", "lt", "le"} {
		for _, form := range []string{"year(afgørelsesdato) %s %d", "%[2]d %[1]s year(afgørelsesdato)", "not (year(afgørelsesdato) %s %d)"} {
			for _, year := range []int{-1, 0, 1, 2, 2013, 2014, 2015, 9998, 9999, 10000} {
				p.compare(t, "Sag", url.Values{"$filter": {fmt.Sprintf(form, op, year)}}, 1000)
			}
		}
	}
}

// Two subqueries that refer to outer rows alone, one in the other, are evaluated for each
// outer row: Postgres 15 would keep the inner one's first result.
func TestNestedConditionsOfOuterRows(t *testing.T) {
	t.Parallel()
	p := simulated(t, 0.02)
	for _, filter := range []string{
		"not (Sagstrin/all(s:Sagstrin/any(u:Periode/Møde/any())))",
		"Sagstrin/any(s:Sagstrin/all(u:Periode/Møde/any()))",
		"Sagstrin/any(s:Sagstrin/any(u:(Periode/id add 1) sub 1 eq 9))",
	} {
		p.compare(t, "Sag", url.Values{"$filter": {filter}}, 1000)
	}
}

func TestATokenOfAnotherRequestIsRefused(t *testing.T) {
	t.Parallel()
	p := simulated(t, 0.02)
	for _, token := range []string{"x", "!", base64.RawURLEncoding.EncodeToString([]byte(`["1"]`)), base64.RawURLEncoding.EncodeToString([]byte(`["1","2","3"]`))} {
		request, err := p.model.Parse("Sag", "$orderby=titel&$skiptoken="+token)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.reader.Rows(t.Context(), request, 10); !errors.Is(err, query.ErrToken) {
			t.Errorf("token %s gives %v, want ErrToken", token, err)
		}
	}
	// One of a value that its key cannot have is found by Postgres.
	request, err := p.model.Parse("Sag", "$orderby=typeid&$skiptoken="+base64.RawURLEncoding.EncodeToString([]byte(`["x","1"]`)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.reader.Rows(t.Context(), request, 10); !errors.Is(err, query.ErrNoValue) {
		t.Errorf("a token of another type gives %v, want ErrNoValue", err)
	}
}

func TestRowsAreOneOrNone(t *testing.T) {
	t.Parallel()
	p := simulated(t, 0.02)
	for path, want := range map[string]error{
		"Sag(1)": nil, "Sag(99999)": query.ErrNoRow, "Sag(1)/Periode": nil, "Sag(99999)/Periode": query.ErrNoRow, "Sag(1)/DeltfraSag/Periode": query.ErrNoRow,
	} {
		request, err := p.model.Parse(path, "$expand=Sagstrin")
		if strings.HasSuffix(path, "Periode") {
			request, err = p.model.Parse(path, "$expand=Sag")
		}
		if err != nil {
			t.Fatal(err)
		}
		row, err := p.reader.Row(t.Context(), request)
		if !errors.Is(err, want) || err == nil && (len(row.Data) == 0 || len(row.Linked[0]) == 0) {
			t.Errorf("%s gives %s with %d linked, %v; want %v", path, row.Data, len(row.Linked), err, want)
		}
	}
	request, err := p.model.Parse("Sag/$count", "$filter=id%20gt%203")
	if err != nil {
		t.Fatal(err)
	}
	if n, err := p.reader.Count(t.Context(), request); err != nil || n != int64(p.sim.Len("Sag")-3) {
		t.Errorf("Count gives %d, %v; want %d", n, err, p.sim.Len("Sag")-3)
	}
}

// A number that has no value for some row is the request's fault, and named as such.
func TestAnExpressionWithoutAValueIsNamed(t *testing.T) {
	t.Parallel()
	p := simulated(t, 0.02)
	request, err := p.model.Parse("Sag", "$filter="+url.QueryEscape("(1e308 mul 10.0) gt id"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.reader.Rows(t.Context(), request, 10); !errors.Is(err, query.ErrNoValue) {
		t.Errorf("Rows gives %v, want ErrNoValue", err)
	}
}

// A request that one statement answers is one round trip. All statements of another are of
// one moment.
func TestOneStatementNeedsNoTransaction(t *testing.T) {
	t.Parallel()
	p := simulated(t, 0.05)
	reader, s := p.counted(t)
	for path, want := range map[string][2]int64{ // statements, and those of transactions
		"Sag(3)": {1, 0}, "Sag(3)/titel": {1, 0}, "Sag?$filter=typeid gt 1&$top=5": {1, 0}, "Sag/$count": {1, 0},
		"Sag(3)?$expand=Sagstrin": {2, 2}, "Sag?$expand=Sagstrin": {2, 2}, "Sag?$inlinecount=allpages": {2, 2}, "Sag(3)/Sagstrin": {2, 2},
		"Sag(3)?asof=2100-01-01T00:00:00Z": {2, 2},
	} {
		path, query, _ := strings.Cut(path, "?")
		request, err := p.model.Parse(path, query)
		if err != nil {
			t.Fatal(err)
		}
		s.n.Store(0)
		s.bracket.Store(0)
		switch request.Kind {
		case odata.Count:
			_, err = reader.Count(t.Context(), request)
		case odata.Rows:
			_, err = reader.Rows(t.Context(), request, 100)
		default:
			_, err = reader.Row(t.Context(), request)
		}
		if got := [2]int64{s.n.Load(), s.bracket.Load()}; err != nil || got != want {
			t.Errorf("%s?%s: %v statements and brackets, %v, want %v", path, query, got, err, want)
		}
	}
}
