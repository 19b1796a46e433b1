package gateway

import (
	"context"
	_ "embed"
	"encoding/json"
	"html/template"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"
)

// object is a JSON object with its members in the order of their names.
type object = map[string]any

// openAPI returns the description of the own API in OpenAPI 3.1, made from its routes.
func (g *Gateway) openAPI(base string) object {
	schemas := object{"Problem": problemSchema}
	paths := object{}
	for _, rt := range allRoutes() {
		paths[apiRoot+rt.path] = object{"get": rt.operation(schemas, g.cfg.TopMax)}
	}
	return object{
		"openapi": "3.1.0",
		"info": object{
			"title": "odastream", "version": "1",
			"description": "The open data of the Danish parliament, from a complete copy that follows oda.ft.dk. Every answer has an ETag, and Odastream-Complete-Through: everything that the source had at that time is in it.",
		},
		"servers":    []object{{"url": base}},
		"paths":      paths,
		"components": object{"schemas": schemas},
	}
}

// allRoutes are the routes of the own API, with those that have handlers of their own.
func allRoutes() (all []route) {
	for _, rt := range apiRoutes() {
		if rt.result != nil {
			all = append(all, rt)
		}
		all = append(all, formRoutes(rt)...)
	}
	return append(all, streamedRoutes...)
}

// streamedRoutes describe what is not answered as a whole.
var streamedRoutes = []route{
	{
		path: "/changes", about: "Changes as they come, deletes included; with Accept: text/event-stream as server-sent events",
		params: []param{
			{"entity", "entity sets, separated by commas; default: all", text},
			{"after", "start, or the cursor of an earlier answer; default: from now on", text},
			{"limit", "how many changes, 1 to 10000; 1000 if it is not given", number},
			{"wait", "how long to wait for the first, such as 30s", text},
		},
		result: reflect.TypeFor[changesPage](),
	},
	{
		path: "/export/{file}", about: "All rows of an entity set at one moment, as a file: Sag.ndjson, Sag.csv or Sag.parquet",
		params: []param{
			{"file", "the entity set and the format", text},
			{"$filter", "a condition, as under /api", text},
			paramAsOf,
		},
		media: slices.Sorted(maps.Values(fileTypes)),
	},
}

// changesPage is a page of changes, as JSON.
type changesPage struct {
	Changes []json.RawMessage `json:"changes"` // each as on its topic
	Cursor  string            `json:"cursor"`  // of the next request
	More    bool              `json:"more"`    // whether there is more already
}

var problemSchema = object{
	"type": "object", "description": "RFC 9457", "required": []string{"type", "title", "status", "detail"},
	"properties": object{
		"type": object{"type": "string"}, "title": object{"type": "string"}, "status": object{"type": "integer"},
		"detail": object{"type": "string", "description": "what happened, and what to do"}, "instance": object{"type": "string"},
	},
}

// operation describes a route.
func (rt route) operation(schemas object, mostRows int) object {
	failed := func(about string) object {
		return object{"description": about, "content": object{"application/problem+json": object{"schema": object{"$ref": "#/components/schemas/Problem"}}}}
	}
	responses := object{
		"200": object{
			"description": rt.about,
			"headers": object{
				"ETag":          object{"schema": object{"type": "string"}, "description": "for If-None-Match"},
				completeThrough: object{"schema": object{"type": "string", "format": "date-time"}, "description": "everything that the source had at this time is in the answer"},
			},
			"content": rt.content(schemas),
		},
		"304": object{"description": "the client has the answer"},
		"400": failed("a parameter is not right"),
		"503": failed("too many requests, a query that takes too long, or an outage; Retry-After says when to come back"),
	}
	if strings.Contains(rt.path, "{") {
		responses["404"] = failed("there is no such row")
	}
	return object{"summary": rt.about, "operationId": rt.operationID(), "parameters": rt.parameters(mostRows), "responses": responses}
}

// content describes what an answer holds.
func (rt route) content(schemas object) object {
	if rt.media == nil {
		return object{"application/json": object{"schema": schemaOf(rt.result, schemas)}}
	}
	content := object{}
	for _, name := range rt.media {
		content[name] = object{}
	}
	return content
}

// operationID returns a name for the route in generated clients: votes, votes_id.
func (rt route) operationID() string {
	return strings.Trim(strings.NewReplacer("/", "_", "{", "", "}", "").Replace(rt.path), "_")
}

