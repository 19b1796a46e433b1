package oda

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"odastream/schema"
)

func TestElementsThatAreNotRowsAreRejects(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		element string
		want    Reject
	}{
		"null":                          {`null`, Reject{Reason: "is not a JSON object"}},
		"a number":                      {`12`, Reject{Reason: "is not a JSON object"}},
		"a text":                        {`"x"`, Reject{Reason: "is not a JSON object"}},
		"an array":                      {`[ {"id":1} ]`, Reject{Reason: "is not a JSON object"}},
		"no id":                         {`{"navn":"x"}`, Reject{Reason: "has no id, or several"}},
		"an id in other case":           {`{"Id":2}`, Reject{Reason: "has no id, or several"}},
		"two ids":                       {`{"id":2,"id":3}`, Reject{Reason: "has no id, or several"}},
		"an id that is null":            {`{"id":null}`, Reject{Reason: "has an id that is not an integer"}},
		"an id that is a text":          {`{"id":"2"}`, Reject{Reason: "has an id that is not an integer"}},
		"an id with a fraction":         {`{"id":2.0}`, Reject{Reason: "has an id that is not an integer"}},
		"an id beyond 64 bits":          {`{"id":99999999999999999999}`, Reject{Reason: "has an id that is not an integer"}},
		"a stamp with a number":         {`{"id":2,"opdateringsdato":5}`, Reject{ID: 2, Reason: "has an opdateringsdato that is not a text"}},
		"a stamp with an array":         {`{"opdateringsdato":["x"],"id":2}`, Reject{ID: 2, Reason: "has an opdateringsdato that is not a text"}},
		"a stamp with a NUL":            {`{"id":2,"opdateringsdato":"2020-01-01T08:00:00\u0000"}`, Reject{ID: 2, Reason: "has an opdateringsdato with a NUL"}},
		"a stamp with a lone surrogate": {`{"id":2,"opdateringsdato":"\udc00"}`, Reject{ID: 2, Reason: "has an opdateringsdato that is not a text"}},
		"two stamps":                    {`{"id":2,"opdateringsdato":null,"opdateringsdato":null}`, Reject{ID: 2, Reason: "has several opdateringsdato"}},
		"numbers of a gigabyte":         {`{"id":2,"v":[` + strings.Repeat("1e131071,", 12_000) + `0]}`, Reject{ID: 2, Reason: "has numbers that are too long when they are written out"}},
		"Latin-1":                       {"{\"id\":2,\"navn\":\"Bj\xf8rn\"}", Reject{ID: 2, Reason: "is not UTF-8"}},
	}
	for claim, tt := range tests {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			tt.want.Data = []byte(tt.element)
			one, three := row(1, "2014-09-09T09:05:59.653"), row(3, "2014-09-09T09:05:59.653")
			got, err := new(splitter).split([]byte(pageOf("Sag", one, tt.element, three)), &rule{window: aboveZero})
			if err != nil {
				t.Fatalf("split: %v", err)
			}
			if diff := cmp.Diff([]Reject{tt.want}, got.rejects); diff != "" {
				t.Errorf("rejects (-want +got):\n%s", diff)
			}
			if len(got.rows) != 2 || string(got.rows[0].Data) != one || string(got.rows[1].Data) != three {
				t.Errorf("rows beside it: %v, want 1 and 3", got.rows)
			}
		})
	}
}

func TestOddRowsAreRows(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ element, stamp string }{
		"unknown members":         {`{"id":2,"slettet":true,"x":{"y":[null,{"id":"no"}]}}`, ""},
		"a member twice":          {`{"id":2,"navn":"a","navn":"b"}`, ""},
		"a stamp that is empty":   {`{"id":2,"opdateringsdato":""}`, ""},
		"a stamp with an escape":  {`{"id":2,"opdateringsdato":"2014-09-09T09\u003a05:59"}`, "2014-09-09T09:05:59"},
		"a lone surrogate":        {`{"id":2,"navn":"\ud800"}`, ""},
		"a number beyond any":     {`{"id":2,"tal":1e400000}`, ""},
		"space wherever it may":   {"{ \"id\"\n:\t2 , \"opdateringsdato\" : null }", ""},
		"an escape that is a nul": {`{"id":2,"navn":"\u0000"}`, ""},
	}
	for claim, tt := range tests {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			got, err := new(splitter).split([]byte(pageOf("Sag", tt.element)), &rule{window: aboveZero})
			want := []Row{{ID: 2, Opdateringsdato: tt.stamp, Data: []byte(tt.element)}}
			if diff := cmp.Diff(want, got.rows); diff != "" || err != nil || got.rejects != nil {
				t.Errorf("split: %v, rejects %v, rows (-want +got):\n%s", err, got.rejects, diff)
			}
		})
	}
}

