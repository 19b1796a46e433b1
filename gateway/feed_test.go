package gateway_test

import (
	"encoding/xml"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// atom is a feed, as a reader takes it apart.
type atom struct {
	XMLName xml.Name `xml:"http://www.w3.org/2005/Atom feed"`
	ID      string   `xml:"id"`
	Title   string   `xml:"title"`
	Updated string   `xml:"updated"`
	Author  string   `xml:"author>name"`
	Links   []struct {
		Rel  string `xml:"rel,attr"`
		Href string `xml:"href,attr"`
	} `xml:"link"`
	Entries []struct {
		ID      string `xml:"id"`
		Title   string `xml:"title"`
		Updated string `xml:"updated"`
		Summary string `xml:"summary"`
		Link    struct {
			Href string `xml:"href,attr"`
		} `xml:"link"`
	} `xml:"entry"`
}

// feed requests a feed and checks what RFC 4287 requires of it.
func (r *rig) feed(path string) (f atom) {
	r.t.Helper()
	got := r.get(path)
	if got.status != http.StatusOK || got.header.Get("Content-Type") != "application/atom+xml; charset=utf-8" {
		r.t.Fatalf("GET %s = %d %s %s", path, got.status, got.header.Get("Content-Type"), got.body)
	}
	if err := xml.Unmarshal([]byte(got.body), &f); err != nil {
		r.t.Fatalf("GET %s: %v\n%s", path, err, got.body)
	}
	ids := []string{f.ID}
	if _, err := time.Parse(time.RFC3339, f.Updated); err != nil || f.Title == "" || f.Author == "" || len(f.Links) != 2 || f.Links[0].Href != base+path {
		r.t.Errorf("GET %s: %+v lacks what a feed must have: %v", path, f, err)
	}
	if alternate := r.get(f.Links[1].Href); alternate.status != http.StatusOK {
		r.t.Errorf("GET %s: the link %s answers %d", path, f.Links[1].Href, alternate.status)
	}
	for _, e := range f.Entries {
		if _, err := time.Parse(time.RFC3339, e.Updated); err != nil || e.Title == "" || e.Updated > f.Updated || !strings.HasPrefix(e.Link.Href, base) {
			r.t.Errorf("GET %s: the entry %+v lacks what it must have: %v", path, e, err)
		}
		if slices.Contains(ids, e.ID) || !strings.HasPrefix(e.ID, "tag:") {
			r.t.Errorf("GET %s: the id %q comes twice, or is none", path, e.ID)
		}
		ids = append(ids, e.ID)
		if linked := r.get(e.Link.Href); linked.status != http.StatusOK {
			r.t.Errorf("GET %s: the link %s answers %d", path, e.Link.Href, linked.status)
		}
	}
	return f
}

// change writes what a sink writes of a change.
func (r *rig) change(entity string, id, seq int64, action, before string) {
	r.t.Helper()
	r.exec(`INSERT INTO parliamentary_history (entity_type, entity_id, seq, action, changed, before)
VALUES ($1, $2, $3, $4, CASE $4 WHEN 'update' THEN '{titel,statusid}'::text[] END, $5::jsonb)`, entity, id, seq, action, before)
	r.applied(entity)
	r.refreshed()
}

func TestAFeedHasTheChangesOfItsListAndNoFirstLoad(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	lists := []string{"/v1/cases.atom", "/v1/actors.atom", "/v1/votes.atom", "/v1/documents.atom", "/v1/meetings.atom", "/v1/search.atom?q=e", "/v1/rows/Stemme.atom", "/v1/rows/akt%C3%B8r.atom", "/v1/cases/3.atom", "/v1/actors/3.atom"}
	for _, path := range lists {
		if f := r.feed(path); len(f.Entries) > 0 {
			t.Errorf("%s has %d entries after a first load", path, len(f.Entries))
		}
	}
	r.change("Sag", 3, 500, "update", `{"titel": "før"}`)
	first := r.feed("/v1/cases.atom")
	if len(first.Entries) != 1 || first.Entries[0].ID != "tag:odastream,2026:Sag/3/500" || first.Entries[0].Link.Href != base+"/v1/cases/3" ||
		first.Entries[0].Summary != "Sag 3: updated titel, statusid" || !strings.Contains(first.Entries[0].Title, r.title(3)) {
		t.Errorf("the feed is %+v", first)
	}
	r.change("Sag", 3, 501, "update", `{"titel": "før"}`)
	r.change("Sag", 4, 502, "update", `{"titel": "før"}`)
	var got []string
	for _, e := range r.feed("/v1/cases.atom").Entries {
		got = append(got, strings.TrimPrefix(e.ID, "tag:odastream,2026:"))
	}
	if want := []string{"Sag/4/502", "Sag/3/501", "Sag/3/500"}; !slices.Equal(got, want) {
		t.Errorf("the entries are %v, want %v: each version once, the newest first", got, want)
	}
	for path, want := range map[string]int{
		"/v1/cases.atom?limit=2": 2, "/v1/cases/3.atom": 2, "/v1/cases/5.atom": 0, "/v1/rows/Sag.atom": 3, "/v1/rows/sag.atom": 3, "/v1/votes.atom": 0,
		"/v1/cases.atom?q=findesikke": 0,
	} {
		if f := r.feed(path); len(f.Entries) != want {
			t.Errorf("%s has %d entries, want %d", path, len(f.Entries), want)
		}
	}
	if r.get("/v1/cases.atom").body != r.another().get("/v1/cases.atom").body {
		t.Error("two gateways give the same feed in different words")
	}
}

// title returns the title of a case.
func (r *rig) title(id int64) (title string) {
	r.t.Helper()
	err := r.asOwner().QueryRow(r.t.Context(), `SELECT data ->> 'titel' FROM parliamentary_data WHERE entity_type = 'Sag' AND entity_id = $1`, id).Scan(&title)
	if err != nil || title == "" {
		r.t.Fatalf("the title of Sag %d: %q, %v", id, title, err)
	}
	return title
}

func TestTheFeedOfAnEntityTellsOfDeletes(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	r.exec(`DELETE FROM parliamentary_data WHERE entity_type = 'Sag' AND entity_id = 3`)
	r.change("Sag", 3, 500, "delete", `{"id": 3, "titel": "Borte <b>&amp;\u0001"}`)
	f := r.feed("/v1/rows/Sag.atom")
	if len(f.Entries) != 1 || f.Entries[0].Link.Href != base+"/v1/rows/Sag/3/history" || f.Entries[0].Summary != "Sag 3: deleted" || !strings.HasPrefix(f.Entries[0].Title, "Borte <b>&amp;") {
		t.Errorf("the feed is %+v", f)
	}
}

func TestAnUnchangedFeedCostsNoQuery(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	r.change("Sag", 3, 500, "update", `{"titel": "før"}`)
	tag := r.get("/v1/cases.atom").header.Get("ETag")
	before := r.queries.Load()
	if got := r.get("/v1/cases.atom", "If-None-Match: "+tag); got.status != http.StatusNotModified || r.queries.Load() != before {
		t.Errorf("with the tag %q = %d after %d queries, want 304 and none", tag, got.status, r.queries.Load()-before)
	}
	r.change("Sag", 3, 501, "update", `{"titel": "før"}`)
	if got := r.get("/v1/cases.atom", "If-None-Match: "+tag); got.status != http.StatusOK {
		t.Errorf("after a change = %d, want 200", got.status)
	}
}

func TestFormsThatDoNotExistAreRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	for path, want := range map[string]struct {
		status int
		says   string
	}{
		"/v1/cases.xml":             {http.StatusNotFound, "nothing at"},
		"/v1/cases.ics":             {http.StatusNotFound, "nothing at"},
		"/v1/votes/3.atom":          {http.StatusNotFound, "whole number"},
		"/v1/cases/x.atom":          {http.StatusNotFound, "whole number"},
		"/v1/cases/999999.atom":     {http.StatusNotFound, "no such row"},
		"/v1/cases.atom?after=x":    {http.StatusBadRequest, "after"},
		"/v1/cases.csv?sesion=1":    {http.StatusBadRequest, "sesion"},
		"/v1/cases.csv?limit=0":     {http.StatusBadRequest, "limit"},
		"/v1/cases.csv?after=x":     {http.StatusBadRequest, "begin again"},
		"/v1/search.csv":            {http.StatusBadRequest, "q"},
		"/v1/search.atom":           {http.StatusBadRequest, "q"},
		"/v1/cases.csv?type=Ukendt": {http.StatusBadRequest, "Sagstype"},
		"/v1/rows/Sag":              {http.StatusNotFound, "/v1/rows/Sag.atom"},
		"/v1/rows/Sager.atom":       {http.StatusNotFound, "Sager"},
	} {
		got := r.get(path)
		if got.status != want.status || !strings.Contains(got.body, want.says) || got.header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s = %d %s %s, want %d and %q", path, got.status, got.header.Get("Content-Type"), got.body, want.status, want.says)
		}
	}
	for _, path := range []string{"/v1/cases.csv", "/v1/cases.atom", "/v1/meetings.ics"} {
		if got := r.get(path, "Accept: text/html"); got.status != http.StatusNotAcceptable {
			t.Errorf("%s as text/html = %d, want 406", path, got.status)
		}
	}
	if got := r.get("/v1/cases.csv?limit=" + fmt.Sprint(r.cfg.TopMax+1)); got.status != http.StatusBadRequest {
		t.Errorf("more rows than may be asked for: %d", got.status)
	}
}
