package odasim

import (
	"compress/gzip"
	"encoding/xml"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// wire is a request and the exact bytes that answer it.
type wire struct {
	path    string
	options []string
	want    string
}

// checkWire compares an answer byte for byte.
func checkWire(t *testing.T, s *Server, c wire) {
	t.Helper()
	w := ask(t, s, c.path, c.options...)
	if got := w.Body.String(); got != c.want || w.Code != http.StatusOK {
		t.Errorf("GET %s %q: status %d\n got %s\nwant %s", c.path, c.options, w.Code, got, c.want)
	}
	if got := w.Header().Get("Content-Type"); got != jsonType {
		t.Errorf("Content-Type %q, want %q", got, jsonType)
	}
}

// threeVotes returns a parliament with pages of two rows, and the text of its rows.
func threeVotes(t *testing.T) (*Server, func(id, ms string) string) {
	t.Helper()
	s := newSim(Options{PageCap: 2})
	put(t, s, "Stemme", vote(1, "2014-09-09T09:05:59.653"), vote(2, "2014-09-09T09:05:59.653"), vote(3, "2014-09-09T09:05:59.7"))
	put(t, s, "Aktør", `{ "id": 12,  "navn": "Åse \"Ø\" \n", "opdateringsdato": "2014-09-11T16:37:20.137" }`)
	return s, func(id, stamp string) string {
		return `{"id":` + id + `,"typeid":1,"afstemningid":10,"aktørid":5,"opdateringsdato":"2014-09-09T09:05:59.` + stamp + `"}`
	}
}

func TestWirePages(t *testing.T) {
	t.Parallel()
	s, row := threeVotes(t)
	for claim, c := range map[string]wire{
		"a page with a small $top has no link": {
			"/Stemme",
			[]string{"$top", "1"},
			`{"odata.metadata":"https://oda.ft.dk/api/$metadata#Stemme","value":[` + row("1", "653") + `]}`,
		},
		"a full page without $top links to the rest": {
			"/Stemme", nil,
			`{"odata.metadata":"https://oda.ft.dk/api/$metadata#Stemme","value":[` + row("1", "653") + `,` + row("2", "653") +
				`],"odata.nextLink":"https://oda.ft.dk/api/Stemme?$skip=2"}`,
		},
		"the count is a string behind the metadata": {
			"/Stemme",
			[]string{"$orderby", "id desc", "$top", "1", "$inlinecount", "allpages"},
			`{"odata.metadata":"https://oda.ft.dk/api/$metadata#Stemme","odata.count":"3","value":[` + row("3", "7") + `]}`,
		},
		"$top above the cap is capped and counted down in the link": {
			"/Stemme",
			[]string{"$top", "3", "$filter", "id gt 0"},
			`{"odata.metadata":"https://oda.ft.dk/api/$metadata#Stemme","value":[` + row("1", "653") + `,` + row("2", "653") +
				`],"odata.nextLink":"https://oda.ft.dk/api/Stemme?$filter=id%20gt%200&$top=1&$skip=2"}`,
		},
		"the link counts $skip up": {
			"/Stemme",
			[]string{"$skip", "0"},
			`{"odata.metadata":"https://oda.ft.dk/api/$metadata#Stemme","value":[` + row("1", "653") + `,` + row("2", "653") +
				`],"odata.nextLink":"https://oda.ft.dk/api/Stemme?$skip=2"}`,
		},
		"the last page without $top has no link": {
			"/Stemme",
			[]string{"$skip", "1"},
			`{"odata.metadata":"https://oda.ft.dk/api/$metadata#Stemme","value":[` + row("2", "653") + `,` + row("3", "7") + `]}`,
		},
		"an empty page": {
			"/Stemme",
			[]string{"$filter", "id gt 3"},
			`{"odata.metadata":"https://oda.ft.dk/api/$metadata#Stemme","value":[]}`,
		},
		"a set without rows": {
			"/EUsag", nil,
			`{"odata.metadata":"https://oda.ft.dk/api/$metadata#EUsag","value":[]}`,
		},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			checkWire(t, s, c)
		})
	}
}