func (rt route) parameters(mostRows int) []object {
	list := []object{}
	for _, p := range rt.params {
		s := object{"type": "string"}
		switch p.kind {
		case number:
			s = object{"type": "integer", "format": "int64"}
		case day:
			s["format"] = "date"
		case instant:
			s["format"] = "date-time"
		case text:
		}
		if p.name == paramLimit.name && rt.read != nil {
			s["minimum"], s["maximum"], s["default"] = 1, mostRows, listRows
		}
		place := "query"
		if rt.inPath(p.name) {
			place = "path"
		}
		list = append(list, object{"name": p.name, "in": place, "required": rt.inPath(p.name), "description": p.about, "schema": s})
	}
	return list
}

// schemaOf describes how a Go type is written as JSON. Structs are described once, among
// schemas.
func schemaOf(t reflect.Type, schemas object) object {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return object{"type": "string", "format": "date-time"}
	case t == reflect.TypeFor[json.RawMessage]():
		return object{"type": []string{"object", "null"}, "description": "the members of a row, as the source has them"}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return object{"anyOf": []object{schemaOf(t.Elem(), schemas), {"type": "null"}}}
	case reflect.Slice:
		return object{"type": []string{"array", "null"}, "items": schemaOf(t.Elem(), schemas)}
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Int, reflect.Int64:
		return object{"type": "integer", "format": "int64"}
	case reflect.Struct:
		name := schemaName(t)
		if _, known := schemas[name]; !known {
			schemas[name] = nil // a type may lead to itself
			schemas[name] = structSchema(t, schemas)
		}
		return object{"$ref": "#/components/schemas/" + name}
	}
	return object{"type": "string"}
}

// schemaName returns the name of a type: of list[query.Vote] it is VoteList.
func schemaName(t reflect.Type) string {
	name := t.Name()
	if rest, ok := strings.CutPrefix(name, "list["); ok {
		name = rest[strings.LastIndex(rest, ".")+1:len(rest)-1] + "List"
	}
	return strings.ToUpper(name[:1]) + name[1:]
}

func structSchema(t reflect.Type, schemas object) object {
	properties, required := object{}, []string{}
	for f := range fieldsOf(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		properties[name] = schemaOf(f.Type, schemas)
		required = append(required, name)
	}
	return object{"type": "object", "properties": properties, "required": required}
}

// fieldsOf yields the fields of a struct that are members of its JSON, those of embedded
// structs in their place.
func fieldsOf(t reflect.Type) func(func(reflect.StructField) bool) {
	return func(yield func(reflect.StructField) bool) {
		for _, f := range reflect.VisibleFields(t) {
			if !f.Anonymous && f.IsExported() && f.Tag.Get("json") != "-" && !yield(f) {
				return
			}
		}
	}
}

// askOpenAPI describes the own API.
func (g *Gateway) askOpenAPI(r *http.Request) (question, error) {
	base := g.base(r)
	return question{route: apiRoot + "/openapi.json", answer: func(context.Context) (answer, error) {
		body, err := json.MarshalIndent(g.openAPI(base), "", "  ")
		return answer{contentType: plainJSON, body: body}, err
	}}, nil
}

//go:embed api.html
var apiPageText string

var apiPage = template.Must(template.New("api").Parse(apiPageText))

// askAPIPage shows the own API to people. The page takes nothing from elsewhere.
func (g *Gateway) askAPIPage(r *http.Request) (question, error) {
	base := g.base(r)
	return question{route: apiRoot, answer: func(context.Context) (answer, error) {
		var body strings.Builder
		type shown struct {
			Path, About string
			Params      []struct{ Name, About string }
		}
		var routes []shown
		for _, rt := range allRoutes() {
			s := shown{Path: apiRoot + rt.path, About: rt.about}
			for _, p := range rt.params {
				s.Params = append(s.Params, struct{ Name, About string }{p.name, p.about + " (" + p.kind.wants() + ")"})
			}
			routes = append(routes, s)
		}
		err := apiPage.Execute(&body, struct {
			Base   string
			Routes []shown
		}{base, routes})
		return answer{contentType: "text/html; charset=utf-8", body: []byte(body.String())}, err
	}}, nil
}
