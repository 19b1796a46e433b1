package query

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// DocumentFilter says which documents a list has. An empty text filters nothing.
type DocumentFilter struct {
	Type   string // the name of a Dokumenttype
	Status string // the name of a Dokumentstatus
	Actor  string // the id of an Aktør of the document
	Q      string // words of the title, or of the question's title or text
	From   string // the first day, such as 2026-01-31
	To     string // the last day
}

// Document is a Dokument.
type Document struct {
	ID       int64   `json:"id"`
	Date     *string `json:"date" edm:"Edm.DateTime"` // Danish wall clock
	Title    *string `json:"title"`
	Type     *string `json:"type"`
	Category *string `json:"category"`
	Status   *string `json:"status"`
	Files    []File  `json:"files" db:"-"` // by id
}

// File is a Fil: a form of a document.
type File struct {
	Title   *string `json:"title"`
	Format  *string `json:"format"`
	Variant *string `json:"variant"`
	Date    *string `json:"date"` // of the version: Danish wall clock
	URL     *string `json:"url"`
}

// DocumentRef names a document.
type DocumentRef struct {
	ID    int64   `json:"id"`
	Date  *string `json:"date"`
	Title *string `json:"title"`
	Type  *string `json:"type"`
}

// DocumentDetail is a document with what belongs to it.
type DocumentDetail struct {
	Document
	Received      *string       `json:"received"` // Danish wall clock
	Released      *string       `json:"released"` // Danish wall clock
	QuestionTitle *string       `json:"question_title"`
	QuestionText  *string       `json:"question_text"`
	Question      *DocumentRef  `json:"question"`       // the one that it answers
	Answers       []DocumentRef `json:"answers" db:"-"` // those that answer it, by id
	Actors        []Participant `json:"actors" db:"-"`
	Cases         []CaseRef     `json:"cases" db:"-"` // by id
}

const (
	documentColumns = `d.id, to_json(d.dato) #>> '{}', d.titel, dk.type, dg.kategori, du.status`
	documentTables  = `parliament.dokument d
LEFT JOIN parliament.dokumenttype dk ON dk.id = d.typeid
LEFT JOIN parliament.dokumentkategori dg ON dg.id = d.kategoriid
LEFT JOIN parliament.dokumentstatus du ON du.id = d.statusid`
	documentDetail = `SELECT ` + documentColumns + `, to_json(d.modtagelsesdato) #>> '{}', to_json(d.frigivelsesdato) #>> '{}',
    d."spørgsmålstitel", d."spørgsmålsordlyd",
    CASE WHEN q.id IS NOT NULL THEN json_build_object('id', q.id, 'date', q.dato, 'title', q.titel, 'type', qk.type) END
FROM ` + documentTables + `
LEFT JOIN parliament.dokument q ON q.id = d."spørgsmålsid"
LEFT JOIN parliament.dokumenttype qk ON qk.id = q.typeid
WHERE d.id = $1::bigint`
)

// Documents returns documents with their files, the one that the source entered last
// first: by id.
func (r *Reader) Documents(ctx context.Context, f DocumentFilter, after string, limit int) (List[Document], error) {
	return readList(ctx, r, &listing{
		name: "documents", columns: documentColumns, tables: documentTables,
		id: "d.id", sought: "parliament.dokument d", keys: []sortKey{highest("d.id")},
	}, f.narrow, after, limit, addFiles)
}

// addFiles adds the files of documents.
func addFiles(ctx context.Context, tx pgx.Tx, list []Document) error {
	files, err := readFiles(ctx, tx, idsOf(list, func(d Document) int64 { return d.ID }))
	for i, d := range list {
		list[i].Files = orEmpty(files[d.ID])
	}
	return err
}

// narrow adds the filter's conditions.
func (f DocumentFilter) narrow(ctx context.Context, tx pgx.Tx, l *listing) error {
	if err := l.among("actor", f.Actor, "d.id", `SELECT l.dokumentid FROM parliament.dokumentaktoer l WHERE l."aktørid"`); err != nil {
		return err
	}
	if err := l.contains("q", f.Q, "d.titel", `d."spørgsmålstitel"`, `d."spørgsmålsordlyd"`); err != nil {
		return err
	}
	if err := l.between("d.dato", f.From, f.To); err != nil {
		return err
	}
	return l.named(ctx, tx,
		byType(f.Type, "Dokumenttype", "parliament.dokumenttype", "d.typeid = ANY (%[1]s)"),
		byStatus(f.Status, "Dokumentstatus", "parliament.dokumentstatus", "d.statusid = ANY (%[1]s)"))
}

// Document returns a document: ErrNoRow if there is none.
func (r *Reader) Document(ctx context.Context, id int64) (d DocumentDetail, err error) {
	err = r.snapshot(ctx, func(tx pgx.Tx) error {
		if d, err = only[DocumentDetail](ctx, tx, documentDetail, id); err != nil {
			return err
		}
		files, err := readFiles(ctx, tx, []int64{id})
		if err != nil {
			return err
		}
		answers, err := readAnswers(ctx, tx, []int64{id})
		if err != nil {
			return err
		}
		d.Files, d.Answers = orEmpty(files[id]), orEmpty(answers[id])
		return d.readLinks(ctx, tx)
	})
	return d, err
}

// readLinks reads the actors and the cases of the document.
func (d *DocumentDetail) readLinks(ctx context.Context, tx pgx.Tx) (err error) {
	d.Actors, err = collect[Participant](ctx, tx, `SELECT l."aktørid", p.navn, r.rolle FROM parliament.dokumentaktoer l
LEFT JOIN parliament.aktoer p ON p.id = l."aktørid"
LEFT JOIN parliament.dokumentaktoerrolle r ON r.id = l.rolleid
WHERE l.dokumentid = $1::bigint ORDER BY l.id`, d.ID)
	if err != nil {
		return err
	}
	d.Cases, err = collect[CaseRef](ctx, tx, `SELECT DISTINCT c.id, c.nummer, c.titel FROM parliament.sagdokument l
JOIN parliament.sag c ON c.id = l.sagid WHERE l.dokumentid = $1::bigint ORDER BY c.id`, d.ID)
	return err
}

// readFiles returns the files of documents, by the id of the document.
func readFiles(ctx context.Context, tx pgx.Tx, documents []int64) (map[int64][]File, error) {
	return collectBy[File](ctx, tx, `SELECT f.titel, f.format, f.variantkode, to_json(f.versionsdato) #>> '{}', f.filurl, f.dokumentid::bigint
FROM parliament.fil f WHERE f.dokumentid = ANY ($1::bigint[]) ORDER BY f.id`, documents)
}

// readAnswers returns the documents that answer others, by the id of the one with the
// question.
func readAnswers(ctx context.Context, tx pgx.Tx, questions []int64) (map[int64][]DocumentRef, error) {
	return collectBy[DocumentRef](ctx, tx, `SELECT d.id, to_json(d.dato) #>> '{}', d.titel, k.type, d."spørgsmålsid"::bigint
FROM parliament.dokument d LEFT JOIN parliament.dokumenttype k ON k.id = d.typeid
WHERE d."spørgsmålsid" = ANY ($1::bigint[]) ORDER BY d.id`, questions)
}