func TestWireRows(t *testing.T) {
	t.Parallel()
	s, row := threeVotes(t)
	for claim, c := range map[string]wire{
		"one entity": {
			"/Stemme(3)", nil,
			`{"odata.metadata":"https://oda.ft.dk/api/$metadata#Stemme/@Element",` + row("3", "7")[1:],
		},
		"a row is served compact, its text untouched": {
			"/Akt%C3%B8r", nil,
			`{"odata.metadata":"https://oda.ft.dk/api/$metadata#Akt%C3%B8r","value":[{"id":12,"navn":"Åse \"Ø\" \n","opdateringsdato":"2014-09-11T16:37:20.137"}]}`,
		},
		"$select keeps the row's order": {
			"/Stemme",
			[]string{"$select", "aktørid, id", "$top", "1"},
			`{"odata.metadata":"https://oda.ft.dk/api/$metadata#Stemme","value":[{"id":1,"aktørid":5}]}`,
		},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			checkWire(t, s, c)
		})
	}
}

func TestWireErrors(t *testing.T) {
	t.Parallel()
	s := newSim(Options{})
	put(t, s, "Stemme", vote(1, "2014-09-09T09:05:59.653"))
	for claim, c := range map[string]struct {
		method, target string
		status         int
		contentType    string
		body           string
	}{
		"an unknown set is a web page":           {"GET", "/api/Nope", 404, "text/html", notFoundPage},
		"a set's ASCII form is unknown":          {"GET", "/api/Aktoer", 404, "text/html", notFoundPage},
		"names are case-sensitive":               {"GET", "/api/stemme", 404, "text/html", notFoundPage},
		"outside of the service":                 {"GET", "/apiStemme", 404, "text/html", notFoundPage},
		"an unknown id has no body":              {"GET", "/api/Stemme(2)", 404, "", ""},
		"a key that is not a number has no body": {"GET", "/api/Stemme(x)", 400, "", ""},
		"bad syntax has no body":                 {"GET", "/api/Stemme?$filter=id+gt", 400, "", ""},
		"an unknown field has no body":           {"GET", "/api/Stemme?$filter=nope+eq+1", 400, "", ""},
		"a wrong type has no body":               {"GET", "/api/Stemme?$filter=id+eq+'1'", 400, "", ""},
		"an unknown order has no body":           {"GET", "/api/Stemme?$orderby=nope", 400, "", ""},
		"an unknown $select has no body":         {"GET", "/api/Stemme?$select=nope", 400, "", ""},
		"an unknown option has no body":          {"GET", "/api/Stemme?$search=x", 400, "", ""},
		"an option twice has no body":            {"GET", "/api/Stemme?$top=1&$top=2", 400, "", ""},
		"a negative $top has no body":            {"GET", "/api/Stemme?$top=-1", 400, "", ""},
		"a bad escape has no body":               {"GET", "/api/Stemme?$top=%zz", 400, "", ""},
		"a bad $inlinecount has no body":         {"GET", "/api/Stemme?$inlinecount=all", 400, "", ""},
		"writes are an OData error":              {"POST", "/api/Stemme", 501, jsonType, writeError},
		"deletes are an OData error":             {"DELETE", "/api/Stemme(1)", 501, jsonType, writeError},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			w := httptest.NewRecorder()
			s.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), c.method, c.target, nil))
			if w.Code != c.status || w.Body.String() != c.body || w.Header().Get("Content-Type") != c.contentType {
				t.Errorf("%s %s: status %d, type %q, body %q; want %d, %q, %q", c.method, c.target,
					w.Code, w.Header().Get("Content-Type"), w.Body, c.status, c.contentType, c.body)
			}
		})
	}
}

func TestEscapedDollarIsAccepted(t *testing.T) {
	t.Parallel()
	s := newSim(Options{})
	votes(t, s, map[int]string{1: "2014-09-09T09:05:59", 2: "2014-09-09T09:05:59"})
	for _, target := range []string{"/api/Stemme?$top=1&$orderby=id%20desc", "/api/Stemme?%24top=1&%24orderby=id+desc"} {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, target, nil))
		if _, got := pageOf(t, w); len(got) != 1 || got[0] != 2 {
			t.Errorf("GET %s gives ids %v, want [2]", target, got)
		}
	}
}

