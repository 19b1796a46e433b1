package query

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// CaseFilter says which cases a list has. An empty text filters nothing.
type CaseFilter struct {
	Session string // the code or the title of a Periode
	Type    string // the name of a Sagstype
	Status  string // the name of a Sagsstatus
	Party   string // the short or the full name of a group: it, or one of its members in the session of the case, is an actor of the case
	Actor   string // the id of an Aktør of the case
	Q       string // words of the number, the title, the short title or the summary
	From    string // a step of the case lies on this day or later, such as 2026-01-31
	To      string // and the same step on this day or earlier
}

// Case is a Sag.
type Case struct {
	ID      int64   `json:"id"`
	Number  *string `json:"number"` // such as L 33; each session counts anew
	Title   *string `json:"title"`
	Type    *string `json:"type"`
	Status  *string `json:"status"`
	Period  *string `json:"period"`                     // such as 2014-15
	Updated *string `json:"updated" edm:"Edm.DateTime"` // the source's stamp: Danish wall clock
}

// CaseDetail is a case with what belongs to it.
type CaseDetail struct {
	Case
	ShortTitle  *string        `json:"short_title"`
	Category    *string        `json:"category"`
	Summary     *string        `json:"summary"`
	Conclusion  *string        `json:"conclusion"` // of its votes
	Decision    *string        `json:"decision"`
	Decided     *string        `json:"decided"` // Danish wall clock
	LawNumber   *string        `json:"law_number"`
	LawURL      *string        `json:"law_url"`
	RaisedUnder *CaseRef       `json:"raised_under"`     // the case that it was raised under
	PartOf      *CaseRef       `json:"part_of"`          // the case that it is a part of
	Raised      []CaseRef      `json:"raised" db:"-"`    // the cases that were raised under it, by id
	Parts       []CaseRef      `json:"parts" db:"-"`     // the cases that are parts of it, by id
	Steps       []Step         `json:"steps" db:"-"`     // by date
	Actors      []Participant  `json:"actors" db:"-"`    // by id of the SagAktør
	Documents   []CaseDocument `json:"documents" db:"-"` // by date
	Votes       []Vote         `json:"votes" db:"-"`     // by date
}

// Step is a Sagstrin.
type Step struct {
	ID     int64         `json:"id"`
	Date   *string       `json:"date"` // Danish wall clock
	Title  *string       `json:"title"`
	Type   *string       `json:"type"`
	Status *string       `json:"status"`
	Actors []Participant `json:"actors" db:"-"`
}

// Participant is an actor of a case, a step or a document.
type Participant struct {
	Actor *int64  `json:"actor"`
	Name  *string `json:"name"`
	Role  *string `json:"role"`
}

// CaseDocument is a document of a case.
type CaseDocument struct {
	Document
	Role     *string       `json:"role"`
	Number   *string       `json:"number"`         // among those of the case, such as 12
	Question *int64        `json:"question"`       // the id of the document whose question it answers
	Answers  []DocumentRef `json:"answers" db:"-"` // those that answer it, by id
}

const (
	caseColumns = `c.id, c.nummer, c.titel, k.type, u.status, o.titel, to_json(c.opdateringsdato) #>> '{}'`
	caseTables  = `parliament.sag c
LEFT JOIN parliament.sagstype k ON k.id = c.typeid
LEFT JOIN parliament.sagsstatus u ON u.id = c.statusid
LEFT JOIN parliament.periode o ON o.id = c.periodeid`
	caseDetail = `SELECT ` + caseColumns + `, c.titelkort, g.kategori, c.resume, c.afstemningskonklusion,
    c."afgørelse", to_json(c."afgørelsesdato") #>> '{}', c.lovnummer, c.retsinformationsurl,
    CASE WHEN r.id IS NOT NULL THEN json_build_object('id', r.id, 'number', r.nummer, 'title', r.titel) END,
    CASE WHEN w.id IS NOT NULL THEN json_build_object('id', w.id, 'number', w.nummer, 'title', w.titel) END
FROM ` + caseTables + `
LEFT JOIN parliament.sagskategori g ON g.id = c.kategoriid
LEFT JOIN parliament.sag r ON r.id = c.fremsatundersagid
LEFT JOIN parliament.sag w ON w.id = c.deltundersagid
WHERE c.id = $1::bigint`
	// ofParty is the ids of cases that have an actor of a party. A group has an id of its
	// own in each Periode.
	ofParty = `SELECT l.sagid FROM parliament.sagaktoer l
JOIN parliament.sag x ON x.id = l.sagid
JOIN (SELECT i."aktørid" AS member, i.gruppeid FROM parliament.partimedlemskab i WHERE i.gruppeid = ANY (%[1]s)
    UNION ALL SELECT g, g FROM unnest(%[1]s) AS u (g)) q ON q.member = l."aktørid"
JOIN parliament.aktoer g ON g.id = q.gruppeid AND g.periodeid = x.periodeid`
)

// Cases returns cases, the one that the source entered last first: by id.
func (r *Reader) Cases(ctx context.Context, f CaseFilter, after string, limit int) (List[Case], error) {
	return readList[Case](ctx, r, &listing{
		name: "cases", columns: caseColumns, tables: caseTables,
		id: "c.id", sought: "parliament.sag c", keys: []sortKey{highest("c.id")},
	}, f.narrow, after, limit)
}

