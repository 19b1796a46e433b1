package query

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// ActorFilter says which actors a list has. An empty text filters nothing.
type ActorFilter struct {
	Session string // the code or the title of the actor's Periode, which groups and committees have
	Type    string // the name of an Aktørtype, such as Person
	Party   string // the short or the full name of a group that the actor is or was a member of
	Q       string // words of the name or the short name
}

// Actor is an Aktør: a person, a party group, a committee, a ministry.
type Actor struct {
	ID        int64   `json:"id"`
	Name      *string `json:"name"`
	ShortName *string `json:"short_name"`
	Type      *string `json:"type"`
	Period    *string `json:"period"`                  // such as 2014-15; a group is another actor in each
	From      *string `json:"from" edm:"Edm.DateTime"` // Danish wall clock
	To        *string `json:"to" edm:"Edm.DateTime"`
}

// ActorDetail is an actor with what belongs to it.
type ActorDetail struct {
	Actor
	FirstName   *string      `json:"first_name"`
	LastName    *string      `json:"last_name"`
	Biography   *string      `json:"biography"`
	Memberships []Membership `json:"memberships" db:"-"` // in groups, offices and the like, or the members of one; the newest first
	Committees  []Membership `json:"committees" db:"-"`  // in committees; the newest first
	Votes       []ActorVote  `json:"votes" db:"-"`       // of the newest meetings first
	Cases       []ActorCase  `json:"cases" db:"-"`       // the one that the source entered last first
}

// Membership is an AktørAktør, as one of its two actors sees it. It lasts no longer than
// the group.
type Membership struct {
	Actor     *int64  `json:"actor"` // the other one
	Name      *string `json:"name"`
	ShortName *string `json:"short_name"`
	Type      *string `json:"type"`
	Role      *string `json:"role"`
	From      *string `json:"from"` // the first day, Danish wall clock
	To        *string `json:"to"`   // the last day; null while it lasts
}

// ActorVote is a vote that an actor took part in.
type ActorVote struct {
	Vote
	Choice *string `json:"vote"` // as in MemberVote
}

// ActorCase is a case that an actor takes part in.
type ActorCase struct {
	CaseRef
	Role *string `json:"role"`
}

const (
	actorColumns = `p.id, p.navn, p.gruppenavnkort, k.type, o.titel, to_json(p.startdato) #>> '{}', to_json(p.slutdato) #>> '{}'`
	actorTables  = `parliament.aktoer p
LEFT JOIN parliament.aktoertype k ON k.id = p.typeid
LEFT JOIN parliament.periode o ON o.id = p.periodeid`
	actorDetail = `SELECT ` + actorColumns + `, p.fornavn, p.efternavn, p.biografi FROM ` + actorTables + ` WHERE p.id = $1::bigint`
	// actorMemberships has 1 as its last column for those in committees, else 0. The dates
	// of a person's row are no bounds: they are those of the person.
	actorMemberships = `SELECT l.other, x.navn, x.gruppenavnkort, k.type, r.rolle, to_json(b.fra) #>> '{}', to_json(b.til) #>> '{}',
    (x.typeid IS NOT DISTINCT FROM 3)::integer::bigint
FROM (
    SELECT m.id, m."tilaktørid"::bigint AS other, m.rolleid, m.startdato, m.slutdato FROM parliament.aktoeraktoer m WHERE m."fraaktørid" = $1::bigint
    UNION ALL
    SELECT m.id, m."fraaktørid", m.rolleid, m.startdato, m.slutdato FROM parliament.aktoeraktoer m WHERE m."tilaktørid" = $1::bigint
) l
JOIN parliament.aktoer p ON p.id = $1::bigint
LEFT JOIN parliament.aktoer x ON x.id = l.other
LEFT JOIN parliament.aktoertype k ON k.id = x.typeid
LEFT JOIN parliament.aktoeraktoerrolle r ON r.id = l.rolleid
CROSS JOIN LATERAL (SELECT
    GREATEST(l.startdato, CASE WHEN x.typeid NOT IN (5, 12) THEN x.startdato END, CASE WHEN p.typeid NOT IN (5, 12) THEN p.startdato END) AS fra,
    LEAST(l.slutdato, CASE WHEN x.typeid NOT IN (5, 12) THEN x.slutdato END, CASE WHEN p.typeid NOT IN (5, 12) THEN p.slutdato END) AS til
) b
ORDER BY b.fra DESC NULLS LAST, l.id DESC`
	actorVotes = `SELECT ` + voteColumns + `, ` + choice + `
FROM ` + voteTables + ` JOIN parliament.stemme s ON s.afstemningid = a.id
WHERE s."aktørid" = $1::bigint ORDER BY m.dato DESC NULLS LAST, a.id DESC, s.id DESC LIMIT $2::bigint`
	actorCases = `SELECT c.id, c.nummer, c.titel, r.rolle FROM parliament.sagaktoer l
JOIN parliament.sag c ON c.id = l.sagid
LEFT JOIN parliament.sagaktoerrolle r ON r.id = l.rolleid
WHERE l."aktørid" = $1::bigint ORDER BY c.id DESC, l.id LIMIT $2::bigint`
)

// Actors returns actors by name, in Danish order; those without a name come first.
func (r *Reader) Actors(ctx context.Context, f ActorFilter, after string, limit int) (List[Actor], error) {
	return readList[Actor](ctx, r, &listing{
		name: "actors", columns: actorColumns, tables: actorTables, id: "p.id", sought: "parliament.aktoer p",
		keys: []sortKey{{expr: lower("p.navn"), raw: "p.navn", typ: "text"}, {expr: "p.id", raw: cast("p.id", "text"), typ: "bigint", id: true}},
	}, f.narrow, after, limit)
}

// narrow adds the filter's conditions.
func (f ActorFilter) narrow(ctx context.Context, tx pgx.Tx, l *listing) error {
	if err := l.contains("q", f.Q, "p.navn", "p.gruppenavnkort"); err != nil {
		return err
	}
	return l.named(ctx, tx,
		bySession(f.Session, "p.periodeid = ANY (%[1]s)"),
		byType(f.Type, "Aktørtype", "parliament.aktoertype", "p.typeid = ANY (%[1]s)"),
		byParty(f.Party, `p.id IN (SELECT i."aktørid" FROM parliament.partimedlemskab i WHERE i.gruppeid = ANY (%[1]s))`))
}

// Actor returns an actor: ErrNoRow if there is none. Of votes and cases it has the newest,
// most of each and at least one; VoteFilter.Actor and CaseFilter.Actor give all of them.
func (r *Reader) Actor(ctx context.Context, id int64, most int) (a ActorDetail, err error) {
	most = max(most, 1)
	err = r.snapshot(ctx, func(tx pgx.Tx) error {
		if a, err = only[ActorDetail](ctx, tx, actorDetail, id); err != nil {
			return err
		}
		memberships, err := collectBy[Membership](ctx, tx, actorMemberships, id)
		if err != nil {
			return err
		}
		a.Memberships, a.Committees = orEmpty(memberships[0]), orEmpty(memberships[1])
		if a.Votes, err = collect[ActorVote](ctx, tx, actorVotes, id, most); err != nil {
			return err
		}
		a.Cases, err = collect[ActorCase](ctx, tx, actorCases, id, most)
		return err
	})
	return a, err
}
