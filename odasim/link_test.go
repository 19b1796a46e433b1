package odasim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// aMeeting returns a parliament with two votes of a case, the first with three voters.
func aMeeting(t *testing.T, o Options) *Server {
	t.Helper()
	s := newSim(o)
	put(t, s, "Sag", `{"id":1,"titel":"Lov om øer","deltundersagid":2}`, `{"id":2,"titel":"Lov om told","deltundersagid":null}`)
	put(t, s, "Sagstrin", `{"id":5,"titel":"3. behandling","sagid":1}`, `{"id":6,"titel":"1. behandling","sagid":9}`)
	put(t, s, "Afstemning", `{"id":7,"sagstrinid":5,"vedtaget":true}`, `{"id":8,"sagstrinid":null,"vedtaget":false}`)
	put(t, s, "Stemme", `{"id":1,"typeid":1,"afstemningid":7}`, `{"id":2,"typeid":2,"afstemningid":7}`, `{"id":3,"typeid":1,"afstemningid":7}`)
	put(t, s, "Stemmetype", `{"id":1,"type":"For"}`, `{"id":2,"type":"Imod"}`)
	return s
}

func TestConditionsFollowLinks(t *testing.T) {
	t.Parallel()
	s := aMeeting(t, Options{})
	for _, c := range []struct {
		set, filter, order string
		want               []int64
	}{
		{"Afstemning", "Sagstrin/Sag/titel eq 'lov om øer'", "id", []int64{7}},
		{"Afstemning", "Sagstrin/sagid eq null", "id", []int64{8}},
		{"Afstemning", "Stemme/any(x: x/Stemmetype/type eq 'Imod')", "id", []int64{7}},
		{"Afstemning", "Stemme/all(x: x/typeid eq 1)", "id", []int64{8}},
		{"Sag", "DeltfraSag/titel ne null", "id", []int64{1}},
		{"Sag", "Sagerdelti/any()", "id", []int64{2}},
		{"Sag", "substringof('TOLD',titel) and length(titel) gt 3", "id", []int64{2}},
		{"Stemme", "id gt 0", "Stemmetype/type desc,id", []int64{2, 1, 3}},
		{"Stemme", "id gt 0", "typeid mul -1,id desc", []int64{2, 3, 1}},
	} {
		if diff := cmp.Diff(c.want, ids(t, s, c.set, "$filter", c.filter, "$orderby", c.order)); diff != "" {
			t.Errorf("%s, %s by %s (-want +got):\n%s", c.set, c.filter, c.order, diff)
		}
	}
	a, got := pageOf(t, ask(t, s, "/Stemme", "$filter", "Stemmetype/type eq 'For'", "$top", "1", "$skip", "1", "$inlinecount", "allpages"))
	if diff := cmp.Diff([]int64{3}, got); diff != "" || a.Count == nil || *a.Count != "2" {
		t.Errorf("the second vote for (-want +got):\n%s\nof %v, want 2", diff, a.Count)
	}
}

func TestExpandIsNestedAndCut(t *testing.T) {
	t.Parallel()
	s := aMeeting(t, Options{PageCap: 2})
	a := ask(t, s, "/Afstemning", "$expand", "Stemme,Sagstrin/Sag", "$select", "id,Sagstrin/titel,Sagstrin/Sag/titel,Stemme/id,Stemme/typeid")
	want := `{"odata.metadata":"` + base + `/$metadata#Afstemning","value":[` +
		`{"Stemme":[{"id":1,"typeid":1},{"id":2,"typeid":2}],"Stemme@odata.nextLink":"` + base + `/Afstemning(7)/Stemme?$skip=2",` +
		`"Sagstrin":{"Sag":{"titel":"Lov om øer"},"titel":"3. behandling"},"id":7},` +
		`{"Stemme":[],"Sagstrin":null,"id":8}]}`
	if diff := cmp.Diff(want, a.Body.String()); diff != "" {
		t.Errorf("expanded votes (-want +got):\n%s", diff)
	}
	one := ask(t, s, "/Afstemning(7)", "$expand", "Sagstrin", "$select", "id,Sagstrin")
	if want := `"Sagstrin":{"id":5,"titel":"3. behandling","sagid":1},"id":7}`; !strings.HasSuffix(one.Body.String(), want) {
		t.Errorf("one vote is %s, want it to end with %s", one.Body, want)
	}
}

// The link of a cut collection leads to the rest of it.
func TestRowsOfALinkArePaged(t *testing.T) {
	t.Parallel()
	s := aMeeting(t, Options{PageCap: 2})
	var first struct {
		Value []struct {
			Next string `json:"Stemme@odata.nextLink"`
		}
	}
	if err := json.Unmarshal(ask(t, s, "/Afstemning", "$expand", "Stemme", "$filter", "id eq 7").Body.Bytes(), &first); err != nil {
		t.Fatal(err)
	}
	path := strings.TrimPrefix(first.Value[0].Next, base)
	before, query, _ := strings.Cut(path, "?")
	name, value, _ := strings.Cut(query, "=")
	if _, got := pageOf(t, ask(t, s, before, name, value)); !cmp.Equal([]int64{3}, got) {
		t.Errorf("%s has rows %v, want 3", path, got)
	}
	a, got := pageOf(t, ask(t, s, "/Afstemning(7)/Stemme", "$orderby", "id desc"))
	if diff := cmp.Diff([]int64{3, 2}, got); diff != "" || a.Next != base+"/Afstemning(7)/Stemme?$orderby=id%20desc&$skip=2" {
		t.Errorf("rows of the link (-want +got):\n%s\nnext %s", diff, a.Next)
	}
	if _, got := pageOf(t, ask(t, s, "/Afstemning(8)/Stemme")); len(got) != 0 {
		t.Errorf("a vote without voters has %v", got)
	}
	for path, want := range map[string]int{
		"/Sagstrin(5)/Sag": http.StatusOK, "/Sagstrin(6)/Sag": http.StatusNotFound, "/Sagstrin(99)/Sag": http.StatusNotFound,
		"/Sag(1)/Taler": http.StatusNotFound, "/Sag/$count": http.StatusNotFound,
	} {
		if a := ask(t, s, path); a.Code != want {
			t.Errorf("%s gives %d, want %d", path, a.Code, want)
		}
	}
}

// Requests that follow links read several sets while others write them.
func TestLinksBesideWritersEnd(t *testing.T) {
	t.Parallel()
	s := aMeeting(t, Options{})
	done := make(chan error, 2)
	for range cap(done) {
		go func() {
			var err error
			for id := 10; id < 400 && err == nil; id++ {
				err = s.Put("Sag", fmt.Appendf(nil, `{"id":%d,"titel":"Lov","deltundersagid":%d}`, id, id-1))
			}
			done <- err
		}()
	}
	for range 40 {
		ids(t, s, "Sag", "$filter", "DeltfraSag/DeltfraSag/titel eq 'lov' or Sagerdelti/any()", "$expand", "DeltfraSag,Sagerdelti", "$top", "5")
	}
	for range cap(done) {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}
