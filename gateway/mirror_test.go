package gateway_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"odastream/gateway"
)

// A client of the source that changes its base address reads the same rows in the same
// order, all of them, page by page.
func TestTheMirrorAnswersLikeTheSource(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	for _, path := range []string{
		"/api/Sag",
		"/api/Sag?$inlinecount=allpages",
		"/api/Sag?%24filter=typeid+eq+3&%24orderby=opdateringsdato+desc&%24inlinecount=allpages",
		"/api/Sag?$top=7&$skip=2&$orderby=titel",
		"/api/Sag?$select=id,titel&$expand=Sagstrin",
		"/api/Sag?$filter=substringof('lov',titel)&&",
		"/api/Akt%C3%B8r?$filter=substringof('en',navn)&$orderby=efternavn,fornavn",
		"/api/Akt%F8r?$top=3",
		"/api/Afstemning?$expand=Stemme/Akt%C3%B8r,M%C3%B8de&$top=5",
		"/api/Sag(3)/Sagstrin?$orderby=dato%20desc&$inlinecount=allpages",
		"/api/Stemme?$filter=afstemningid%20eq%203%20or%20afstemningid%20eq%205&$top=400",
	} {
		want := r.source(path)
		rows, count := r.all(path)
		if diff := cmp.Diff(texts(want.Value), rows); diff != "" {
			t.Errorf("%s (-source +mirror):\n%s", path, diff)
		}
		if first := r.page(path); count != want.Count || first.Metadata != want.Metadata {
			t.Errorf("%s: count %q of %s, want %q of %s", path, count, first.Metadata, want.Count, want.Metadata)
		}
	}
}

func texts(rows []json.RawMessage) (list []string) {
	for _, row := range rows {
		list = append(list, string(row))
	}
	return list
}

func TestEachKindOfResourceIsAnswered(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	r.exec(`UPDATE parliamentary_data SET data = data || '{"titel": "Lov om \"ål\"", "resume": null, "nyt": [1]}' WHERE entity_type = 'Sag' AND entity_id = 3`)
	for path, want := range map[string]string{
		"/api/Sag(3)?$select=id,titel":                   `{"odata.metadata":"https://oda.example.org/api/$metadata#Sag/@Element","id":3,"titel":"Lov om \"ål\""}`,
		"/api/Sag(3)/titel":                              `{"odata.metadata":"https://oda.example.org/api/$metadata#Edm.String","value":"Lov om \"ål\""}`,
		"/api/Sag(3)/resume":                             `{"odata.metadata":"https://oda.example.org/api/$metadata#Edm.String","value":null}`,
		"/api/Sag(3)/titel/$value":                       `Lov om "ål"`,
		"/api/Sag(3)/id/$value":                          "3",
		"/api/Akt%C3%B8r/$count?$filter=id le 2":         "2",
		"/api/Sag?$filter=id eq 0":                       `{"odata.metadata":"https://oda.example.org/api/$metadata#Sag","value":[]}`,
		"/api/Sag?$filter=id eq 0&$inlinecount=allpages": `{"odata.metadata":"https://oda.example.org/api/$metadata#Sag","odata.count":"0","value":[]}`,
	} {
		got := r.get(strings.ReplaceAll(path, " ", "%20"))
		if got.status != http.StatusOK || got.body != want {
			t.Errorf("GET %s = %d %s, want %s", path, got.status, got.body, want)
		}
	}
	if got := r.get("/api/$metadata"); got.status != http.StatusOK || !strings.HasPrefix(got.header.Get("Content-Type"), "application/xml") || !strings.Contains(got.body, `<EntityType Name="Sag">`) {
		t.Errorf("GET $metadata = %d %s %.200s", got.status, got.header.Get("Content-Type"), got.body)
	}
	for _, path := range []string{"/api", "/api/"} {
		var service struct{ Value []struct{ Name, URL string } }
		if err := json.Unmarshal([]byte(r.get(path).body), &service); err != nil || len(service.Value) != 50 || service.Value[0].Name != "Afstemning" {
			t.Errorf("GET %s: %v, %d sets", path, err, len(service.Value))
		}
	}
	var row map[string]any
	if err := json.Unmarshal([]byte(r.get("/api/Sag(3)").body), &row); err != nil || row["nyt"] == nil {
		t.Errorf("GET Sag(3) = %v, %v; want the member that the schema does not know too", row, err)
	}
}

