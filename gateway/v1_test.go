package gateway_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// object returns the JSON object that a path answers with.
func (r *rig) object(path string) (o map[string]any) {
	r.t.Helper()
	got := r.get(path)
	if got.status != http.StatusOK {
		r.t.Fatalf("GET %s = %d %s", path, got.status, got.body)
	}
	if err := json.Unmarshal([]byte(got.body), &o); err != nil {
		r.t.Fatalf("GET %s: %v", path, err)
	}
	return o
}

// Whatever the API answers is as its description says, and the description is made of the
// same routes: every one of them is asked.
func TestEveryAnswerIsAsTheDescriptionSays(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	r.exec(`INSERT INTO parliamentary_history (entity_type, entity_id, seq, action, changed, before, after)
VALUES ('Sag', 3, 2, 'update', '{titel}', '{"titel": "a"}', '{"titel": "b"}')`)
	description := r.object("/v1/openapi.json")
	if description["openapi"] != "3.1.0" {
		t.Fatalf("openapi = %v", description["openapi"])
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("openapi.json", description); err != nil {
		t.Fatal(err)
	}
	paths := description["paths"].(map[string]any)
	if len(paths) < 14 {
		t.Errorf("%d paths are described, want all", len(paths))
	}
	fill := strings.NewReplacer("{id}", "3", "{entity}", "Sag")
	for _, streamed := range []string{"/v1/changes", "/v1/export/{file}", "/v1/cases.{form}", "/v1/meetings.{form}", "/v1/cases/{id}.atom", "/v1/rows/{entity}.atom"} {
		if paths[streamed] == nil {
			t.Errorf("%s is not described", streamed)
		}
	}
	for path := range paths {
		if strings.Contains(path, ".{form}") || strings.HasSuffix(path, ".atom") || path == "/v1/export/{file}" {
			continue // it is no JSON
		}
		pointer := "openapi.json#/paths/" + strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D").Replace(path) +
			"/get/responses/200/content/application~1json/schema"
		schema, err := compiler.Compile(pointer)
		if err != nil {
			t.Errorf("the schema of %s: %v", path, err)
			continue
		}
		if path == "/v1/changes" {
			continue // it has tests of its own
		}
		if schema.Validate([]any{}) == nil {
			t.Errorf("the schema of %s takes anything", path)
		}
		asked := fill.Replace(path)
		if path == "/v1/search" {
			asked += "?q=lov"
		}
		if err := schema.Validate(any(r.object(asked))); err != nil {
			t.Errorf("GET %s: %v", asked, err)
		}
	}
}

// Lists are read to their end by next, without a double.
func TestListsGoOnAtNext(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	for _, noun := range []string{"cases", "actors", "votes", "documents", "meetings"} {
		seen := map[float64]bool{}
		path, pages := "/v1/"+noun+"?limit=3", 0
		for path != "" {
			pages++
			page := r.object(path)
			for _, item := range page["items"].([]any) {
				id := item.(map[string]any)["id"].(float64)
				if seen[id] {
					t.Errorf("%s: %v comes twice", noun, id)
				}
				seen[id] = true
			}
			next, _ := page["next"].(string)
			if next != "" && !strings.Contains(r.get(path).header.Get("Link"), "<"+next+">") {
				t.Errorf("%s: the header does not link to %s", path, next)
			}
			path = next
		}
		whole := r.object("/v1/" + noun + "?limit=1000")["items"].([]any)
		if len(seen) != len(whole) || pages < 2 {
			t.Errorf("%s: %d items in %d pages, and %d at once", noun, len(seen), pages, len(whole))
		}
	}
}

func TestAVoteIsCountedByParty(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	first := r.object("/v1/votes?limit=1")["items"].([]any)[0].(map[string]any)
	id := json.Number(strings.TrimSuffix(jsonText(t, first["id"]), ".0"))
	vote := r.object("/v1/votes/" + string(id))
	members, parties := vote["members"].([]any), vote["parties"].([]any)
	sum := 0.0
	for _, p := range parties {
		for _, how := range []string{"for", "against", "absent", "neither"} {
			sum += p.(map[string]any)[how].(float64)
		}
	}
	if len(members) == 0 || int(sum) != len(members) {
		t.Errorf("%v votes by party of %d members", sum, len(members))
	}
	if rows, _ := r.all("/api/Stemme?$filter=afstemningid%20eq%20" + string(id) + "&$top=1000"); len(rows) != len(members) {
		t.Errorf("%d members, and %d rows of Stemme", len(members), len(rows))
	}
}

func jsonText(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Each problem names the parameter, its value and what is allowed.
func TestProblemsNameTheParameter(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	for _, c := range []struct {
		path   string
		status int
		says   []string
	}{
		{"/v1/votes/0", 404, []string{"no such row"}},
		{"/v1/votes/x", 404, []string{"id", "whole number"}},
		{"/v1/votes?limit=0", 400, []string{"limit", "1 to 10000"}},
		{"/v1/votes?limit=many", 400, []string{"limit", "many", "whole number"}},
		{"/v1/votes?limit=1&limit=2", 400, []string{"limit", "twice"}},
		{"/v1/votes?session=", 400, []string{"session", "empty"}},
		{"/v1/votes?sesion=20141", 400, []string{"sesion", "session"}},
		{"/v1/votes?session=1066", 400, []string{"session", "1066", "Periode"}},
		{"/v1/votes?from=yesterday", 400, []string{"from", "yesterday", "2026-01-31"}},
		{"/v1/votes?after=x", 400, []string{"after", "begin again"}},
		{"/v1/votes?a=%zz", 400, []string{"query"}},
		{"/v1/rows/Sager/1", 404, []string{"Sager", "Sag"}},
		{"/v1/rows/Sag/1?asof=now", 400, []string{"asof", "2026-11-01T12:00:00Z"}},
		{"/v1/elsewhere", 404, []string{"/v1/elsewhere", "/v1/", "/api/"}},
		{"/elsewhere", 404, []string{"/elsewhere"}},
		{"/apix", 404, []string{"/apix"}},
	} {
		got := r.get(c.path)
		var problem struct {
			Title, Detail, Instance string
			Status                  int
		}
		err := json.Unmarshal([]byte(got.body), &problem)
		if got.status != c.status || err != nil || problem.Status != c.status || got.header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("GET %s = %d %s (%v), want %d", c.path, got.status, got.body, err, c.status)
			continue
		}
		for _, want := range c.says {
			if !strings.Contains(problem.Detail, want) {
				t.Errorf("GET %s says %q, want %q in it", c.path, problem.Detail, want)
			}
		}
	}
	if got := r.get("/v1/votes", "Accept: text/html"); got.status != http.StatusNotAcceptable {
		t.Errorf("GET /v1/votes as text/html = %d", got.status)
	}
}

// The page that shows the API names each route, and takes nothing from elsewhere.
func TestThePageOfTheAPIShowsEachRoute(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	page := r.get("/v1/")
	for path := range r.object("/v1/openapi.json")["paths"].(map[string]any) {
		if !strings.Contains(page.body, path) {
			t.Errorf("the page does not show %s", path)
		}
	}
	if strings.Contains(page.body, "//cdn") || strings.Contains(page.body, "<script") || !strings.HasPrefix(page.header.Get("Content-Type"), "text/html") {
		t.Errorf("the page takes something from elsewhere: %.300s", page.body)
	}
}
