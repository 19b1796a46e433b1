package query

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// MeetingFilter says which meetings a list has. An empty text filters nothing.
type MeetingFilter struct {
	Session string // the code or the title of a Periode
	Type    string // the name of a Mødetype
	Status  string // the name of a Mødestatus
	Actor   string // the id of an Aktør who takes part, such as a committee
	Q       string // words of the title
	From    string // the first day, such as 2026-01-31
	To      string // the last day
}

// Meeting is a Møde.
type Meeting struct {
	ID     int64   `json:"id"`
	Date   *string `json:"date" edm:"Edm.DateTime"` // Danish wall clock, such as 2026-01-31T10:00:00
	Title  *string `json:"title"`
	Number *string `json:"number"`
	Type   *string `json:"type"`
	Status *string `json:"status"`
	Period *string `json:"period"` // such as 2014-15
	Room   *string `json:"room"`

	Updated *string `json:"updated" edm:"Edm.DateTime"` // the source's stamp: Danish wall clock
}

// MeetingDetail is a meeting with its agenda.
type MeetingDetail struct {
	Meeting
	StartNote    *string      `json:"start_note"` // such as kl. 10.00
	AgendaURL    *string      `json:"agenda_url"`
	Agenda       []AgendaItem `json:"agenda" db:"-"`       // by id
	Participants []Attendee   `json:"participants" db:"-"` // by name
	Votes        []Vote       `json:"votes" db:"-"`        // by id
}

// AgendaItem is a Dagsordenspunkt.
type AgendaItem struct {
	ID        int64         `json:"id"`
	Number    *string       `json:"number"`
	Title     *string       `json:"title"`
	Comment   *string       `json:"comment"`
	Parent    *int64        `json:"parent"` // the id of the item that it is a part of
	Step      *int64        `json:"step"`   // the id of the Sagstrin that it is about
	Cases     []CaseRef     `json:"cases" db:"-"`
	Documents []DocumentRef `json:"documents" db:"-"`
}

// Attendee is an actor who takes part in a meeting.
type Attendee struct {
	Actor *int64  `json:"actor"`
	Name  *string `json:"name"`
}

const (
	meetingColumns = `m.id, to_json(m.dato) #>> '{}', m.titel, m.nummer, k.type, u.status, o.titel, m.lokale, to_json(m.opdateringsdato) #>> '{}'`
	meetingTables  = `parliament.moede m
LEFT JOIN parliament.moedetype k ON k.id = m.typeid
LEFT JOIN parliament.moedestatus u ON u.id = m.statusid
LEFT JOIN parliament.periode o ON o.id = m.periodeid`
)

// Meetings returns meetings, the newest first: those to come before them, those without a
// date last.
func (r *Reader) Meetings(ctx context.Context, f MeetingFilter, after string, limit int) (List[Meeting], error) {
	return readList[Meeting](ctx, r, &listing{
		name: "meetings", columns: meetingColumns, tables: meetingTables,
		id: "m.id", sought: "parliament.moede m", keys: []sortKey{newest("m.dato"), highest("m.id")},
	}, f.narrow, after, limit)
}

// narrow adds the filter's conditions.
func (f MeetingFilter) narrow(ctx context.Context, tx pgx.Tx, l *listing) error {
	if err := l.among("actor", f.Actor, "m.id", `SELECT l."mødeid" FROM parliament.moedeaktoer l WHERE l."aktørid"`); err != nil {
		return err
	}
	if err := l.contains("q", f.Q, "m.titel"); err != nil {
		return err
	}
	if err := l.between("m.dato", f.From, f.To); err != nil {
		return err
	}
	return l.named(ctx, tx,
		bySession(f.Session, "m.periodeid = ANY (%[1]s)"),
		byType(f.Type, "Mødetype", "parliament.moedetype", "m.typeid = ANY (%[1]s)"),
		byStatus(f.Status, "Mødestatus", "parliament.moedestatus", "m.statusid = ANY (%[1]s)"))
}

// Meeting returns a meeting: ErrNoRow if there is none.
func (r *Reader) Meeting(ctx context.Context, id int64) (m MeetingDetail, err error) {
	err = r.snapshot(ctx, func(tx pgx.Tx) error {
		m, err = only[MeetingDetail](ctx, tx, "SELECT "+meetingColumns+`, m."starttidsbemærkning", m.dagsordenurl FROM `+meetingTables+" WHERE m.id = $1::bigint", id)
		if err != nil {
			return err
		}
		if err := m.readAgenda(ctx, tx); err != nil {
			return err
		}
		m.Participants, err = collect[Attendee](ctx, tx, `SELECT l."aktørid", p.navn FROM parliament.moedeaktoer l
LEFT JOIN parliament.aktoer p ON p.id = l."aktørid" WHERE l."mødeid" = $1::bigint ORDER BY `+lower("p.navn")+`, l.id`, id)
		if err != nil {
			return err
		}
		m.Votes, err = collect[Vote](ctx, tx, "SELECT "+voteColumns+" FROM "+voteTables+` WHERE a."mødeid" = $1::bigint ORDER BY a.id`, id)
		return err
	})
	return m, err
}

// readAgenda reads the items of the meeting, with their cases and documents.
func (m *MeetingDetail) readAgenda(ctx context.Context, tx pgx.Tx) (err error) {
	m.Agenda, err = collect[AgendaItem](ctx, tx, `SELECT d.id, d.nummer, d.titel, d.kommentar, d.superid, d.sagstrinid
FROM parliament.dagsordenspunkt d WHERE d."mødeid" = $1::bigint ORDER BY d.id`, m.ID)
	if err != nil {
		return err
	}
	ids := idsOf(m.Agenda, func(i AgendaItem) int64 { return i.ID })
	cases, err := collectBy[CaseRef](ctx, tx, `SELECT c.id, c.nummer, c.titel, l.dagsordenspunktid::bigint FROM parliament.dagsordenspunktsag l
JOIN parliament.sag c ON c.id = l.sagid WHERE l.dagsordenspunktid = ANY ($1::bigint[]) ORDER BY l.id`, ids)
	if err != nil {
		return err
	}
	documents, err := collectBy[DocumentRef](ctx, tx, `SELECT d.id, to_json(d.dato) #>> '{}', d.titel, k.type, l.dagsordenspunktid::bigint
FROM parliament.dagsordenspunktdokument l JOIN parliament.dokument d ON d.id = l.dokumentid
LEFT JOIN parliament.dokumenttype k ON k.id = d.typeid
WHERE l.dagsordenspunktid = ANY ($1::bigint[]) ORDER BY l.id`, ids)
	for i, item := range m.Agenda {
		m.Agenda[i].Cases, m.Agenda[i].Documents = orEmpty(cases[item.ID]), orEmpty(documents[item.ID])
	}
	return err
}