// narrow adds the filter's conditions.
func (f CaseFilter) narrow(ctx context.Context, tx pgx.Tx, l *listing) error {
	if err := l.among("actor", f.Actor, "c.id", `SELECT l.sagid FROM parliament.sagaktoer l WHERE l."aktørid"`); err != nil {
		return err
	}
	if err := l.contains("q", f.Q, "c.nummer", "c.titel", "c.titelkort", "c.resume"); err != nil {
		return err
	}
	if f.From != "" || f.To != "" {
		steps := &listing{compiler: l.compiler}
		if err := steps.between("t.dato", f.From, f.To); err != nil {
			return err
		}
		l.add("c.id IN (SELECT t.sagid FROM parliament.sagstrin t WHERE " + steps.condition() + ")")
	}
	return l.named(ctx, tx,
		bySession(f.Session, "c.periodeid = ANY (%[1]s)"),
		byType(f.Type, "Sagstype", "parliament.sagstype", "c.typeid = ANY (%[1]s)"),
		byStatus(f.Status, "Sagsstatus", "parliament.sagsstatus", "c.statusid = ANY (%[1]s)"),
		byParty(f.Party, "c.id IN ("+ofParty+")"))
}

// Case returns a case: ErrNoRow if there is none.
func (r *Reader) Case(ctx context.Context, id int64) (c CaseDetail, err error) {
	err = r.snapshot(ctx, func(tx pgx.Tx) error {
		if c, err = only[CaseDetail](ctx, tx, caseDetail, id); err != nil {
			return err
		}
		for _, read := range []func(context.Context, pgx.Tx) error{c.readCases, c.readSteps, c.readActors, c.readDocuments, c.readVotes} {
			if err := read(ctx, tx); err != nil {
				return err
			}
		}
		return nil
	})
	return c, err
}

// readCases reads the cases that refer to the case.
func (c *CaseDetail) readCases(ctx context.Context, tx pgx.Tx) error {
	const raised, part = 0, 1
	cases, err := collectBy[CaseRef](ctx, tx, `SELECT s.id, s.nummer, s.titel, 0::bigint AS n FROM parliament.sag s WHERE s.fremsatundersagid = $1::bigint
UNION ALL SELECT s.id, s.nummer, s.titel, 1::bigint FROM parliament.sag s WHERE s.deltundersagid = $1::bigint ORDER BY n, id`, c.ID)
	c.Raised, c.Parts = orEmpty(cases[raised]), orEmpty(cases[part])
	return err
}

func (c *CaseDetail) readSteps(ctx context.Context, tx pgx.Tx) (err error) {
	c.Steps, err = collect[Step](ctx, tx, `SELECT t.id, to_json(t.dato) #>> '{}', t.titel, k.type, u.status FROM parliament.sagstrin t
LEFT JOIN parliament.sagstrinstype k ON k.id = t.typeid
LEFT JOIN parliament.sagstrinsstatus u ON u.id = t.statusid
WHERE t.sagid = $1::bigint ORDER BY t.dato NULLS FIRST, t.id`, c.ID)
	if err != nil {
		return err
	}
	actors, err := collectBy[Participant](ctx, tx, `SELECT l."aktørid", p.navn, r.rolle, l.sagstrinid::bigint FROM parliament.sagstrinaktoer l
LEFT JOIN parliament.aktoer p ON p.id = l."aktørid"
LEFT JOIN parliament.sagstrinaktoerrolle r ON r.id = l.rolleid
WHERE l.sagstrinid = ANY ($1::bigint[]) ORDER BY l.id`, idsOf(c.Steps, func(s Step) int64 { return s.ID }))
	for i, s := range c.Steps {
		c.Steps[i].Actors = orEmpty(actors[s.ID])
	}
	return err
}

func (c *CaseDetail) readActors(ctx context.Context, tx pgx.Tx) (err error) {
	c.Actors, err = collect[Participant](ctx, tx, `SELECT l."aktørid", p.navn, r.rolle FROM parliament.sagaktoer l
LEFT JOIN parliament.aktoer p ON p.id = l."aktørid"
LEFT JOIN parliament.sagaktoerrolle r ON r.id = l.rolleid
WHERE l.sagid = $1::bigint ORDER BY l.id`, c.ID)
	return err
}

func (c *CaseDetail) readDocuments(ctx context.Context, tx pgx.Tx) (err error) {
	c.Documents, err = collect[CaseDocument](ctx, tx, `SELECT `+documentColumns+`, r.rolle, l.bilagsnummer, d."spørgsmålsid"::bigint
FROM `+documentTables+` JOIN parliament.sagdokument l ON l.dokumentid = d.id
LEFT JOIN parliament.sagdokumentrolle r ON r.id = l.rolleid
WHERE l.sagid = $1::bigint ORDER BY d.dato NULLS FIRST, d.id, l.id`, c.ID)
	if err != nil {
		return err
	}
	ids := idsOf(c.Documents, func(d CaseDocument) int64 { return d.ID })
	files, err := readFiles(ctx, tx, ids)
	if err != nil {
		return err
	}
	answers, err := readAnswers(ctx, tx, ids)
	for i, d := range c.Documents {
		c.Documents[i].Files, c.Documents[i].Answers = orEmpty(files[d.ID]), orEmpty(answers[d.ID])
	}
	return err
}

func (c *CaseDetail) readVotes(ctx context.Context, tx pgx.Tx) (err error) {
	c.Votes, err = collect[Vote](ctx, tx, "SELECT "+voteColumns+" FROM "+voteTables+" WHERE t.sagid = $1::bigint ORDER BY m.dato NULLS FIRST, a.id", c.ID)
	return err
}

// idsOf returns the ids of a list.
func idsOf[T any](list []T, id func(T) int64) []int64 {
	ids := make([]int64, len(list))
	for i, item := range list {
		ids[i] = id(item)
	}
	return ids
}
