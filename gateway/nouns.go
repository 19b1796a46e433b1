package gateway

import (
	"context"
	"encoding/json"
	"reflect"

	"odastream/query"
	"odastream/schema"
)

// The filters that lists have.
var (
	paramSession = param{"session", "code or title of a period, such as 20141 or 2014-15", text}
	paramType    = param{"type", "name of a type", text}
	paramStatus  = param{"status", "name of a status", text}
	paramParty   = param{"party", "short or full name of a party group", text}
	paramActor   = param{"actor", "id of an actor", number}
	paramQ       = param{"q", "words, each of which occurs", text}
	paramFrom    = param{"from", "first day", day}
	paramTo      = param{"to", "last day", day}
	paramID      = param{"id", "id at the source", number}
	paramEntity  = param{"entity", "an entity set, such as Sag or Aktør", text}
	paramAsOf    = param{"asof", "as it was at this moment", instant}
)

// listOf returns the route of a list.
func listOf[T any](noun, about string, filters []param, read func(context.Context, *query.Reader, input) (query.List[T], error)) route {
	return route{
		path: "/" + noun, about: about, class: mediumClass, params: append(filters, paramLimit, paramAfter),
		of: touching(noun), result: reflect.TypeFor[list[T]](),
		read: func(ctx context.Context, r *query.Reader, in input) (any, string, error) {
			l, err := read(ctx, r, in)
			return page[T]{l.Items}, l.Next, err
		},
	}
}

// oneOf returns the route of one row and what belongs to it.
func oneOf[T any](list, noun, about string, read func(context.Context, *query.Reader, int64) (T, error)) route {
	return route{
		path: "/" + list + "/{id}", about: about, class: mediumClass, params: []param{paramID},
		of: touching(noun), result: reflect.TypeFor[T](),
		read: func(ctx context.Context, r *query.Reader, in input) (any, string, error) {
			one, err := read(ctx, r, in.id())
			return one, "", err
		},
	}
}

func touching(noun string) func(input) []string {
	return func(input) []string { return query.Touched(noun) }
}

// apiRoutes are the routes of the own API.
func apiRoutes() []route {
	return append(nounRoutes(), rowRoute, historyRoute, entitiesRoute)
}

func nounRoutes() []route {
	return []route{
		listOf("cases", "Cases (Sag), the one that was entered last first", []param{paramSession, paramType, paramStatus, paramParty, paramActor, paramQ, paramFrom, paramTo},
			func(ctx context.Context, r *query.Reader, in input) (query.List[query.Case], error) {
				return r.Cases(ctx, query.CaseFilter{
					Session: in.get("session"), Type: in.get("type"), Status: in.get("status"), Party: in.get("party"),
					Actor: in.get("actor"), Q: in.get("q"), From: in.get("from"), To: in.get("to"),
				}, in.get("after"), in.limit)
			}),
		oneOf("cases", "case", "A case with its steps, actors, documents and votes",
			func(ctx context.Context, r *query.Reader, id int64) (query.CaseDetail, error) { return r.Case(ctx, id) }),
		listOf("actors", "Actors (Aktør): people, party groups, committees, ministries; by name", []param{paramSession, paramType, paramParty, paramQ},
			func(ctx context.Context, r *query.Reader, in input) (query.List[query.Actor], error) {
				return r.Actors(ctx, query.ActorFilter{Session: in.get("session"), Type: in.get("type"), Party: in.get("party"), Q: in.get("q")}, in.get("after"), in.limit)
			}),
		oneOf("actors", "actor", "An actor with memberships by date, committees, and the newest votes and cases",
			func(ctx context.Context, r *query.Reader, id int64) (query.ActorDetail, error) {
				return r.Actor(ctx, id, listRows)
			}),
		listOf("votes", "Votes (Afstemning), those of the newest meetings first", []param{paramSession, paramType, {"status", "passed or rejected", text}, paramActor, paramQ, paramFrom, paramTo},
			func(ctx context.Context, r *query.Reader, in input) (query.List[query.Vote], error) {
				return r.Votes(ctx, query.VoteFilter{
					Session: in.get("session"), Type: in.get("type"), Status: in.get("status"),
					Actor: in.get("actor"), Q: in.get("q"), From: in.get("from"), To: in.get("to"),
				}, in.get("after"), in.limit)
			}),
		oneOf("votes", "vote", "A vote by party at its date, each member's, and those against their party's majority of votes for and against",
			func(ctx context.Context, r *query.Reader, id int64) (query.VoteDetail, error) { return r.Vote(ctx, id) }),
		listOf("documents", "Documents (Dokument) with their files, the one that was entered last first", []param{paramType, paramStatus, paramActor, paramQ, paramFrom, paramTo},
			func(ctx context.Context, r *query.Reader, in input) (query.List[query.Document], error) {
				return r.Documents(ctx, query.DocumentFilter{
					Type: in.get("type"), Status: in.get("status"), Actor: in.get("actor"), Q: in.get("q"), From: in.get("from"), To: in.get("to"),
				}, in.get("after"), in.limit)
			}),
		oneOf("documents", "document", "A document with its files, question or answers, actors and cases",
			func(ctx context.Context, r *query.Reader, id int64) (query.DocumentDetail, error) {
				return r.Document(ctx, id)
			}),
		listOf("meetings", "Meetings (Møde), the newest first, those to come before them", []param{paramSession, paramType, paramStatus, paramActor, paramQ, paramFrom, paramTo},
			func(ctx context.Context, r *query.Reader, in input) (query.List[query.Meeting], error) {
				return r.Meetings(ctx, query.MeetingFilter{
					Session: in.get("session"), Type: in.get("type"), Status: in.get("status"),
					Actor: in.get("actor"), Q: in.get("q"), From: in.get("from"), To: in.get("to"),
				}, in.get("after"), in.limit)
			}),
		oneOf("meetings", "meeting", "A meeting with its agenda, participants and votes",
			func(ctx context.Context, r *query.Reader, id int64) (query.MeetingDetail, error) {
				return r.Meeting(ctx, id)
			}),
		searchRoute(),
	}
}