func TestMissingSets(t *testing.T) {
	t.Parallel()
	s := newSim(Options{EmptyMissing: true})
	if w := ask(t, s, "/EUsag"); w.Code != 404 {
		t.Errorf("an empty set with EmptyMissing: status %d, want 404", w.Code)
	}
	put(t, s, "Stemme", vote(1, "2014-09-09T09:05:59"))
	if w := ask(t, s, "/Stemme"); w.Code != 200 {
		t.Errorf("a set with rows: status %d, want 200", w.Code)
	}
	if err := s.SetMissing("Stemme", true); err != nil {
		t.Fatal(err)
	}
	if w := ask(t, s, "/Stemme(1)"); w.Code != 404 || w.Body.String() != notFoundPage {
		t.Errorf("a missing set: status %d, want 404 and the web page", w.Code)
	}
	if err := s.SetMissing("Stemme", false); err != nil {
		t.Fatal(err)
	}
	if w := ask(t, s, "/Stemme(1)"); w.Code != 200 {
		t.Errorf("a set that is back: status %d, want 200", w.Code)
	}
}

func TestUnknownFieldIgnored(t *testing.T) {
	t.Parallel()
	s := newSim(Options{IgnoreUnknownFields: true})
	votes(t, s, map[int]string{1: "2014-09-09T09:05:59", 2: "2014-09-09T09:05:59"})
	if got := ids(t, s, "Stemme", "$filter", "id eq 1 and nope eq 1"); len(got) != 2 {
		t.Errorf("ids %v, want everything", got)
	}
	if w := ask(t, s, "/Stemme", "$filter", "id eq"); w.Code != 400 {
		t.Errorf("bad syntax is still %d, want 400", w.Code)
	}
	if got := ids(t, s, "Stemme", "$filter", "id eq 1"); len(got) != 1 {
		t.Errorf("ids %v: a filter on known fields is honoured", got)
	}
}

func TestEscapedUnicode(t *testing.T) {
	t.Parallel()
	s := newSim(Options{EscapeUnicode: true})
	put(t, s, "Aktør", `{"id":1,"navn":"Ærø 😀","opdateringsdato":"2014-09-09T09:05:59"}`)
	want := `{"id":1,"navn":"\u00c6r\u00f8 \ud83d\ude00","opdateringsdato":"2014-09-09T09:05:59"}`
	if got := string(s.Row("Aktør", 1)); got != want {
		t.Errorf("row %s, want %s", got, want)
	}
	if got := ids(t, s, "Aktør", "$filter", "navn eq 'Ærø 😀'"); len(got) != 1 {
		t.Errorf("a filter on escaped text finds %v, want the row", got)
	}
}

func TestClockSetsDate(t *testing.T) {
	t.Parallel()
	at := time.Date(2019, 3, 21, 10, 0, 0, 0, time.UTC)
	s := newSim(Options{Now: func() time.Time { return at }})
	s.SetNow(at.AddDate(0, 0, 1))
	s.Advance(time.Minute)
	if got, want := ask(t, s, "/Stemme").Header().Get("Date"), "Fri, 22 Mar 2019 10:01:00 GMT"; got != want {
		t.Errorf("Date %q, want %q", got, want)
	}
}

func TestNoDate(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(newSim(Options{NoDate: true}))
	t.Cleanup(server.Close)
	if a := fetch(t, server, "/Stemme", nil); a.Header.Get("Date") != "" {
		t.Errorf("Date %q, want none", a.Header.Get("Date"))
	}
}

// fetch sends a request to a running server.
func fetch(t *testing.T, server *httptest.Server, path string, header http.Header) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+Root+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name := range header {
		r.Header.Set(name, header.Get(name))
	}
	a, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Body.Close() })
	return a
}

func TestGzip(t *testing.T) {
	t.Parallel()
	s := newSim(Options{Gzip: true})
	put(t, s, "Stemme", vote(1, "2014-09-09T09:05:59.653"))
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	plain, err := io.ReadAll(fetch(t, server, "/Stemme", http.Header{"Accept-Encoding": {"identity"}}).Body)
	if err != nil {
		t.Fatal(err)
	}
	packed := fetch(t, server, "/Stemme", http.Header{"Accept-Encoding": {"gzip"}})
	if got := packed.Header.Get("Content-Encoding"); got != "gzip" {
		t.Fatalf("Content-Encoding %q, want gzip", got)
	}
	z, err := gzip.NewReader(packed.Body)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(z); err != nil || string(got) != string(plain) {
		t.Errorf("unpacked %q (%v), want %q", got, err, plain)
	}
}

