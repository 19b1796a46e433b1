package query

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"odastream/schema"
)

// Change is a change of a row, told in short: History has its content.
type Change struct {
	Entity     string
	ID         int64
	Title      *string // of the row, or of what it is a part of; null if it has none
	Action     string  // "create", "update" or "delete"
	Changed    []string
	Seq        int64     // with Entity and ID it names the change, in every copy of the topics
	RecordedAt time.Time // when it was applied
}

// What a first load brought is no change: the history begins behind it. The order is that
// in which transactions wrote the changes, which an index has.
const (
	changesOfRows = `SELECT h.entity_type, h.entity_id, r.title, h.action, h.changed, h.seq, h.recorded_at
FROM parliamentary_history h JOIN (%s) r (entity, id, title) ON r.entity = h.entity_type AND r.id = h.entity_id` + newestChanges
	changesOfEntity = `SELECT h.entity_type, h.entity_id, COALESCE(d.data ->> 'titel', d.data ->> 'navn', h.before ->> 'titel', h.before ->> 'navn'),
    h.action, h.changed, h.seq, h.recorded_at
FROM parliamentary_history h LEFT JOIN parliamentary_data d ON d.entity_type = h.entity_type AND d.entity_id = h.entity_id
WHERE h.entity_type = %s` + newestChanges
	newestChanges = ` ORDER BY h.xid DESC, h.recorded_at DESC, h.seq DESC, h.entity_type, h.entity_id LIMIT %s`
)

// The entity, id and title of the rows of lists.
const (
	caseTitle      = `NULLIF(concat_ws(' ', c.nummer, c.titel), '')`
	changedCases   = `'Sag'::text, c.id, ` + caseTitle
	changedActors  = `'Aktør'::text, p.id, p.navn`
	changedVotes   = `'Afstemning'::text, a.id, ` + caseTitle
	changedDocs    = `'Dokument'::text, d.id, d.titel`
	changedMeeting = `'Møde'::text, m.id, m.titel`
	changedHits    = `CASE h.type WHEN 'actor' THEN 'Aktør' WHEN 'case' THEN 'Sag' ELSE 'Dokument' END, h.id, h.title`
)

// The rows of a case and of an actor. Both have their own row whether or not it exists:
// its end is a change too.
const (
	rowsOfCase = `SELECT 'Sag'::text, $1::bigint, (SELECT ` + caseTitle + ` FROM parliament.sag c WHERE c.id = $1::bigint)
UNION SELECT 'Sagstrin', t.id, t.titel FROM parliament.sagstrin t WHERE t.sagid = $1::bigint
UNION SELECT 'SagAktør', l.id, p.navn FROM parliament.sagaktoer l LEFT JOIN parliament.aktoer p ON p.id = l."aktørid" WHERE l.sagid = $1::bigint
UNION SELECT 'SagDokument', l.id, d.titel FROM parliament.sagdokument l LEFT JOIN parliament.dokument d ON d.id = l.dokumentid WHERE l.sagid = $1::bigint
UNION SELECT 'Dokument', d.id, d.titel FROM parliament.sagdokument l JOIN parliament.dokument d ON d.id = l.dokumentid WHERE l.sagid = $1::bigint
UNION SELECT 'Afstemning', a.id, t.titel FROM parliament.afstemning a JOIN parliament.sagstrin t ON t.id = a.sagstrinid WHERE t.sagid = $1::bigint`
	rowsOfActor = `SELECT 'Aktør'::text, $1::bigint, (SELECT p.navn FROM parliament.aktoer p WHERE p.id = $1::bigint)
UNION ALL SELECT 'AktørAktør', m.id, p.navn FROM parliament.aktoeraktoer m LEFT JOIN parliament.aktoer p ON p.id = m."tilaktørid" WHERE m."fraaktørid" = $1::bigint
UNION ALL SELECT 'AktørAktør', m.id, p.navn FROM parliament.aktoeraktoer m LEFT JOIN parliament.aktoer p ON p.id = m."fraaktørid" WHERE m."tilaktørid" = $1::bigint AND m."fraaktørid" IS DISTINCT FROM m."tilaktørid"
UNION ALL SELECT 'SagAktør', l.id, ` + caseTitle + ` FROM parliament.sagaktoer l LEFT JOIN parliament.sag c ON c.id = l.sagid WHERE l."aktørid" = $1::bigint
UNION ALL SELECT 'DokumentAktør', l.id, d.titel FROM parliament.dokumentaktoer l LEFT JOIN parliament.dokument d ON d.id = l.dokumentid WHERE l."aktørid" = $1::bigint
UNION ALL SELECT 'MødeAktør', l.id, m.titel FROM parliament.moedeaktoer l LEFT JOIN parliament.moede m ON m.id = l."mødeid" WHERE l."aktørid" = $1::bigint
UNION ALL SELECT 'Stemme', s.id, ` + caseTitle + ` FROM parliament.stemme s
LEFT JOIN parliament.afstemning a ON a.id = s.afstemningid LEFT JOIN parliament.sagstrin t ON t.id = a.sagstrinid LEFT JOIN parliament.sag c ON c.id = t.sagid
WHERE s."aktørid" = $1::bigint`
)

