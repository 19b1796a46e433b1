package odasim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// base is the service's own address in the tests' golden bytes.
const base = "https://oda.ft.dk/api"

// newSim returns a parliament whose links name oda.ft.dk.
func newSim(o Options) *Server {
	o.PublicURL = base
	return New(o)
}

// ask sends a GET with options as name, value pairs.
func ask(t *testing.T, s *Server, path string, options ...string) *httptest.ResponseRecorder {
	t.Helper()
	var query []string
	for i := 0; i < len(options); i += 2 {
		query = append(query, options[i]+"="+url.QueryEscape(options[i+1]))
	}
	target := Root + path
	if len(query) > 0 {
		target += "?" + strings.Join(query, "&")
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, target, nil)
	r.Header.Set("Accept", "application/json")
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

// answerJSON is a page as a client reads it.
type answerJSON struct {
	Metadata string            `json:"odata.metadata"`
	Count    *string           `json:"odata.count"`
	Value    []json.RawMessage `json:"value"`
	Next     string            `json:"odata.nextLink"`
}

// ids asks for a page and returns its ids.
func ids(t *testing.T, s *Server, set string, options ...string) []int64 {
	t.Helper()
	_, got := pageOf(t, ask(t, s, "/"+url.PathEscape(set), options...))
	return got
}

// pageOf reads a page and the ids on it.
func pageOf(t *testing.T, w *httptest.ResponseRecorder) (answerJSON, []int64) {
	t.Helper()
	if w.Code != http.StatusOK {
		t.Fatalf("status %d, want 200; body %q", w.Code, w.Body)
	}
	var a answerJSON
	if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil {
		t.Fatalf("read page: %v in %q", err, w.Body)
	}
	got := []int64{}
	for _, raw := range a.Value {
		var one struct{ ID int64 }
		if err := json.Unmarshal(raw, &one); err != nil {
			t.Fatal(err)
		}
		got = append(got, one.ID)
	}
	return a, got
}

// put puts rows and fails the test if one is refused.
func put(t *testing.T, s *Server, set string, rows ...string) {
	t.Helper()
	for _, data := range rows {
		if err := s.Put(set, []byte(data)); err != nil {
			t.Fatal(err)
		}
	}
}

// vote is a row of Stemme.
func vote(id int, stamp string) string {
	return fmt.Sprintf(`{"id":%d,"typeid":1,"afstemningid":10,"aktørid":5,"opdateringsdato":%q}`, id, stamp)
}

// votes fills Stemme with rows of the ids and stamps.
func votes(t *testing.T, s *Server, stamps map[int]string) {
	t.Helper()
	for id, stamp := range stamps {
		put(t, s, "Stemme", vote(id, stamp))
	}
}

// numbers returns from, from+1, … to.
func numbers(from, to int64) []int64 {
	list := []int64{}
	for n := from; n <= to; n++ {
		list = append(list, n)
	}
	return list
}
