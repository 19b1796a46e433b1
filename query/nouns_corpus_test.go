//go:build corpus

package query_test

import (
	"encoding/json"
	"math"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"odastream/odasim"
	"odastream/query"
)

// realParliament returns a parliament of real rows: votes, actors and agendas of 2019,
// members' votes and cases of 2014. What no capture has is made: meetings and steps of the
// ids that real rows refer to, and memberships of real members in real groups, each in
// another group from time to time.
func realParliament(t *testing.T) (*parliament, memory) {
	t.Helper()
	sim := odasim.New(odasim.Options{PageCap: math.MaxInt32, Compare: odasim.CompareText})
	for _, capture := range []string{"2014-10", "2019-03"} {
		if err := sim.Load(filepath.Join(real(t), "snapshots", capture)); err != nil {
			t.Fatal(err)
		}
	}
	m := remembered(t, sim)
	put := func(entity string, row map[string]any) {
		data, err := json.Marshal(row)
		if err == nil {
			err = sim.Put(entity, data)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range referred(m["Afstemning"], "mødeid") {
		day := time.Date(2011, 10, 4, 10, 0, 0, 0, time.UTC).AddDate(0, 0, int(id%1200))
		put("Møde", map[string]any{"id": id, "dato": day.Format("2006-01-02T15:04:05"), "titel": "Møde", "periodeid": 28 + id%5})
	}
	for n, id := range referred(m["Afstemning"], "sagstrinid") {
		put("Sagstrin", map[string]any{"id": id, "sagid": m["Sag"][n%len(m["Sag"])].id(), "dato": nil})
	}
	putMemberships(m, put)
	p := newParliament(t, sim)
	// Without them each vote costs a scan of all members' votes.
	for _, index := range []string{
		"stemme ((parliament.as_integer(data -> 'afstemningid')))", "stemme ((parliament.as_integer(data -> 'aktørid')))",
		"aktoeraktoer ((parliament.as_integer(data -> 'fraaktørid')))", "aktoeraktoer ((parliament.as_integer(data -> 'tilaktørid')))",
		"dagsordenspunkt ((parliament.as_integer(data -> 'mødeid')))",
	} {
		if _, err := p.pool.Exec(t.Context(), "CREATE INDEX ON parliamentary_data_"+index); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := p.pool.Exec(t.Context(), "ANALYZE parliamentary_data"); err != nil {
		t.Fatal(err)
	}
	return p, remembered(t, sim)
}

// referred returns the ids that rows refer to.
func referred(rows []fields, member string) (ids []int64) {
	for _, f := range rows {
		if id := f.number(member); id != nil {
			ids = append(ids, *id)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// putMemberships makes each voter a member of one of the groups that began on a day, for
// each such day, written in either direction.
func putMemberships(m memory, put func(entity string, row map[string]any)) {
	groups := map[string][]int64{}
	var days []string
	for _, a := range m["Aktør"] {
		if start := a.clock("startdato"); a.is("typeid", 4) && start != nil && *start > "2008" {
			if groups[*start] == nil {
				days = append(days, *start)
			}
			groups[*start] = append(groups[*start], a.id())
		}
	}
	slices.Sort(days)
	id := 0
	for n, voter := range referred(m["Stemme"], "aktørid") {
		for i, day := range days {
			of := groups[day]
			ends := []string{"fraaktørid", "tilaktørid"}
			if n%2 == 1 {
				slices.Reverse(ends)
			}
			id++
			put("AktørAktør", map[string]any{"id": id, ends[0]: voter, ends[1]: of[(n+i/2)%len(of)], "rolleid": 15, "startdato": nil, "slutdato": nil})
		}
	}
}

// TestNounsOverRealRows takes a minute or more: make corpus runs it. The composed reads
// give over real rows what an evaluation in memory gives.
func TestNounsOverRealRows(t *testing.T) {
	t.Parallel()
	p, m := realParliament(t)
	t.Run("votes", func(t *testing.T) {
		some := memory{}
		for entity, rows := range m {
			some[entity] = rows
		}
		voted := referred(m["Stemme"], "afstemningid")
		p.compareVotes(t, some, 1000, query.VoteFilter{}, query.VoteFilter{Q: "vedtaget", From: "2012-01-01", To: "2012-12-31"}, query.VoteFilter{Actor: "158"}, query.VoteFilter{Status: "rejected", Q: "forslag lov"})
		if len(voted) < 1000 {
			t.Errorf("members voted in %d votes, which proves little", len(voted))
		}
	})
	t.Run("cases", func(t *testing.T) {
		for _, f := range []query.CaseFilter{{}, {Q: "forslag til LOV"}, {Q: "ændring æøå"}, {Q: "L 33"}} {
			want := filtered(m["Sag"], func(c fields) bool { return m.selectsCase(f, c) }, lastFirst, m.caseOf)
			got := pages(t, 100, func(after string, limit int) (query.List[query.Case], error) {
				return p.reader.Cases(t.Context(), f, after, limit)
			})
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("cases of %+v (-memory +copy):\n%s", f, diff)
			}
		}
		compareItems(t, every(m["Sag"], 25), m.caseDetail, func(id int64) (query.CaseDetail, error) { return p.reader.Case(t.Context(), id) })
	})
	t.Run("actors", func(t *testing.T) {
		person := func(a fields) bool { return a.is("typeid", 5) }
		got := pages(t, 1000, func(after string, limit int) (query.List[query.Actor], error) {
			return p.reader.Actors(t.Context(), query.ActorFilter{Type: "person"}, after, limit)
		})
		if diff := cmp.Diff(filtered(m["Aktør"], person, actorsByName, m.actor), got); diff != "" {
			t.Fatalf("persons (-memory +copy):\n%s", diff)
		}
		compareItems(t, every(m["Aktør"], 400), func(a fields) query.ActorDetail { return m.actorDetail(a, 20) }, func(id int64) (query.ActorDetail, error) { return p.reader.Actor(t.Context(), id, 20) })
	})
	t.Run("meetings", func(t *testing.T) {
		compareItems(t, every(m["Møde"], 20), m.meetingDetail, func(id int64) (query.MeetingDetail, error) { return p.reader.Meeting(t.Context(), id) })
	})
	t.Run("search", func(t *testing.T) {
		p.compareSearches(t, m, 500, query.SearchFilter{Q: "hansen"}, query.SearchFilter{Q: "Ø", Type: "actor"}, query.SearchFilter{Q: "lov ÆNDRING"}, query.SearchFilter{Q: "%"})
	})
}

// every returns each nth row.
func every(rows []fields, n int) (some []fields) {
	for i := 0; i < len(rows); i += n {
		some = append(some, rows[i])
	}
	return some
}
