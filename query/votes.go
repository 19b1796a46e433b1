package query

import (
	"context"
	"slices"

	"github.com/jackc/pgx/v5"

	"odastream/odata"
)

// VoteFilter says which votes a list has. An empty text filters nothing.
type VoteFilter struct {
	Session string // the code or the title of the meeting's Periode
	Type    string // the name of an Afstemningstype
	Status  string // "passed" or "rejected"
	Actor   string // the id of an Aktør who took part
	Q       string // words of the conclusion, or of the case's number or title
	From    string // the first day, such as 2026-01-31
	To      string // the last day
}

// Vote is an Afstemning.
type Vote struct {
	ID         int64    `json:"id"`
	Date       *string  `json:"date" edm:"Edm.DateTime"` // of the meeting: Danish wall clock, such as 2026-01-31T10:00:00
	Type       *string  `json:"type"`
	Passed     *bool    `json:"passed"`
	Conclusion *string  `json:"conclusion"`
	Case       *CaseRef `json:"case"` // null where the vote concerns none, or the copy lacks it
}

// CaseRef names a case.
type CaseRef struct {
	ID     int64   `json:"id"`
	Number *string `json:"number"` // such as L 33; each session counts anew
	Title  *string `json:"title"`
}

// VoteDetail is a vote with what its members voted.
type VoteDetail struct {
	Vote
	Parties    []PartyVotes `json:"parties"`    // by name; of unknown parties last
	Members    []MemberVote `json:"members"`    // by name
	Dissenters []MemberVote `json:"dissenters"` // by name
}

// PartyVotes counts the votes of the members of a party.
type PartyVotes struct {
	Party   *string `json:"party"` // null: of members whose party is not known
	For     int     `json:"for"`
	Against int     `json:"against"`
	Absent  int     `json:"absent"`
	Neither int     `json:"neither"`
}

// MemberVote is a Stemme.
type MemberVote struct {
	Actor *int64  `json:"actor"`
	Name  *string `json:"name"`
	// Party is the short name of the member's group at the date of the vote, by the rule of
	// the view parliament.partimedlemskab: null where none is known.
	Party *string `json:"party" db:"-"`
	Vote  *string `json:"vote"` // "for", "against", "absent" or "neither"; null: the source does not say
}

const (
	voteColumns = `a.id, to_json(m.dato) #>> '{}', k.type, a.vedtaget, a.konklusion, ` + caseRef
	// caseRef is a CaseRef of the row c; null where there is none.
	caseRef = `CASE WHEN c.id IS NOT NULL THEN json_build_object('id', c.id, 'number', c.nummer, 'title', c.titel) END`
	// choice is what the row s says that a member voted.
	choice     = `CASE s.typeid WHEN 1 THEN 'for' WHEN 2 THEN 'against' WHEN 3 THEN 'absent' WHEN 4 THEN 'neither' END`
	voteTables = `parliament.afstemning a
LEFT JOIN parliament.moede m ON m.id = a."mødeid"
LEFT JOIN parliament.afstemningstype k ON k.id = a.typeid
LEFT JOIN parliament.sagstrin t ON t.id = a.sagstrinid
LEFT JOIN parliament.sag c ON c.id = t.sagid`
)

// Votes returns votes, those of the newest meetings first; votes without a date come last.
func (r *Reader) Votes(ctx context.Context, f VoteFilter, after string, limit int) (List[Vote], error) {
	return readList[Vote](ctx, r, &listing{
		name: "votes", columns: voteColumns, tables: voteTables,
		id: "a.id", sought: `parliament.afstemning a LEFT JOIN parliament.moede m ON m.id = a."mødeid"`,
		keys: []sortKey{newest("m.dato"), highest("a.id")},
	}, f.narrow, after, limit)
}

// narrow adds the filter's conditions.
func (f VoteFilter) narrow(ctx context.Context, tx pgx.Tx, l *listing) error {
	switch f.Status {
	case "":
	case "passed", "rejected":
		l.add("a.vedtaget = " + l.arg(f.Status == "passed", "boolean"))
	default:
		return &FilterError{Parameter: "status", Value: f.Status, Want: "passed or rejected"}
	}
	if err := l.among("actor", f.Actor, "a.id", `SELECT s.afstemningid FROM parliament.stemme s WHERE s."aktørid"`); err != nil {
		return err
	}
	if f.Q != "" {
		l.sought = voteTables
	}
	if err := l.contains("q", f.Q, "a.konklusion", "c.nummer", "c.titel"); err != nil {
		return err
	}
	if err := l.between("m.dato", f.From, f.To); err != nil {
		return err
	}
	return l.named(ctx, tx,
		bySession(f.Session, "m.periodeid = ANY (%[1]s)"),
		byType(f.Type, "Afstemningstype", "parliament.afstemningstype", "a.typeid = ANY (%[1]s)"))
}

