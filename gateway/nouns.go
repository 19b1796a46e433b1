package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
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

// listOf returns the route of a list of T, with filters F.
func listOf[T, F any](
	noun, about string, filters []param, filter func(input) F,
	read func(r *query.Reader, ctx context.Context, f F, after string, limit int) (query.List[T], error),
	changes func(r *query.Reader, ctx context.Context, f F, limit int) ([]query.Change, error),
) route {
	return route{
		path: "/" + noun, about: about, class: mediumClass, params: append(filters, paramLimit, paramAfter),
		of: touching(noun), result: reflect.TypeFor[list[T]](), item: reflect.TypeFor[T](),
		read: func(ctx context.Context, r *query.Reader, in input) (any, string, error) {
			l, err := read(r, ctx, filter(in), in.get("after"), in.limit)
			return page[T]{l.Items}, l.Next, err
		},
		feed: &feed{touching(noun), func(ctx context.Context, r *query.Reader, in input) ([]query.Change, error) {
			return changes(r, ctx, filter(in), in.limit)
		}},
	}
}

// oneOf returns the route of one row and what belongs to it.
func oneOf[T any](list, noun, about string, read func(r *query.Reader, ctx context.Context, id int64) (T, error)) route {
	return route{
		path: "/" + list + "/{id}", about: about, class: mediumClass, params: []param{paramID},
		of: touching(noun), result: reflect.TypeFor[T](),
		read: func(ctx context.Context, r *query.Reader, in input) (any, string, error) {
			one, err := read(r, ctx, in.id())
			return one, "", err
		},
	}
}

// withFeed adds the changes of the row and what belongs to it to the route of one row.
func (rt route) withFeed(noun string, read func(r *query.Reader, ctx context.Context, id int64, limit int) ([]query.Change, error)) route {
	rt.feed = &feed{touching(noun + " changes"), func(ctx context.Context, r *query.Reader, in input) ([]query.Change, error) {
		return read(r, ctx, in.id(), in.limit)
	}}
	return rt
}

func touching(noun string) func(input) []string {
	return func(input) []string { return query.Touched(noun) }
}

// apiRoutes are the routes of the own API.
func apiRoutes() []route {
	return append(nounRoutes(), rowsRoute, rowRoute, historyRoute, entitiesRoute)
}

func nounRoutes() []route {
	return []route{
		listOf("cases", "Cases (Sag), the one that was entered last first", []param{paramSession, paramType, paramStatus, paramParty, paramActor, paramQ, paramFrom, paramTo},
			caseFilter, (*query.Reader).Cases, (*query.Reader).CaseChanges),
		oneOf("cases", "case", "A case with its steps, actors, documents and votes", (*query.Reader).Case).
			withFeed("case", (*query.Reader).ChangesOfCase),
		listOf("actors", "Actors (Aktør): people, party groups, committees, ministries; by name", []param{paramSession, paramType, paramParty, paramQ},
			actorFilter, (*query.Reader).Actors, (*query.Reader).ActorChanges),
		oneOf("actors", "actor", "An actor with memberships by date, committees, and the newest votes and cases", readActor).
			withFeed("actor", (*query.Reader).ChangesOfActor),
		listOf("votes", "Votes (Afstemning), those of the newest meetings first", []param{paramSession, paramType, {"status", "passed or rejected", text}, paramActor, paramQ, paramFrom, paramTo},
			voteFilter, (*query.Reader).Votes, (*query.Reader).VoteChanges),
		oneOf("votes", "vote", "A vote by party at its date, each member's, and those against their party's majority of votes for and against", (*query.Reader).Vote),
		listOf("documents", "Documents (Dokument) with their files, the one that was entered last first", []param{paramType, paramStatus, paramActor, paramQ, paramFrom, paramTo},
			documentFilter, (*query.Reader).Documents, (*query.Reader).DocumentChanges),
		oneOf("documents", "document", "A document with its files, question or answers, actors and cases", (*query.Reader).Document),
		listOf("meetings", "Meetings (Møde), the newest first, those to come before them", []param{paramSession, paramType, paramStatus, paramActor, paramQ, paramFrom, paramTo},
			meetingFilter, (*query.Reader).Meetings, (*query.Reader).MeetingChanges),
		oneOf("meetings", "meeting", "A meeting with its agenda, participants and votes", (*query.Reader).Meeting),
		searchRoute(),
	}
}

func caseFilter(in input) query.CaseFilter {
	return query.CaseFilter{
		Session: in.get("session"), Type: in.get("type"), Status: in.get("status"), Party: in.get("party"),
		Actor: in.get("actor"), Q: in.get("q"), From: in.get("from"), To: in.get("to"),
	}
}

func actorFilter(in input) query.ActorFilter {
	return query.ActorFilter{Session: in.get("session"), Type: in.get("type"), Party: in.get("party"), Q: in.get("q")}
}

func voteFilter(in input) query.VoteFilter {
	return query.VoteFilter{
		Session: in.get("session"), Type: in.get("type"), Status: in.get("status"),
		Actor: in.get("actor"), Q: in.get("q"), From: in.get("from"), To: in.get("to"),
	}
}

func documentFilter(in input) query.DocumentFilter {
	return query.DocumentFilter{
		Type: in.get("type"), Status: in.get("status"), Actor: in.get("actor"), Q: in.get("q"), From: in.get("from"), To: in.get("to"),
	}
}

func meetingFilter(in input) query.MeetingFilter {
	return query.MeetingFilter{
		Session: in.get("session"), Type: in.get("type"), Status: in.get("status"),
		Actor: in.get("actor"), Q: in.get("q"), From: in.get("from"), To: in.get("to"),
	}
}

func searchFilter(in input) query.SearchFilter {
	return query.SearchFilter{Q: in.get("q"), Type: in.get("type")}
}

func readActor(r *query.Reader, ctx context.Context, id int64) (query.ActorDetail, error) {
	return r.Actor(ctx, id, listRows)
}

func searchRoute() route {
	rt := listOf("search", "Actors, cases and documents with all words of q in their name or title", []param{paramQ, {"type", "actor, case or document; without it all", text}},
		searchFilter, (*query.Reader).Search, (*query.Reader).SearchChanges)
	rt.class = complexClass
	return rt
}

// rowsRoute has no address of its own, but that of its feed.
var rowsRoute = route{
	path: "/rows/{entity}", class: mediumClass, params: []param{paramEntity}, of: entityNamed,
	read: func(_ context.Context, _ *query.Reader, in input) (any, string, error) {
		const where = "the rows of an entity are at %[2]s/%[1]s and %[3]s%[1]s.csv, their changes at %[4]s/rows/%[1]s.atom"
		return nil, "", refuse(http.StatusNotFound, fmt.Sprintf(where, in.get("entity"), mirrorRoot, exportRoot, apiRoot))
	},
	feed: &feed{entityNamed, func(ctx context.Context, r *query.Reader, in input) ([]query.Change, error) {
		return r.ChangesOfEntity(ctx, in.get("entity"), in.limit)
	}},
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
