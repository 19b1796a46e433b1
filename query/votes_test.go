package query_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"odastream/odasim"
	"odastream/query"
)

// made returns a parliament with the rows of sets, by entity. Their ids count from 1.
func made(t *testing.T, sets map[string][]string) *parliament {
	t.Helper()
	sim := odasim.New(odasim.Options{PageCap: 1000, Compare: odasim.CompareText})
	for entity, rows := range sets {
		for i, members := range rows {
			if err := sim.Put(entity, fmt.Appendf(nil, `{"id":%d,%s}`, i+1, members)); err != nil {
				t.Fatal(err)
			}
		}
	}
	return newParliament(t, sim)
}

// pages returns all items of a list, read in pages.
func pages[T any](t *testing.T, limit int, read func(after string, limit int) (query.List[T], error)) []T {
	t.Helper()
	all, after := []T{}, ""
	for {
		page, err := read(after, limit)
		if err != nil {
			t.Fatal(err)
		}
		if len(page.Items) > limit {
			t.Fatalf("a page has %d items, want %d at most", len(page.Items), limit)
		}
		all = append(all, page.Items...)
		if page.Next == "" {
			return all
		}
		after = page.Next
	}
}

// statements counts the statements of a pool.
type statements struct {
	n       atomic.Int64 // without those of transactions
	bracket atomic.Int64 // those of transactions
}

func (s *statements) TraceQueryStart(ctx context.Context, _ *pgx.Conn, q pgx.TraceQueryStartData) context.Context {
	if sql := strings.ToLower(q.SQL); !strings.HasPrefix(sql, "begin") && !strings.HasPrefix(sql, "commit") {
		s.n.Add(1)
	} else {
		s.bracket.Add(1)
	}
	return ctx
}

func (*statements) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// counted returns a Reader on the same copy that counts its statements.
func (p *parliament) counted(t *testing.T) (*query.Reader, *statements) {
	t.Helper()
	s := &statements{}
	cfg := p.pool.Config()
	cfg.ConnConfig.Tracer = s
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return query.NewReader(pool), s
}

// compareVotes compares all votes of the copy, and lists of them, with those in memory.
func (p *parliament) compareVotes(t *testing.T, m memory, limit int, filters ...query.VoteFilter) {
	t.Helper()
	cast := map[int64][]fields{}
	for _, s := range m["Stemme"] {
		if of := s.number("afstemningid"); of != nil {
			cast[*of] = append(cast[*of], s)
		}
	}
	all := m.memberships()
	for _, a := range m["Afstemning"] {
		got, err := p.reader.Vote(t.Context(), a.id())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(m.voteDetail(a, cast[a.id()], all), got); diff != "" {
			t.Fatalf("vote %d (-memory +copy):\n%s", a.id(), diff)
		}
	}
	date := func(a fields) *time.Time { return m.find("Møde", a.number("mødeid")).moment("dato") }
	for _, f := range filters {
		want := filtered(m["Afstemning"], func(a fields) bool { return m.selectsVote(f, a, cast[a.id()]) }, newestFirst(date), m.vote)
		got := pages(t, limit, func(after string, limit int) (query.List[query.Vote], error) {
			return p.reader.Votes(t.Context(), f, after, limit)
		})
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("votes of %+v (-memory +copy):\n%s", f, diff)
		}
		t.Logf("%d votes of %+v", len(got), f)
	}
}

// selectsVote reports whether a filter selects a vote.
func (m memory) selectsVote(f query.VoteFilter, a fields, cast []fields) bool {
	meeting := m.find("Møde", a.number("mødeid"))
	v := m.vote(a)
	ref := query.CaseRef{}
	if v.Case != nil {
		ref = *v.Case
	}
	took := f.Actor == ""
	for _, s := range cast {
		took = took || fmt.Sprint(s["aktørid"]) == f.Actor
	}
	return took && has(f.Q, v.Conclusion, ref.Number, ref.Title) && within(meeting.moment("dato"), f.From, f.To) &&
		m.named("Periode", []string{"kode", "titel"}, meeting, "periodeid", f.Session) &&
		m.named("Afstemningstype", []string{"type"}, a, "typeid", f.Type) &&
		(f.Status == "" || v.Passed != nil && *v.Passed == (f.Status == "passed"))
}

func TestVotesAreThoseOfAnEvaluationInMemory(t *testing.T) {
	t.Parallel()
	p := simulated(t, 0.5)
	m := remembered(t, p.sim)
	period := m.find("Periode", m["Møde"][0].number("periodeid"))
	person := m["Stemme"][0].number("aktørid")
	p.compareVotes(t, m, 7,
		query.VoteFilter{},
		query.VoteFilter{Session: *period.text("titel")},
		query.VoteFilter{Session: *period.text("kode"), Status: "passed"},
		query.VoteFilter{Status: "rejected"},
		query.VoteFilter{Type: strings.ToUpper(*m["Afstemningstype"][0].text("type"))},
		query.VoteFilter{Actor: fmt.Sprint(*person), Q: "Lov om"},
		query.VoteFilter{Q: "vedtaget stemmer"},
		query.VoteFilter{From: "2023-06-01", To: "2024-06-01"},
	)
}

