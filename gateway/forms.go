package gateway

import (
	"net/http"
	"reflect"
	"slices"
	"strings"

	"odastream/internal/rowfile"
	"odastream/query"
)

// The address of a route may end in the name of a form: cases.csv. What it answers with
// then is the same list, written otherwise; .atom is of its changes.

// forms returns the endings that the address of a list may have.
func (rt route) forms() (forms []string) {
	if rt.item != nil {
		forms = append(forms, string(rowfile.CSV), string(rowfile.JSON), string(rowfile.Parquet))
	}
	if rt.item == reflect.TypeFor[query.Meeting]() {
		forms = append(forms, calendarForm)
	}
	if rt.feed != nil && rt.lastParam() == "" {
		forms = append(forms, atomForm)
	}
	return forms
}

// lastParam returns the parameter that the address ends with; "" if it ends with a word.
func (rt route) lastParam() string {
	last := rt.path[strings.LastIndex(rt.path, "/")+1:]
	if !strings.HasPrefix(last, "{") {
		return ""
	}
	return strings.Trim(last, "{}")
}

// formed returns the endpoint of a list in a form.
func (g *Gateway) formed(rt route, form string) endpoint {
	return func(r *http.Request) (question, error) {
		if form == atomForm {
			return g.askFeed(r, rt)
		}
		return g.askList(r, rt, form)
	}
}

// askList reads a request for a list as a file.
func (g *Gateway) askList(r *http.Request, rt route, form string) (question, error) {
	q := question{route: apiRoot + rt.path + "." + form, class: complexClass}
	if media, _, _ := strings.Cut(mediaOf(form), ";"); !accepts(r, media) {
		return q, refuse(http.StatusNotAcceptable, "Accept does not name "+media)
	}
	in, err := rt.readInput(r, g.cfg.TopMax)
	if err != nil {
		return q, err
	}
	q.of, q.file = rt.of(in), listFile{list: rt, in: in, copy: g.copy, form: form, links: g.base(r)}
	return q, nil
}

// mediaOf returns the media type of a form.
func mediaOf(form string) string {
	switch form {
	case atomForm:
		return atomType
	case calendarForm:
		return calendarType
	}
	return fileTypes[rowfile.Format(form)]
}

// formRoutes describe the other forms of a route.
func formRoutes(rt route) (all []route) {
	if forms := rt.forms(); len(forms) > 0 {
		about := rt.about + ", as " + strings.Join(forms, ", ") + ": all of them, or as many as limit says"
		if rt.feed != nil {
			about += "; atom has their newest changes"
		}
		all = append(all, route{
			path: rt.path + ".{form}", about: about, media: mediaTypes(forms),
			params: append(slices.Clone(rt.params), param{"form", "how it is written: " + strings.Join(forms, ", "), text}),
		})
	}
	if rt.feed != nil && rt.lastParam() != "" {
		all = append(all, route{
			path: rt.path + "." + atomForm, about: "The newest changes of it and of what belongs to it, as a feed",
			media: mediaTypes([]string{atomForm}), params: rt.feedParams(),
		})
	}
	return all
}

func mediaTypes(forms []string) (types []string) {
	for _, form := range forms {
		types = append(types, mediaOf(form))
	}
	return types
}