// CaseChanges returns the newest changes of the cases of a list, the newest first.
func (r *Reader) CaseChanges(ctx context.Context, f CaseFilter, limit int) ([]Change, error) {
	return r.changesOfList(ctx, changedCases, "parliament.sag c", f.narrow, limit)
}

// ActorChanges returns the newest changes of the actors of a list, the newest first.
func (r *Reader) ActorChanges(ctx context.Context, f ActorFilter, limit int) ([]Change, error) {
	return r.changesOfList(ctx, changedActors, "parliament.aktoer p", f.narrow, limit)
}

// VoteChanges returns the newest changes of the votes of a list, the newest first.
func (r *Reader) VoteChanges(ctx context.Context, f VoteFilter, limit int) ([]Change, error) {
	return r.changesOfList(ctx, changedVotes, voteTables, f.narrow, limit)
}

// DocumentChanges returns the newest changes of the documents of a list, the newest first.
func (r *Reader) DocumentChanges(ctx context.Context, f DocumentFilter, limit int) ([]Change, error) {
	return r.changesOfList(ctx, changedDocs, "parliament.dokument d", f.narrow, limit)
}

// MeetingChanges returns the newest changes of the meetings of a list, the newest first.
func (r *Reader) MeetingChanges(ctx context.Context, f MeetingFilter, limit int) ([]Change, error) {
	return r.changesOfList(ctx, changedMeeting, "parliament.moede m", f.narrow, limit)
}

// SearchChanges returns the newest changes of what a search finds, the newest first.
func (r *Reader) SearchChanges(ctx context.Context, f SearchFilter, limit int) ([]Change, error) {
	return r.changesOfList(ctx, changedHits, "", f.narrow, limit)
}

// ChangesOfCase returns the newest changes of a case, its steps, actors, documents and
// votes, the newest first: ErrNoRow if there never was such a case.
func (r *Reader) ChangesOfCase(ctx context.Context, id int64, limit int) ([]Change, error) {
	return r.changesOfOne(ctx, "Sag", rowsOfCase, id, limit)
}

// ChangesOfActor returns the newest changes of an actor, and of its memberships, cases,
// documents, meetings and votes, the newest first: ErrNoRow if there never was such an actor.
func (r *Reader) ChangesOfActor(ctx context.Context, id int64, limit int) ([]Change, error) {
	return r.changesOfOne(ctx, "Aktør", rowsOfActor, id, limit)
}

// ChangesOfEntity returns the newest changes of an entity, the newest first: deletes among
// them. It returns a *schema.UnknownEntityError if the source has no such entity.
func (r *Reader) ChangesOfEntity(ctx context.Context, entity string, limit int) (list []Change, err error) {
	e, err := schema.Lookup(entity)
	if err != nil {
		return nil, err
	}
	err = r.snapshot(ctx, func(tx pgx.Tx) error {
		list, err = collect[Change](ctx, tx, fmt.Sprintf(changesOfEntity, "$1::text", "$2::bigint"), e.Name, max(limit, 1))
		return err
	})
	return list, err
}

// changesOfList returns the newest changes of the rows of a list that narrow leaves.
func (r *Reader) changesOfList(ctx context.Context, columns, tables string, narrow func(context.Context, pgx.Tx, *listing) error, limit int) (list []Change, err error) {
	l := &listing{compiler: newCompiler(nil), tables: tables}
	err = r.snapshot(ctx, func(tx pgx.Tx) error {
		if err := narrow(ctx, tx, l); err != nil {
			return err
		}
		rows := "SELECT " + columns + " FROM " + l.tables + " WHERE " + l.condition()
		list, err = collect[Change](ctx, tx, fmt.Sprintf(changesOfRows, rows, l.arg(max(limit, 1), "bigint")), l.args...)
		return err
	})
	return list, err
}

// changesOfOne returns the newest changes of a row and of those that belong to it.
func (r *Reader) changesOfOne(ctx context.Context, entity, rows string, id int64, limit int) (list []Change, err error) {
	err = r.snapshot(ctx, func(tx pgx.Tx) error {
		if err := known(ctx, tx, entity, id); err != nil {
			return err
		}
		list, err = collect[Change](ctx, tx, fmt.Sprintf(changesOfRows, rows, "$2::bigint"), id, max(limit, 1))
		return err
	})
	return list, err
}