func TestPageIsOfItsSet(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		metadata, set string
		want          bool
	}{
		"its name":                    {"https://oda.ft.dk/api/$metadata#Sag", "Sag", true},
		"a Danish name, encoded":      {"https://oda.ft.dk/api/$metadata#Akt%C3%B8r", "Aktør", true},
		"a Danish name, literal":      {"https://oda.ft.dk/api/$metadata#Aktør", "Aktør", true},
		"a Danish name in Latin-1":    {"https://oda.ft.dk/api/$metadata#Akt%F8r", "Aktør", true},
		"with the columns":            {"https://oda.ft.dk/api/$metadata#Sag&$select=id", "Sag", true},
		"one element":                 {"https://oda.ft.dk/api/$metadata#Sag/@Element", "Sag", true},
		"another set":                 {"https://oda.ft.dk/api/$metadata#Sag", "Stemme", false},
		"a longer name":               {"https://oda.ft.dk/api/$metadata#SagAktør", "Sag", false},
		"the service's own document":  {"https://oda.ft.dk/api/$metadata", "Sag", false},
		"another Danish name":         {"https://oda.ft.dk/api/$metadata#M%C3%B8de", "Aktør", false},
		"an address that is no good":  {"%zz#Sag", "Sag", true},
		"a name that is no good":      {"x#%zz", "Sag", false},
		"a name in other case is not": {"x#sag", "Sag", false},
	}
	for claim, tt := range tests {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			if got := isMetadataOf(tt.metadata, tt.set); got != tt.want {
				t.Errorf("isMetadataOf(%q, %q) = %t", tt.metadata, tt.set, got)
			}
		})
	}
}

func TestMembersMayComeInAnyOrder(t *testing.T) {
	t.Parallel()
	body := `{"value":[{"id":1}],"odata.nextLink":"https://x","odata.count":"7","other":[{}],"odata.metadata":"x#Sag"}` + "\r\n"
	got, err := new(splitter).split([]byte(body), &rule{window: aboveZero})
	want := content{metadata: "x#Sag", count: 7, hasValue: true, rows: []Row{{ID: 1, Data: []byte(`{"id":1}`)}}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(content{})); diff != "" || err != nil {
		t.Errorf("split: %v (-want +got):\n%s", err, diff)
	}
}

func TestSplitterKeepsNothingOfThePreviousPage(t *testing.T) {
	t.Parallel()
	s := new(splitter)
	pages := []struct {
		body string
		rows int
		kind error
	}{
		{pageOf("Sag", row(1, "2014-09-09T09:05:59.653"), row(2, "")), 2, nil},
		{pageOf("Sag", row(3, ""))[:70], 0, ErrTruncated},
		{`[`, 0, ErrNotOData},
		{errorBody, 0, ErrServer},
		{pageOf("Sag"), 0, nil},
		{pageOf("Sag", `{"id":9,"opdateringsdato":""}`), 1, nil},
	}
	for i, p := range pages {
		got, err := s.split([]byte(p.body), nil)
		if len(got.rows) != p.rows || !errors.Is(err, p.kind) {
			t.Errorf("page %d: %d rows, %v, want %d, %v", i, len(got.rows), err, p.rows, p.kind)
		}
		if p.kind == nil && got.count != -1 {
			t.Errorf("page %d counts %d, want -1", i, got.count)
		}
	}
}