// Vote returns a vote: ErrNoRow if there is none.
func (r *Reader) Vote(ctx context.Context, id int64) (v VoteDetail, err error) {
	err = r.snapshot(ctx, func(tx pgx.Tx) error {
		if v.Vote, err = only[Vote](ctx, tx, "SELECT "+voteColumns+" FROM "+voteTables+" WHERE a.id = $1::bigint", id); err != nil {
			return err
		}
		if v.Members, err = readMembers(ctx, tx, id, v.Date); err != nil {
			return err
		}
		v.Parties = countByParty(v.Members)
		v.Dissenters = dissenters(v.Members, v.Parties)
		return nil
	})
	return v, err
}

// readMembers returns what each member voted, with the party at the date of the vote.
func readMembers(ctx context.Context, tx pgx.Tx, vote int64, date *string) ([]MemberVote, error) {
	members, err := collect[MemberVote](ctx, tx, `SELECT s."aktørid", p.navn, `+choice+`
FROM parliament.stemme s LEFT JOIN parliament.aktoer p ON p.id = s."aktørid"
WHERE s.afstemningid = $1::bigint ORDER BY `+lower("p.navn")+`, s.id`, vote)
	if err != nil || date == nil {
		return members, err
	}
	var actors []int64
	for _, m := range members {
		if m.Actor != nil {
			actors = append(actors, *m.Actor)
		}
	}
	parties, err := readParties(ctx, tx, actors, *date)
	if err != nil {
		return nil, err
	}
	for i, m := range members {
		if m.Actor != nil {
			members[i].Party = parties[*m.Actor]
		}
	}
	return members, nil
}

// readParties returns the party of each actor on a day, by the rule of the view
// parliament.stemmer: of those that cover the day, the one that began last.
func readParties(ctx context.Context, tx pgx.Tx, actors []int64, day string) (map[int64]*string, error) {
	type membership struct {
		Actor int64
		Party *string
	}
	list, err := collect[membership](ctx, tx, `SELECT DISTINCT ON (i."aktørid") i."aktørid", i.parti
FROM parliament.partimedlemskab i
WHERE i."aktørid" = ANY ($1::bigint[])
    AND $2::text::timestamp::date BETWEEN COALESCE(i.fra::date, '-infinity') AND COALESCE(i.til::date, 'infinity')
ORDER BY i."aktørid", i.fra DESC NULLS LAST, i.gruppeid DESC`, actors, day)
	parties := map[int64]*string{}
	for _, m := range list {
		parties[m.Actor] = m.Party
	}
	return parties, err
}

// countByParty counts the votes by party: in Danish order of their names, those of unknown
// parties last.
func countByParty(members []MemberVote) []PartyVotes {
	parties := []PartyVotes{}
	at := map[string]int{}
	for _, m := range members {
		key := partyKey(m.Party)
		if _, known := at[key]; !known {
			at[key] = len(parties)
			parties = append(parties, PartyVotes{Party: m.Party})
		}
		if count := parties[at[key]].of(m.Vote); count != nil {
			*count++
		}
	}
	slices.SortStableFunc(parties, func(a, b PartyVotes) int {
		if a.Party == nil || b.Party == nil {
			return odata.CompareValues(a.Party == nil, b.Party == nil)
		}
		return odata.CompareValues(*a.Party, *b.Party)
	})
	return parties
}

// partyKey tells a party that is not known from each other one.
func partyKey(party *string) string {
	if party == nil {
		return ""
	}
	return "=" + *party
}

// of returns the number that counts a vote; nil for one that the source does not say.
func (p *PartyVotes) of(vote *string) *int {
	if vote == nil {
		return nil
	}
	return map[string]*int{"for": &p.For, "against": &p.Against, "absent": &p.Absent, "neither": &p.Neither}[*vote]
}

// dissenters returns the members who voted for or against, and not as most of those of
// their party did who voted for or against. Of a party whose votes tie there are none, nor
// of one that is not known.
func dissenters(members []MemberVote, parties []PartyVotes) []MemberVote {
	dissent := map[string]string{} // the vote of the minority, by party
	for _, p := range parties {
		switch {
		case p.Party == nil:
		case p.For > p.Against:
			dissent[*p.Party] = "against"
		case p.For < p.Against:
			dissent[*p.Party] = "for"
		}
	}
	list := []MemberVote{}
	for _, m := range members {
		if m.Party != nil && m.Vote != nil && *m.Vote == dissent[*m.Party] {
			list = append(list, m)
		}
	}
	return list
}
