package query_test

import (
	"cmp"
	"slices"
	"testing"
	"time"

	diff "github.com/google/go-cmp/cmp"

	"odastream/query"
)

func (m memory) actor(a fields) query.Actor {
	return query.Actor{
		ID: a.id(), Name: a.text("navn"), ShortName: a.text("gruppenavnkort"), Type: m.word("Aktørtype", "type", a, "typeid"),
		Period: m.word("Periode", "titel", a, "periodeid"), From: a.clock("startdato"), To: a.clock("slutdato"),
	}
}

// bounds returns the bounds that an actor sets to its memberships.
func bounds(a fields) (from, to *time.Time) {
	if a.number("typeid") == nil || a.is("typeid", 5) || a.is("typeid", 12) {
		return nil, nil
	}
	return a.moment("startdato"), a.moment("slutdato")
}

// seen returns the memberships of an actor, the newest first: those in committees, or all
// others.
func (m memory) seen(a fields, committees bool) []query.Membership {
	type link struct {
		fields
		other    *int64
		from, to *time.Time
	}
	var links []link
	for _, l := range m["AktørAktør"] {
		for _, ends := range [][2]string{{"fraaktørid", "tilaktørid"}, {"tilaktørid", "fraaktørid"}} {
			other := l.number(ends[1])
			x := m.find("Aktør", other)
			if !l.is(ends[0], a.id()) || x.is("typeid", 3) != committees {
				continue
			}
			from, to := bounds(x)
			ownFrom, ownTo := bounds(a)
			links = append(links, link{l, other, last(l.moment("startdato"), last(from, ownFrom)), first(l.moment("slutdato"), first(to, ownTo))})
		}
	}
	slices.SortStableFunc(links, func(a, b link) int {
		if a.from == nil || b.from == nil {
			return cmp.Or(cmp.Compare(boolean(a.from == nil), boolean(b.from == nil)), lastFirst(a.fields, b.fields))
		}
		return cmp.Or(b.from.Compare(*a.from), lastFirst(a.fields, b.fields))
	})
	list := []query.Membership{}
	for _, l := range links {
		x := m.find("Aktør", l.other)
		list = append(list, query.Membership{
			Actor: l.other, Name: x.text("navn"), ShortName: x.text("gruppenavnkort"), Type: m.word("Aktørtype", "type", x, "typeid"),
			Role: m.word("AktørAktørRolle", "rolle", l.fields, "rolleid"), From: clock(l.from), To: clock(l.to),
		})
	}
	return list
}

func (m memory) actorDetail(a fields, most int) query.ActorDetail {
	votes := m.of("Stemme", "aktørid", a.id())
	division := func(s fields) fields { return m.find("Afstemning", s.number("afstemningid")) }
	slices.SortStableFunc(votes, func(a, b fields) int {
		return cmp.Or(oldestFirstVote(m)(division(b), division(a)), lastFirst(a, b))
	})
	links := slices.DeleteFunc(m.of("SagAktør", "aktørid", a.id()), func(l fields) bool { return m.caseRef(l.number("sagid")) == nil })
	slices.SortStableFunc(links, func(a, b fields) int { return cmp.Compare(*b.number("sagid"), *a.number("sagid")) })
	return query.ActorDetail{
		Actor: m.actor(a), FirstName: a.text("fornavn"), LastName: a.text("efternavn"), Biography: a.text("biografi"),
		Memberships: m.seen(a, false), Committees: m.seen(a, true),
		Votes: items(votes[:min(most, len(votes))], func(s fields) query.ActorVote {
			return query.ActorVote{Vote: m.vote(division(s)), Choice: choice(s)}
		}),
		Cases: items(links[:min(most, len(links))], func(l fields) query.ActorCase {
			return query.ActorCase{CaseRef: *m.caseRef(l.number("sagid")), Role: m.word("SagAktørRolle", "rolle", l, "rolleid")}
		}),
	}
}