// Each error names what is wrong, where, and what is allowed there.
func TestErrorsNameWhatIsWrong(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	for _, c := range []struct {
		path   string
		status int
		says   []string
	}{
		{"/api/Sager", 404, []string{"Sager", "Sag"}},
		{"/api/Sag(999999999)", 404, []string{"no such row"}},
		{"/api/Sag(1)/Sagstrinx", 404, []string{"Sagstrinx"}},
		{"/api/Sag(3)/statsbudgetsag/$value", 200, nil},
		{"/api/Sag?$filter=navn%20eq%20'x'", 400, []string{"$filter at character 1", "navn", "allowed", "titel"}},
		{"/api/Sag?$filter=id%20eq%20'x'", 400, []string{"$filter at character"}},
		{"/api/Sag?$filter=contains(titel,'x')", 400, []string{"contains", "substringof"}},
		{"/api/Sag?$top=-1", 400, []string{"$top", "-1"}},
		{"/api/Sag?$batch=1", 400, []string{"$batch"}},
		{"/api/Sag?$skiptoken=x", 400, []string{"$skiptoken"}},
		{"/api/Sag?$format=atom", 406, []string{"$format=json"}},
		{"/api/Sag?asof=gestern", 400, []string{"asof", "gestern"}},
	} {
		got := r.get(c.path)
		if got.status != c.status {
			t.Errorf("GET %s = %d %s, want %d", c.path, got.status, got.body, c.status)
			continue
		}
		if c.status == 200 {
			continue
		}
		var body struct {
			Error struct {
				Code    string
				Message struct{ Lang, Value string }
			} `json:"odata.error"`
		}
		if err := json.Unmarshal([]byte(got.body), &body); err != nil || body.Error.Message.Lang != "en-US" {
			t.Errorf("GET %s says %s, which is no OData error", c.path, got.body)
		}
		for _, want := range c.says {
			if !strings.Contains(body.Error.Message.Value, want) {
				t.Errorf("GET %s says %q, want %q in it", c.path, body.Error.Message.Value, want)
			}
		}
		if got.header.Get("Cache-Control") != "no-store" || got.header.Get("ETag") != "" {
			t.Errorf("GET %s may be kept: %v", c.path, got.header)
		}
	}
}

// A page without $top has 100 rows. $top is honoured up to the operator's limit, and where
// it is cut, the link goes on to the rest of what was asked for.
func TestPagesAreAsLongAsIsAsked(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *gateway.Config) { c.TopMax = 150 })
	total, _ := r.all("/api/Stemme")
	if len(total) < 500 {
		t.Fatalf("there are %d rows, want 500 for this test", len(total))
	}
	for path, want := range map[string][]int{
		"/api/Stemme?$filter=id%20lt%20250":   {100, 100, 49},
		"/api/Stemme?$top=120":                {120},
		"/api/Stemme?$top=150":                {150},
		"/api/Stemme?$top=370":                {150, 150, 70},
		"/api/Stemme?$top=0":                  {0},
		"/api/Stemme?$top=120&$skip=10000000": {0},
	} {
		var lengths []int
		for next := path; next != ""; {
			p := r.page(next)
			lengths, next = append(lengths, len(p.Value)), p.Next
			if next != "" && !strings.HasPrefix(next, base+"/api/Stemme?") {
				t.Fatalf("%s goes on at %s", path, next)
			}
		}
		if diff := cmp.Diff(want, lengths); diff != "" {
			t.Errorf("pages of %s (-want +got):\n%s", path, diff)
		}
	}
}

// Whatever stands in a query: the link to the next page is an address, inside JSON that
// can be read, and asks for the same.
func TestNextLinksKeepTheQuery(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	for _, rawQuery := range []string{
		"$filter=id%20ne%207&$orderby=id",
		"%24filter=id+ne+7+or+%27a%22b%5C%27+eq+%27b%27&mine=%22",
		"$filter='a' ne 'æ'&x=\"<>",
		"&&$filter=id%20ne%20null&",
		"?$filter='a'%20ne%20'%26%3D'",
	} {
		req := strings.ReplaceAll(rawQuery, " ", "%20")
		first := r.page("/api/Akt%C3%B8rAkt%C3%B8r?" + req)
		if first.Next == "" {
			t.Errorf("%s: there is no next page", rawQuery)
			continue
		}
		next, err := url.Parse(first.Next)
		if err != nil {
			t.Errorf("%s goes on at %s: %v", rawQuery, first.Next, err)
			continue
		}
		rows, _ := r.all("/api/Akt%C3%B8rAkt%C3%B8r?" + req)
		if want := r.source("/api/Akt%C3%B8rAkt%C3%B8r?" + strings.TrimLeft(req, "?&")).Value; len(rows) != len(want) {
			t.Errorf("%s: %d rows by %s, want %d", rawQuery, len(rows), next, len(want))
		}
	}
}
