package query_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"odastream/query"
)

func (m memory) document(d fields) query.Document {
	return query.Document{
		ID: d.id(), Date: d.clock("dato"), Title: d.text("titel"), Type: m.word("Dokumenttype", "type", d, "typeid"),
		Category: m.word("Dokumentkategori", "kategori", d, "kategoriid"), Status: m.word("Dokumentstatus", "status", d, "statusid"),
		Files: items(m.of("Fil", "dokumentid", d.id()), func(f fields) query.File {
			return query.File{Title: f.text("titel"), Format: f.text("format"), Variant: f.text("variantkode"), Date: f.clock("versionsdato"), URL: f.text("filurl")}
		}),
	}
}

func (m memory) documentRef(d fields) query.DocumentRef {
	return query.DocumentRef{ID: d.id(), Date: d.clock("dato"), Title: d.text("titel"), Type: m.word("Dokumenttype", "type", d, "typeid")}
}

func (m memory) documentDetail(d fields) query.DocumentDetail {
	detail := query.DocumentDetail{
		Document: m.document(d), Received: d.clock("modtagelsesdato"), Released: d.clock("frigivelsesdato"),
		QuestionTitle: d.text("spørgsmålstitel"), QuestionText: d.text("spørgsmålsordlyd"),
		Answers: items(m.of("Dokument", "spørgsmålsid", d.id()), m.documentRef),
		Actors:  m.participants(m.of("DokumentAktør", "dokumentid", d.id()), "DokumentAktørRolle"),
		Cases:   []query.CaseRef{},
	}
	if q := m.find("Dokument", d.number("spørgsmålsid")); q != nil {
		ref := m.documentRef(q)
		detail.Question = &ref
	}
	for _, c := range m["Sag"] {
		id := c.id()
		if slices.ContainsFunc(m.of("SagDokument", "dokumentid", d.id()), func(l fields) bool { return l.is("sagid", id) }) {
			detail.Cases = append(detail.Cases, *m.caseRef(&id))
		}
	}
	return detail
}

func TestDocumentsAreThoseOfAnEvaluationInMemory(t *testing.T) {
	t.Parallel()
	p := chained(t, 0.2)
	m := remembered(t, p.sim)
	compareItems(t, m["Dokument"], m.documentDetail, func(id int64) (query.DocumentDetail, error) { return p.reader.Document(t.Context(), id) })
	for _, f := range []query.DocumentFilter{
		{},
		{Type: "bilag"},
		{Status: *m.word("Dokumentstatus", "status", m["Dokument"][0], "statusid"), Q: "om"},
		{Actor: fmt.Sprint(m["DokumentAktør"][0]["aktørid"])},
		{From: "2023-03-01", To: "2024-03-01"},
	} {
		selects := func(d fields) bool {
			acts := f.Actor == "" || slices.ContainsFunc(m.of("DokumentAktør", "dokumentid", d.id()), func(l fields) bool { return fmt.Sprint(l["aktørid"]) == f.Actor })
			return acts && has(f.Q, d.text("titel"), d.text("spørgsmålstitel"), d.text("spørgsmålsordlyd")) && within(d.moment("dato"), f.From, f.To) &&
				m.named("Dokumenttype", []string{"type"}, d, "typeid", f.Type) && m.named("Dokumentstatus", []string{"status"}, d, "statusid", f.Status)
		}
		want := filtered(m["Dokument"], selects, lastFirst, m.document)
		got := pages(t, 7, func(after string, limit int) (query.List[query.Document], error) {
			return p.reader.Documents(t.Context(), f, after, limit)
		})
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("documents of %+v (-memory +copy):\n%s", f, diff)
		}
		t.Logf("%d documents of %+v", len(got), f)
	}
}