func searchRoute() route {
	rt := listOf("search", "Actors, cases and documents with all words of q in their name or title", []param{paramQ, {"type", "actor, case or document; without it all", text}},
		func(ctx context.Context, r *query.Reader, in input) (query.List[query.Hit], error) {
			return r.Search(ctx, query.SearchFilter{Q: in.get("q"), Type: in.get("type")}, in.get("after"), in.limit)
		})
	rt.class = complexClass
	return rt
}

var rowRoute = route{
	path: "/rows/{entity}/{id}", about: "A row of any entity set, as the source has it", class: simpleClass,
	params: []param{paramEntity, paramID, paramAsOf}, of: entityNamed, result: reflect.TypeFor[json.RawMessage](),
	read: func(ctx context.Context, r *query.Reader, in input) (any, string, error) {
		row, err := r.RowOf(ctx, in.get("entity"), in.id(), in.at())
		return row, "", err
	},
}

// versions is the history of a row, as JSON.
type versions struct {
	Versions []query.Version `json:"versions"`
	Next     *string         `json:"next"` // the address of the rest; null if there is none
}

func (v versions) link(next string) any {
	if v.Versions == nil {
		v.Versions = []query.Version{}
	}
	if next != "" {
		v.Next = &next
	}
	return v
}

var historyRoute = route{
	path: "/rows/{entity}/{id}/history", about: "The changes of a row, the newest first", class: simpleClass,
	params: []param{paramEntity, paramID, paramLimit, paramAfter}, of: entityNamed, result: reflect.TypeFor[versions](),
	read: func(ctx context.Context, r *query.Reader, in input) (any, string, error) {
		l, err := r.History(ctx, in.get("entity"), in.id(), in.get("after"), in.limit)
		return versions{Versions: l.Items}, l.Next, err
	},
}

var entitiesRoute = route{
	path: "/entities", about: "What the copy has of each entity set, and how fresh it is", class: complexClass,
	of: func(input) (names []string) {
		for _, e := range schema.Entities() {
			if !e.Subset {
				names = append(names, e.Name)
			}
		}
		return names
	},
	result: reflect.TypeFor[list[query.EntityState]](),
	read: func(ctx context.Context, r *query.Reader, _ input) (any, string, error) {
		states, err := r.Entities(ctx)
		return page[query.EntityState]{states}, "", err
	},
}