// The party is that of the day of the meeting: first and last day are days of it.
func TestTheVoteIsOfThePartyAtItsDate(t *testing.T) {
	t.Parallel()
	const change = `"2015-12-01T00:00:00"`
	for day, want := range map[string]string{
		"2015-11-30T23:59:59": "A", "2015-12-01T00:00:00": "B", "2015-12-02T10:00:00": "B",
		"2014-10-06T23:59:59": "none", "2014-10-07T10:00:00": "A", "2019-01-01T18:00:00": "B", "2019-01-02T00:00:00": "none",
	} {
		p := made(t, map[string][]string{
			"Aktør": {
				`"typeid":5,"navn":"Ida"`,
				`"typeid":4,"gruppenavnkort":"A","navn":"Gruppe A","startdato":"2014-10-07T00:00:00","slutdato":null`,
				`"typeid":4,"gruppenavnkort":"B","navn":"Gruppe B","startdato":null,"slutdato":"2019-01-01T00:00:00"`,
			},
			"AktørAktør": {
				`"fraaktørid":1,"tilaktørid":2,"startdato":null,"slutdato":` + change,
				`"fraaktørid":3,"tilaktørid":1,"startdato":` + change + `,"slutdato":null`,
			},
			"Møde":       {`"dato":"` + day + `"`},
			"Afstemning": {`"mødeid":1,"vedtaget":true`},
			"Stemme":     {`"afstemningid":1,"aktørid":1,"typeid":1`},
		})
		v, err := p.reader.Vote(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		got := "none"
		if v.Members[0].Party != nil {
			got = *v.Members[0].Party
		}
		if got != want {
			t.Errorf("on %s the party is %s, want %s", day, got, want)
		}
	}
}

// edges is a vote whose members have every kind of membership, and hostile rows beside it.
func edges() map[string][]string {
	const group = `"typeid":4,"gruppenavnkort":%q,"navn":"Gruppen","startdato":null,"slutdato":null`
	sets := map[string][]string{
		"Aktør": {
			fmt.Sprintf(group, "A"), fmt.Sprintf(group, "B"), fmt.Sprintf(group, ""), // 1 to 3
			`"typeid":3,"gruppenavnkort":"FIU","navn":"Finansudvalget"`,
		},
		"Møde": {`"dato":"2020-01-01T10:00:00"`, `"dato":null`, `"dato":"i går"`},
		"Afstemning": {
			`"mødeid":1,"typeid":1,"vedtaget":true,"sagstrinid":1,"konklusion":"Vedtaget"`, // a deleted case
			`"mødeid":2,"typeid":"1","vedtaget":"true","sagstrinid":99,"konklusion":null`,
			`"mødeid":3,"typeid":1.5,"vedtaget":null,"sagstrinid":123456789012345678901234567890`,
			`"mødeid":"1","vedtaget":false,"sagstrinid":null,"konklusion":7`,
		},
		"Sagstrin":        {`"sagid":77`},
		"Afstemningstype": {`"type":"Endelig vedtagelse"`},
	}
	// Members of A, one of whom dissents, and of B, whose votes tie; then one of two parties
	// at once, of none, of a committee alone, of a group without a short name.
	for i, m := range []struct{ groups, vote string }{
		{"1", "1"},
		{"1", "1"},
		{"1", "2"},
		{"1", "3"},
		{"2", "1"},
		{"2", "2"},
		{"2", "1"},
		{"1 2", "2"},
		{"", "1"},
		{"4", "2"},
		{"3", "2"},
		{"3", "1"},
		{"3", "1"},
		{"1", "null"},
		{"1", "9"},
		{"1", `"1"`},
	} {
		id := len(sets["Aktør"]) + 1
		sets["Aktør"] = append(sets["Aktør"], fmt.Sprintf(`"typeid":5,"navn":"Medlem %c"`, 'p'-i))
		for n, g := range strings.Fields(m.groups) {
			sets["AktørAktør"] = append(sets["AktørAktør"], fmt.Sprintf(`"fraaktørid":%d,"tilaktørid":%s,"startdato":"20%d0-01-01T00:00:00","slutdato":null`, id, g, n))
		}
		for vote := 1; vote <= 3; vote++ {
			sets["Stemme"] = append(sets["Stemme"], fmt.Sprintf(`"afstemningid":%d,"aktørid":%d,"typeid":%s`, vote, id, m.vote))
		}
	}
	sets["Stemme"] = append(sets["Stemme"], `"afstemningid":1,"aktørid":999,"typeid":1`, `"afstemningid":1,"aktørid":"5","typeid":1`,
		`"afstemningid":1,"aktørid":123456789012345678901234567890,"typeid":2`, `"afstemningid":"1","aktørid":5,"typeid":1`, `"afstemningid":1.5,"aktørid":5,"typeid":1`)
	sets["AktørAktør"] = append(sets["AktørAktør"], `"fraaktørid":"5","tilaktørid":null`, `"fraaktørid":123456789012345678901234567890,"tilaktørid":1`)
	return sets
}

func TestVotesOfOddRowsAreThoseOfAnEvaluationInMemory(t *testing.T) {
	t.Parallel()
	p := made(t, edges())
	p.compareVotes(t, remembered(t, p.sim), 1, query.VoteFilter{}, query.VoteFilter{Status: "passed"}, query.VoteFilter{From: "2020-01-01", To: "2020-01-01"})
}

// What the rule means, on the same rows.
func TestDissentersVotedAgainstTheMajorityOfTheirParty(t *testing.T) {
	t.Parallel()
	p := made(t, edges())
	v, err := p.reader.Vote(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, d := range v.Dissenters {
		got = append(got, fmt.Sprintf("%d %s %s", *d.Actor, *d.Party, *d.Vote))
	}
	// Member 12 joined B after A, and with it the votes of B tie.
	if diff := cmp.Diff([]string{"15 Gruppen against", "7 A against"}, got); diff != "" {
		t.Errorf("dissenters (-want +got):\n%s", diff)
	}
	if v.Case != nil || *v.Date != "2020-01-01T10:00:00" || *v.Type != "Endelig vedtagelse" || !*v.Passed {
		t.Errorf("the vote is %+v, want one without its deleted case", v.Vote)
	}
}

// The members and their order are the contract of /v1.
func TestAVoteIsWrittenAsTheContractSays(t *testing.T) {
	t.Parallel()
	p := made(t, map[string][]string{
		"Aktør":           {`"typeid":5,"navn":"Ida"`, `"typeid":4,"gruppenavnkort":"A"`},
		"AktørAktør":      {`"fraaktørid":1,"tilaktørid":2,"startdato":null,"slutdato":null`},
		"Møde":            {`"dato":"2020-01-01T10:00:00"`},
		"Sag":             {`"nummer":"L 1","titel":"Lov"`},
		"Sagstrin":        {`"sagid":1`},
		"Afstemningstype": {`"type":"Endelig vedtagelse"`},
		"Afstemning":      {`"mødeid":1,"typeid":1,"vedtaget":true,"sagstrinid":1,"konklusion":"Vedtaget"`, `"mødeid":null`},
		"Stemme":          {`"afstemningid":1,"aktørid":1,"typeid":1`},
	})
	for id, want := range map[int64]string{
		1: `{"id":1,"date":"2020-01-01T10:00:00","type":"Endelig vedtagelse","passed":true,"conclusion":"Vedtaget",` +
			`"case":{"id":1,"number":"L 1","title":"Lov"},"parties":[{"party":"A","for":1,"against":0,"absent":0,"neither":0}],` +
			`"members":[{"actor":1,"name":"Ida","party":"A","vote":"for"}],"dissenters":[]}`,
		2: `{"id":2,"date":null,"type":null,"passed":null,"conclusion":null,"case":null,"parties":[],"members":[],"dissenters":[]}`,
	} {
		v, err := p.reader.Vote(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		got, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, string(got)); diff != "" {
			t.Errorf("vote %d (-want +got):\n%s", id, diff)
		}
	}
}

func TestAVoteCostsThreeStatementsAndAPageOne(t *testing.T) {
	t.Parallel()
	p := simulated(t, 0.1)
	reader, s := p.counted(t)
	if _, err := reader.Vote(t.Context(), remembered(t, p.sim)["Afstemning"][0].id()); err != nil {
		t.Fatal(err)
	}
	if n := s.n.Swap(0); n != 3 {
		t.Errorf("a vote costs %d statements, want 3", n)
	}
	if _, err := reader.Votes(t.Context(), query.VoteFilter{Status: "passed", From: "2023-01-01"}, "", 100); err != nil {
		t.Fatal(err)
	}
	if n := s.n.Swap(0); n != 1 {
		t.Errorf("a page of votes costs %d statements, want 1", n)
	}
}

func TestAVoteThatDoesNotExist(t *testing.T) {
	t.Parallel()
	p := made(t, edges())
	for _, id := range []int64{0, -1, 99, 1 << 62} {
		if _, err := p.reader.Vote(t.Context(), id); !errors.Is(err, query.ErrNoRow) {
			t.Errorf("Vote(%d) gives %v, want ErrNoRow", id, err)
		}
	}
}