func TestActorsAreThoseOfAnEvaluationInMemory(t *testing.T) {
	t.Parallel()
	p := chained(t, 0.1)
	m := remembered(t, p.sim)
	compareItems(t, m["Aktør"], func(a fields) query.ActorDetail { return m.actorDetail(a, 5) }, func(id int64) (query.ActorDetail, error) { return p.reader.Actor(t.Context(), id, 5) })
	for _, f := range []query.ActorFilter{
		{},
		{Type: "person"},
		{Party: "s"},
		{Party: "Venstre", Q: "en"},
		{Q: "udvalget"},
		{Session: *m.find("Periode", m.of("Aktør", "typeid", 4)[0].number("periodeid")).text("kode"), Type: "Folketingsgruppe"},
	} {
		selects := func(a fields) bool {
			party := f.Party == ""
			for _, b := range m.memberships() {
				party = party || b.member == a.id() && has(f.Party, b.group.text("gruppenavnkort"), b.group.text("navn")) && m.isNamed(b.group, f.Party)
			}
			return party && has(f.Q, a.text("navn"), a.text("gruppenavnkort")) && m.named("Aktørtype", []string{"type"}, a, "typeid", f.Type) &&
				m.named("Periode", []string{"kode", "titel"}, a, "periodeid", f.Session)
		}
		want := filtered(m["Aktør"], selects, actorsByName, m.actor)
		got := pages(t, 7, func(after string, limit int) (query.List[query.Actor], error) {
			return p.reader.Actors(t.Context(), f, after, limit)
		})
		if d := diff.Diff(want, got); d != "" {
			t.Fatalf("actors of %+v (-memory +copy):\n%s", f, d)
		}
		t.Logf("%d actors of %+v", len(got), f)
	}
}

// isNamed reports whether a group has a short or a full name.
func (m memory) isNamed(group fields, name string) bool {
	return m.named("Aktør", []string{"gruppenavnkort", "navn"}, group, "id", name)
}

func actorsByName(a, b fields) int {
	return cmp.Or(nullsFirst(a.text("navn"), b.text("navn")), lastFirst(b, a))
}

// A membership lasts no longer than the group, whichever side tells, and whatever dates a
// person's own row has.
func TestAMembershipLastsNoLongerThanItsGroup(t *testing.T) {
	t.Parallel()
	p := made(t, map[string][]string{
		"Aktør": {
			`"typeid":5,"navn":"Ida","startdato":"1970-05-05T00:00:00","slutdato":"1980-01-01T00:00:00"`,
			`"typeid":4,"gruppenavnkort":"A","startdato":"2014-10-07T00:00:00","slutdato":"2015-06-18T00:00:00"`,
			`"typeid":3,"navn":"Finansudvalget","startdato":"2014-10-07T00:00:00","slutdato":"2015-10-06T00:00:00"`,
		},
		"AktørAktør": {
			`"fraaktørid":1,"tilaktørid":2,"startdato":"2014-01-01T00:00:00","slutdato":null`,
			`"fraaktørid":3,"tilaktørid":1,"startdato":"2014-12-01T00:00:00","slutdato":"2016-01-01T00:00:00"`,
			`"fraaktørid":99,"tilaktørid":1,"startdato":"2010-01-01T00:00:00","slutdato":"x"`,
		},
	})
	m := remembered(t, p.sim)
	compareItems(t, m["Aktør"], func(a fields) query.ActorDetail { return m.actorDetail(a, 5) }, func(id int64) (query.ActorDetail, error) { return p.reader.Actor(t.Context(), id, 5) })
	a, err := p.reader.Actor(t.Context(), 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	if len(a.Memberships) != 2 || len(a.Committees) != 1 || *a.Memberships[0].From != "2014-10-07T00:00:00" || *a.Memberships[0].To != "2015-06-18T00:00:00" ||
		*a.Committees[0].From != "2014-12-01T00:00:00" || *a.Committees[0].To != "2015-10-06T00:00:00" || a.Memberships[1].To != nil {
		t.Errorf("memberships are %+v and %+v", a.Memberships, a.Committees)
	}
}
