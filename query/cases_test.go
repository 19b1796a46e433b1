package query_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"odastream/query"
)

func (m memory) caseOf(c fields) query.Case {
	return query.Case{
		ID: c.id(), Number: c.text("nummer"), Title: c.text("titel"), Type: m.word("Sagstype", "type", c, "typeid"),
		Status: m.word("Sagsstatus", "status", c, "statusid"), Period: m.word("Periode", "titel", c, "periodeid"), Updated: c.clock("opdateringsdato"),
	}
}

func (m memory) caseDetail(c fields) query.CaseDetail {
	ref := func(c fields) query.CaseRef { id := c.id(); return *m.caseRef(&id) }
	steps := m.of("Sagstrin", "sagid", c.id())
	slices.SortStableFunc(steps, oldestFirst(on("dato")))
	d := query.CaseDetail{
		Case: m.caseOf(c), ShortTitle: c.text("titelkort"), Category: m.word("Sagskategori", "kategori", c, "kategoriid"), Summary: c.text("resume"),
		Conclusion: c.text("afstemningskonklusion"), Decision: c.text("afgørelse"), Decided: c.clock("afgørelsesdato"),
		LawNumber: c.text("lovnummer"), LawURL: c.text("retsinformationsurl"),
		RaisedUnder: m.caseRef(c.number("fremsatundersagid")), PartOf: m.caseRef(c.number("deltundersagid")),
		Raised: items(m.of("Sag", "fremsatundersagid", c.id()), ref), Parts: items(m.of("Sag", "deltundersagid", c.id()), ref),
		Actors: m.participants(m.of("SagAktør", "sagid", c.id()), "SagAktørRolle"),
		Steps: items(steps, func(s fields) query.Step {
			return query.Step{
				ID: s.id(), Date: s.clock("dato"), Title: s.text("titel"), Type: m.word("Sagstrinstype", "type", s, "typeid"),
				Status: m.word("Sagstrinsstatus", "status", s, "statusid"), Actors: m.participants(m.of("SagstrinAktør", "sagstrinid", s.id()), "SagstrinAktørRolle"),
			}
		}),
		Documents: []query.CaseDocument{},
	}
	links := slices.DeleteFunc(m.of("SagDokument", "sagid", c.id()), func(l fields) bool { return m.find("Dokument", l.number("dokumentid")) == nil })
	document := func(l fields) fields { return m.find("Dokument", l.number("dokumentid")) }
	slices.SortStableFunc(links, func(a, b fields) int { return oldestFirst(on("dato"))(document(a), document(b)) })
	for _, l := range links {
		doc := document(l)
		d.Documents = append(d.Documents, query.CaseDocument{
			Document: m.document(doc), Role: m.word("SagDokumentRolle", "rolle", l, "rolleid"), Number: l.text("bilagsnummer"),
			Question: doc.number("spørgsmålsid"), Answers: items(m.of("Dokument", "spørgsmålsid", doc.id()), m.documentRef),
		})
	}
	var votes []fields
	for _, s := range steps {
		votes = append(votes, m.of("Afstemning", "sagstrinid", s.id())...)
	}
	slices.SortStableFunc(votes, oldestFirstVote(m))
	d.Votes = items(votes, m.vote)
	return d
}

func oldestFirstVote(m memory) func(a, b fields) int {
	return oldestFirst(func(a fields) *time.Time { return m.find("Møde", a.number("mødeid")).moment("dato") })
}

// selectsCase reports whether a filter selects a case.
func (m memory) selectsCase(f query.CaseFilter, c fields) bool {
	acts := f.Actor == ""
	party := f.Party == ""
	for _, l := range m.of("SagAktør", "sagid", c.id()) {
		acts = acts || fmt.Sprint(l["aktørid"]) == f.Actor
		for _, b := range m.memberships() {
			inSession := c.number("periodeid") != nil && b.group.is("periodeid", *c.number("periodeid"))
			party = party || inSession && (l.is("aktørid", b.member) || l.is("aktørid", b.group.id())) && *b.party() == f.Party
		}
	}
	steps := f.From == "" && f.To == ""
	for _, s := range m.of("Sagstrin", "sagid", c.id()) {
		steps = steps || within(s.moment("dato"), f.From, f.To)
	}
	return acts && party && steps && has(f.Q, c.text("nummer"), c.text("titel"), c.text("titelkort"), c.text("resume")) &&
		m.named("Periode", []string{"kode", "titel"}, c, "periodeid", f.Session) && m.named("Sagstype", []string{"type"}, c, "typeid", f.Type) &&
		m.named("Sagsstatus", []string{"status"}, c, "statusid", f.Status)
}

func TestCasesAreThoseOfAnEvaluationInMemory(t *testing.T) {
	t.Parallel()
	p := chained(t, 0.2)
	m := remembered(t, p.sim)
	compareItems(t, m["Sag"], m.caseDetail, func(id int64) (query.CaseDetail, error) { return p.reader.Case(t.Context(), id) })
	for _, f := range []query.CaseFilter{
		{},
		{Session: *m.word("Periode", "titel", m["Sag"][9], "periodeid")},
		{Type: "lovforslag", Status: *m["Sagsstatus"][0].text("status")},
		{Actor: fmt.Sprint(m["SagAktør"][0]["aktørid"])},
		{Party: "V"},
		{Q: "forslag LOV"},
		{From: "2023-03-01", To: "2024-03-01"},
		{To: "2023-03-01"},
	} {
		want := filtered(m["Sag"], func(c fields) bool { return m.selectsCase(f, c) }, lastFirst, m.caseOf)
		got := pages(t, 7, func(after string, limit int) (query.List[query.Case], error) {
			return p.reader.Cases(t.Context(), f, after, limit)
		})
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("cases of %+v (-memory +copy):\n%s", f, diff)
		}
		t.Logf("%d cases of %+v", len(got), f)
	}
}

// A member of a party counts for the cases of the session in which the party's group was
// the member's.
func TestCasesOfAPartyAreThoseOfItsSession(t *testing.T) {
	t.Parallel()
	p := made(t, map[string][]string{
		"Periode": {`"kode":"20141"`, `"kode":"20151"`},
		"Aktør": {
			`"typeid":5,"navn":"Ida"`, `"typeid":4,"gruppenavnkort":"S","navn":"Socialdemokratiet","periodeid":1`,
			`"typeid":4,"gruppenavnkort":"V","navn":"Venstre","periodeid":2`, `"typeid":4,"gruppenavnkort":"S","navn":"Socialdemokratiet","periodeid":2`,
		},
		"AktørAktør": {`"fraaktørid":1,"tilaktørid":2`, `"fraaktørid":3,"tilaktørid":1`},
		"Sag":        {`"periodeid":1`, `"periodeid":2`, `"periodeid":2`, `"periodeid":1`, `"periodeid":null`},
		"SagAktør":   {`"sagid":1,"aktørid":1`, `"sagid":2,"aktørid":1`, `"sagid":3,"aktørid":4`, `"sagid":4,"aktørid":3`, `"sagid":5,"aktørid":1`},
	})
	for party, want := range map[string]string{"S": "[3 1]", "socialdemokratiet": "[3 1]", "v": "[2]"} {
		page, err := p.reader.Cases(t.Context(), query.CaseFilter{Party: party}, "", 10)
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(items(page.Items, func(c query.Case) int64 { return c.ID })); got != want {
			t.Errorf("cases of %s are %s, want %s", party, got, want)
		}
	}
}
