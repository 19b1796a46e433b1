package query_test

import (
	"cmp"
	"fmt"
	"slices"
	"testing"

	diff "github.com/google/go-cmp/cmp"

	"odastream/query"
)

func (m memory) meeting(f fields) query.Meeting {
	return query.Meeting{
		ID: f.id(), Date: f.clock("dato"), Title: f.text("titel"), Number: f.text("nummer"), Type: m.word("Mødetype", "type", f, "typeid"),
		Status: m.word("Mødestatus", "status", f, "statusid"), Period: m.word("Periode", "titel", f, "periodeid"), Room: f.text("lokale"),
		Updated: f.clock("opdateringsdato"),
	}
}

func (m memory) meetingDetail(f fields) query.MeetingDetail {
	actors := m.of("MødeAktør", "mødeid", f.id())
	slices.SortStableFunc(actors, func(a, b fields) int {
		return cmp.Or(nullsLast(m.word("Aktør", "navn", a, "aktørid"), m.word("Aktør", "navn", b, "aktørid")), lastFirst(b, a))
	})
	d := query.MeetingDetail{
		Meeting: m.meeting(f), StartNote: f.text("starttidsbemærkning"), AgendaURL: f.text("dagsordenurl"),
		Participants: items(actors, func(l fields) query.Attendee {
			return query.Attendee{Actor: l.number("aktørid"), Name: m.word("Aktør", "navn", l, "aktørid")}
		}),
		Votes: items(m.of("Afstemning", "mødeid", f.id()), m.vote), Agenda: []query.AgendaItem{},
	}
	for _, i := range m.of("Dagsordenspunkt", "mødeid", f.id()) {
		item := query.AgendaItem{
			ID: i.id(), Number: i.text("nummer"), Title: i.text("titel"), Comment: i.text("kommentar"), Parent: i.number("superid"), Step: i.number("sagstrinid"),
			Cases: []query.CaseRef{}, Documents: []query.DocumentRef{},
		}
		for _, l := range m.of("DagsordenspunktSag", "dagsordenspunktid", i.id()) {
			if ref := m.caseRef(l.number("sagid")); ref != nil {
				item.Cases = append(item.Cases, *ref)
			}
		}
		for _, l := range m.of("DagsordenspunktDokument", "dagsordenspunktid", i.id()) {
			if doc := m.find("Dokument", l.number("dokumentid")); doc != nil {
				item.Documents = append(item.Documents, m.documentRef(doc))
			}
		}
		d.Agenda = append(d.Agenda, item)
	}
	return d
}

func TestMeetingsAreThoseOfAnEvaluationInMemory(t *testing.T) {
	t.Parallel()
	p := simulated(t, 0.2)
	m := remembered(t, p.sim)
	compareItems(t, m["Møde"], m.meetingDetail, func(id int64) (query.MeetingDetail, error) { return p.reader.Meeting(t.Context(), id) })
	for _, f := range []query.MeetingFilter{
		{},
		{Session: *m.word("Periode", "titel", m["Møde"][0], "periodeid"), Type: *m.word("Mødetype", "type", m["Møde"][0], "typeid")},
		{Status: *m.word("Mødestatus", "status", m["Møde"][0], "statusid"), Q: "møde 1"},
		{Actor: fmt.Sprint(m["MødeAktør"][0]["aktørid"])},
		{From: "2023-03-01", To: "2024-03-01"},
	} {
		selects := func(i fields) bool {
			takes := f.Actor == "" || slices.ContainsFunc(m.of("MødeAktør", "mødeid", i.id()), func(l fields) bool { return fmt.Sprint(l["aktørid"]) == f.Actor })
			return takes && has(f.Q, i.text("titel")) && within(i.moment("dato"), f.From, f.To) && m.named("Mødetype", []string{"type"}, i, "typeid", f.Type) &&
				m.named("Mødestatus", []string{"status"}, i, "statusid", f.Status) && m.named("Periode", []string{"kode", "titel"}, i, "periodeid", f.Session)
		}
		want := filtered(m["Møde"], selects, newestFirst(on("dato")), m.meeting)
		got := pages(t, 7, func(after string, limit int) (query.List[query.Meeting], error) {
			return p.reader.Meetings(t.Context(), f, after, limit)
		})
		if d := diff.Diff(want, got); d != "" {
			t.Fatalf("meetings of %+v (-memory +copy):\n%s", f, d)
		}
		t.Logf("%d meetings of %+v", len(got), f)
	}
}
