package query

import (
	"context"
	"strings"

	"github.com/jackc/pgx/v5"
)

// SearchFilter says what is searched for.
type SearchFilter struct {
	Q    string // words, each of which is a part of a title or a name
	Type string // "actor", "case" or "document"; "" is all
}

// Hit is a row that was found.
type Hit struct {
	Type  string  `json:"type"` // "actor", "case" or "document"
	ID    int64   `json:"id"`
	Title *string `json:"title"`                   // of an actor the name
	Label *string `json:"label"`                   // the short name of an actor, the number of a case
	Date  *string `json:"date" edm:"Edm.DateTime"` // of a document: Danish wall clock
}

// A hit's place is that of its type; within one it is found by id.
const (
	foundActors    = `SELECT 'actor'::text, p.id, p.navn, p.gruppenavnkort, NULL::timestamp, 3::bigint FROM parliament.aktoer p`
	foundCases     = `SELECT 'case'::text, c.id, c.titel, c.nummer, NULL::timestamp, 2::bigint FROM parliament.sag c`
	foundDocuments = `SELECT 'document'::text, d.id, d.titel, NULL::text, d.dato, 1::bigint FROM parliament.dokument d`
)

// Search returns what has all words of a text in its title or name: actors first, then
// cases, then documents, of each the one that the source entered last first. There is no
// index of words: the session's statement_timeout bounds it.
func (r *Reader) Search(ctx context.Context, f SearchFilter, after string, limit int) (List[Hit], error) {
	return readList[Hit](ctx, r, &listing{
		name: "search", columns: "h.type, h.id, h.title, h.label, to_json(h.date) #>> '{}'",
		keys: []sortKey{{expr: "h.place", raw: cast("h.place", "text"), typ: "bigint", desc: true}, highest("h.id")},
	}, f.narrow, after, limit)
}

// narrow says where the list searches, and for what.
func (f SearchFilter) narrow(_ context.Context, _ pgx.Tx, l *listing) error {
	if strings.TrimSpace(f.Q) == "" {
		return &FilterError{Parameter: "q", Value: f.Q, Want: "a word to search for"}
	}
	var parts []string
	for _, of := range []struct {
		typ, found string
		columns    []string
	}{
		{"actor", foundActors, []string{"p.navn", "p.gruppenavnkort"}},
		{"case", foundCases, []string{"c.titel", "c.titelkort", "c.nummer"}},
		{"document", foundDocuments, []string{"d.titel"}},
	} {
		if f.Type != "" && f.Type != of.typ {
			continue
		}
		words := &listing{compiler: l.compiler}
		if err := words.contains("q", f.Q, of.columns...); err != nil {
			return err
		}
		parts = append(parts, of.found+" WHERE "+words.condition())
	}
	if len(parts) == 0 {
		return &FilterError{Parameter: "type", Value: f.Type, Want: "actor, case or document"}
	}
	l.tables = "(" + strings.Join(parts, " UNION ALL ") + ") h (type, id, title, label, date, place)"
	return nil
}