// FuzzSplit compares the splitter with encoding/json: it must never accept invalid
// JSON, nor lose, change or add an element.
func FuzzSplit(f *testing.F) {
	for _, fault := range []string{htmlPage, errorBody, "", "{", "[]", `{"value":[]}`} {
		f.Add([]byte(fault))
	}
	good := pageOf("Sag", row(1, "2014-09-09T09:05:59.653"), row(2, ""), `{"id":3,"id":4}`, `7`)
	f.Add([]byte(good))
	f.Add([]byte(good[:len(good)-20]))
	f.Add([]byte(strings.ReplaceAll(good, "ø", "\xf8")))
	f.Add([]byte(`{"odata.metadata":"x#Sag","odata.count":"5","value":[{"id":-1,"opdateringsdato":"\u0030"}],"odata.nextLink":"y"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		before := bytes.Clone(body)
		got, err := new(splitter).split(body, nil)
		if !bytes.Equal(before, body) {
			t.Fatal("split wrote to the body")
		}
		if err != nil {
			if _, ok := errors.AsType[*Error](err); !ok {
				t.Fatalf("split: %v is no *Error", err)
			}
			return
		}
		sameAsStandard(t, body, got)
	})
}

// sameAsStandard compares content with encoding/json's reading of the body.
func sameAsStandard(t *testing.T, body []byte, got content) {
	t.Helper()
	if !json.Valid(body) {
		t.Fatalf("accepted what is no JSON: %q", body)
	}
	var top map[string]json.RawMessage
	var elements []json.RawMessage
	if err := json.Unmarshal(body, &top); err != nil {
		t.Fatalf("accepted what is no object: %v", err)
	}
	if err := json.Unmarshal(top["value"], &elements); err != nil {
		t.Fatalf("accepted a value that is no array: %v", err)
	}
	if len(elements) != len(got.rows)+len(got.rejects) {
		t.Fatalf("%d rows and %d rejects of %d elements", len(got.rows), len(got.rejects), len(elements))
	}
	rows, rejects := got.rows, got.rejects
	for _, e := range elements {
		switch {
		case len(rows) > 0 && bytes.Equal(rows[0].Data, e):
			rows = rows[1:]
		case len(rejects) > 0 && bytes.Equal(rejects[0].Data, e):
			rejects = rejects[1:]
		default:
			t.Fatalf("element %q is neither the next row nor the next reject", e)
		}
	}
	for _, r := range got.rows {
		var m map[string]any
		dec := json.NewDecoder(bytes.NewReader(r.Data))
		dec.UseNumber()
		if err := dec.Decode(&m); err != nil {
			t.Fatalf("row %q: %v", r.Data, err)
		}
		if id, err := m["id"].(json.Number).Int64(); err != nil || id != r.ID {
			t.Fatalf("row %q has the id %d", r.Data, r.ID)
		}
		if stamp, _ := m["opdateringsdato"].(string); stamp != r.Opdateringsdato {
			t.Fatalf("row %q has the stamp %q", r.Data, r.Opdateringsdato)
		}
	}
}

// realRows returns the lines of a real capture, at most n.
func realRows(t testing.TB, capture string, n int) [][]byte {
	t.Helper()
	root := os.Getenv("ODASTREAM_REAL_ROWS")
	if root == "" {
		root = filepath.Join("..", "..", "shared", "oda")
	}
	file, err := os.Open(filepath.Join(root, "snapshots", capture+".ndjson.gz"))
	if errors.Is(err, os.ErrNotExist) {
		t.Skipf("REAL ROWS MISSING: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	var lines [][]byte
	scanner := bufio.NewScanner(unzipped)
	scanner.Buffer(nil, 1<<20)
	for len(lines) < n && scanner.Scan() {
		lines = append(lines, bytes.Clone(scanner.Bytes()))
	}
	if err := scanner.Err(); err != nil {
		t.Fatal(err)
	}
	return lines
}

// bodyOf makes a page of lines.
func bodyOf(set string, lines [][]byte) []byte {
	return []byte(pageOf(set, string(bytes.Join(lines, []byte(",")))))
}

func TestRealRowsAreReadByteForByte(t *testing.T) {
	t.Parallel()
	for _, capture := range []string{
		"2014-10/sag", "2014-10/stemme", "2014-10/afstemning", "2014-12/aktoer", "2019-03/aktoer", "2019-03/dagsordenspunkt", "2019-03/debat",
	} {
		t.Run(capture, func(t *testing.T) {
			t.Parallel()
			s, r := new(splitter), &rule{window: aboveZero, stamped: true, lo: "2000", hi: "2100"}
			lines := realRows(t, capture, 20_000)
			for at := 0; at < len(lines); at += schema.PageSize {
				want := lines[at:min(at+schema.PageSize, len(lines))]
				got, err := s.split(bodyOf("Sag", want), r)
				if err != nil || len(got.rows) != len(want) || got.rejects != nil {
					t.Fatalf("page at %d: %d rows, %d rejects, %v", at, len(got.rows), len(got.rejects), err)
				}
				for i := range want {
					if !bytes.Equal(got.rows[i].Data, want[i]) {
						t.Fatalf("row %d is %q, want %q", at+i, got.rows[i].Data, want[i])
					}
				}
			}
		})
	}
}