func TestServiceDocument(t *testing.T) {
	t.Parallel()
	got := ask(t, newSim(Options{}), "/").Body.String()
	for _, want := range []string{
		`{"odata.metadata":"https://oda.ft.dk/api/$metadata","value":[{"name":`,
		`{"name":"Aktør","url":"Aktør"}`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("service document lacks %s: %s", want, got)
		}
	}
	if n := strings.Count(got, `"name"`); n != 50 {
		t.Errorf("service document lists %d sets, want 50", n)
	}
}

func TestMetadata(t *testing.T) {
	t.Parallel()
	w := ask(t, newSim(Options{}), "/$metadata")
	var doc struct {
		Schemas []struct {
			Types []struct {
				Name       string `xml:"Name,attr"`
				Properties []struct {
					Name     string `xml:"Name,attr"`
					Type     string `xml:"Type,attr"`
					Nullable string `xml:"Nullable,attr"`
				} `xml:"Property"`
			} `xml:"EntityType"`
			Sets []struct {
				Name string `xml:"Name,attr"`
			} `xml:"EntityContainer>EntitySet"`
		} `xml:"DataServices>Schema"`
	}
	if err := xml.Unmarshal(w.Body.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	if len(doc.Schemas) != 2 || len(doc.Schemas[0].Types) != 50 || len(doc.Schemas[1].Sets) != 50 {
		t.Fatalf("want 50 types and 50 sets in two schemas, got %+v", doc.Schemas)
	}
	for _, e := range doc.Schemas[0].Types {
		if e.Name != "Stemme" {
			continue
		}
		p := e.Properties
		if len(p) != 5 || p[3].Name != "aktørid" || p[3].Type != "Edm.Int32" || p[3].Nullable != "false" || p[1].Nullable != "" {
			t.Errorf("Stemme is %+v", p)
		}
	}
}

func TestFormats(t *testing.T) {
	t.Parallel()
	for claim, c := range map[string]struct {
		atomDefault  bool
		accept, path string
		want         string
	}{
		"JSON for a client that names none":    {false, "", "/Stemme", jsonType},
		"Atom by default":                      {true, "", "/Stemme", atomType},
		"Atom by default for */*":              {true, "*/*", "/Stemme", atomType},
		"JSON for a client that asks for it":   {true, "application/json", "/Stemme", jsonType},
		"Atom that is asked for":               {false, "application/atom+xml", "/Stemme", atomType},
		"$format=json":                         {true, "", "/Stemme?$format=json", jsonType},
		"$format=atom":                         {false, "", "/Stemme?$format=atom", atomType},
		"an entry":                             {true, "", "/Stemme(1)", entryType},
		"the service document":                 {true, "", "/", atomSvcType},
		"metadata is XML whatever Accept says": {false, "application/json", "/$metadata", xmlType},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			s := newSim(Options{AtomDefault: c.atomDefault, PageCap: 1})
			votes(t, s, map[int]string{1: "2014-09-09T09:05:59", 2: "2014-09-09T09:05:59"})
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, Root+c.path, nil)
			r.Header.Set("Accept", c.accept)
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			if got := w.Header().Get("Content-Type"); w.Code != 200 || got != c.want {
				t.Errorf("status %d, Content-Type %q, want %q", w.Code, got, c.want)
			}
			if strings.Contains(c.want, "xml") {
				if err := xml.Unmarshal(w.Body.Bytes(), &struct{ XMLName xml.Name }{}); err != nil {
					t.Errorf("read XML: %v in %s", err, w.Body)
				}
			}
		})
	}
}

func TestAtomEntry(t *testing.T) {
	t.Parallel()
	s := newSim(Options{})
	put(t, s, "Aktør", `{"id":1,"typeid":5,"navn":"A < B","biografi":null,"opdateringsdato":"2014-09-09T09:05:59"}`)
	got := ask(t, s, "/Akt%C3%B8r", "$format", "atom").Body.String()
	for _, want := range []string{`<d:id m:type="Edm.Int32">1</d:id>`, `<d:navn>A &lt; B</d:navn>`, `<d:biografi m:null="true" />`} {
		if !strings.Contains(got, want) {
			t.Errorf("entry lacks %s: %s", want, got)
		}
	}
}
