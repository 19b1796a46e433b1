package query_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"odastream/odasim"
	"odastream/odata"
	"odastream/query"
	"odastream/schema"
)

// memory is the rows of a parliament, evaluated by plain loops. It shares no code with the
// statements that it is compared with.
type memory map[string][]fields

// fields is a row.
type fields map[string]any

// remembered returns the rows of a simulated parliament.
func remembered(t *testing.T, sim *odasim.Server) memory {
	t.Helper()
	m := memory{}
	for _, e := range schema.Entities() {
		for _, data := range sim.Rows(e.Name) {
			var row fields
			d := json.NewDecoder(bytes.NewReader(data))
			d.UseNumber()
			if err := d.Decode(&row); err != nil {
				t.Fatal(err)
			}
			m[e.Name] = append(m[e.Name], row)
		}
	}
	return m
}

// number returns a whole number; nil for what is none.
func (f fields) number(name string) *int64 {
	n, ok := f[name].(json.Number)
	if !ok {
		return nil
	}
	i, err := n.Int64()
	if err != nil {
		return nil
	}
	return &i
}

func (f fields) id() int64 { return *f.number("id") }

// is reports whether a member refers to an id.
func (f fields) is(name string, id int64) bool {
	n := f.number(name)
	return n != nil && *n == id
}

func (f fields) text(name string) *string {
	switch v := f[name].(type) {
	case string:
		return &v
	case json.Number:
		s := v.String()
		return &s
	}
	return nil
}

// moment returns a time; nil for what is none.
func (f fields) moment(name string) *time.Time {
	s, ok := f[name].(string)
	if !ok {
		return nil
	}
	t, ok := odata.ParseTime(s)
	if !ok {
		return nil
	}
	return &t
}

// clock returns a time as an answer writes it.
func (f fields) clock(name string) *string { return clock(f.moment(name)) }

func clock(t *time.Time) *string {
	if t == nil {
		return nil
	}
	s := t.Format("2006-01-02T15:04:05.999999")
	return &s
}

// find returns the row of an id; nil, which has no members, if there is none.
func (m memory) find(entity string, id *int64) fields {
	if id == nil {
		return nil
	}
	rows := m[entity] // by id, as odasim has them
	at, found := slices.BinarySearchFunc(rows, *id, func(f fields, id int64) int { return cmp.Compare(f.id(), id) })
	if !found {
		return nil
	}
	return rows[at]
}

// of returns the rows of an entity that refer to an id, by id.
func (m memory) of(entity, name string, id int64) (list []fields) {
	for _, f := range m[entity] {
		if f.is(name, id) {
			list = append(list, f)
		}
	}
	return list
}

// word returns the name of the row that a member refers to.
func (m memory) word(entity, name string, of fields, member string) *string {
	return m.find(entity, of.number(member)).text(name)
}

// last returns the later of two times, and first the earlier one; of a time and nil the
// time.
func last(a, b *time.Time) *time.Time {
	if a == nil || b != nil && b.After(*a) {
		return b
	}
	return a
}

func first(a, b *time.Time) *time.Time {
	if a == nil || b != nil && b.Before(*a) {
		return b
	}
	return a
}

// belongs is a membership of a party group.
type belongs struct {
	member   int64
	group    fields
	from     *time.Time
	day, end string // the first and the last day; "" and "~" bound nothing
}

// party returns the party's name.
func (b belongs) party() *string {
	if short := b.group.text("gruppenavnkort"); short != nil && *short != "" {
		return short
	}
	return b.group.text("navn")
}

// memberships returns all memberships of party groups.
func (m memory) memberships() (list []belongs) {
	for _, l := range m["AktørAktør"] {
		for _, ends := range [][2]string{{"fraaktørid", "tilaktørid"}, {"tilaktørid", "fraaktørid"}} {
			member, group := l.number(ends[0]), m.find("Aktør", l.number(ends[1]))
			if member != nil && group.is("typeid", 4) {
				b := belongs{member: *member, group: group, from: last(l.moment("startdato"), group.moment("startdato")), end: "~"}
				if b.from != nil {
					b.day = b.from.Format(time.DateOnly)
				}
				if to := first(l.moment("slutdato"), group.moment("slutdato")); to != nil {
					b.end = to.Format(time.DateOnly)
				}
				list = append(list, b)
			}
		}
	}
	return list
}

// partiesAt returns the party of each member on a day: of those that cover it, the one
// that began last.
func (m memory) partiesAt(all []belongs, day *time.Time) map[int64]*string {
	parties := map[int64]*string{}
	if day == nil {
		return parties
	}
	on, began := day.Format(time.DateOnly), map[int64]belongs{}
	for _, b := range all {
		if on < b.day || on > b.end {
			continue
		}
		known, has := began[b.member]
		if !has || laterOf(known, b) {
			began[b.member], parties[b.member] = b, b.party()
		}
	}
	return parties
}

// laterOf reports whether b began after a; an unknown beginning is before all others.
func laterOf(a, b belongs) bool {
	switch {
	case a.from == nil && b.from == nil:
	case a.from == nil:
		return true
	case b.from == nil:
		return false
	case !a.from.Equal(*b.from):
		return b.from.After(*a.from)
	}
	return b.group.id() > a.group.id()
}

func (m memory) caseRef(id *int64) *query.CaseRef {
	c := m.find("Sag", id)
	if c == nil {
		return nil
	}
	return &query.CaseRef{ID: c.id(), Number: c.text("nummer"), Title: c.text("titel")}
}

func (m memory) vote(a fields) query.Vote {
	v := query.Vote{
		ID: a.id(), Date: m.find("Møde", a.number("mødeid")).clock("dato"), Type: m.word("Afstemningstype", "type", a, "typeid"),
		Conclusion: a.text("konklusion"), Case: m.caseRef(m.find("Sagstrin", a.number("sagstrinid")).number("sagid")),
	}
	if passed, ok := a["vedtaget"].(bool); ok {
		v.Passed = &passed
	}
	return v
}

// choice returns what a Stemme says.
func choice(s fields) *string {
	for n, word := range []string{"for", "against", "absent", "neither"} {
		if s.is("typeid", int64(n+1)) {
			return &word
		}
	}
	return nil
}

// voteDetail evaluates a vote. votes are the rows of Stemme by Afstemning.
func (m memory) voteDetail(a fields, votes []fields, all []belongs) query.VoteDetail {
	d := query.VoteDetail{Vote: m.vote(a), Members: []query.MemberVote{}, Dissenters: []query.MemberVote{}, Parties: []query.PartyVotes{}}
	parties := m.partiesAt(all, m.find("Møde", a.number("mødeid")).moment("dato"))
	for _, s := range votes {
		member := query.MemberVote{Actor: s.number("aktørid"), Name: m.word("Aktør", "navn", s, "aktørid"), Vote: choice(s)}
		if member.Actor != nil {
			member.Party = parties[*member.Actor]
		}
		d.Members = append(d.Members, member)
	}
	slices.SortStableFunc(d.Members, func(a, b query.MemberVote) int { return nullsLast(a.Name, b.Name) })
	count := map[string]map[string]int{}
	var names []*string
	for _, v := range d.Members {
		if count[key(v.Party)] == nil {
			count[key(v.Party)] = map[string]int{}
			names = append(names, v.Party)
		}
		count[key(v.Party)][key(v.Vote)]++
	}
	slices.SortStableFunc(names, nullsLast)
	for _, party := range names {
		n := count[key(party)]
		d.Parties = append(d.Parties, query.PartyVotes{Party: party, For: n["=for"], Against: n["=against"], Absent: n["=absent"], Neither: n["=neither"]})
	}
	for _, v := range d.Members {
		n := count[key(v.Party)]
		if v.Party != nil && (key(v.Vote) == "=for" && n["=for"] < n["=against"] || key(v.Vote) == "=against" && n["=against"] < n["=for"]) {
			d.Dissenters = append(d.Dissenters, v)
		}
	}
	return d
}

func key(text *string) string {
	if text == nil {
		return ""
	}
	return "=" + *text
}

// nullsLast compares texts in Danish order.
func nullsLast(a, b *string) int {
	if a == nil || b == nil {
		return cmp.Compare(boolean(a == nil), boolean(b == nil))
	}
	return odata.CompareValues(*a, *b)
}

// nullsFirst compares texts in Danish order.
func nullsFirst(a, b *string) int {
	if a == nil || b == nil {
		return cmp.Compare(boolean(a != nil), boolean(b != nil))
	}
	return odata.CompareValues(*a, *b)
}

func boolean(b bool) int {
	if b {
		return 1
	}
	return 0
}

// has reports whether each word of a text is in one of others.
func has(text string, in ...*string) bool {
	for word := range strings.FieldsSeq(strings.ToLower(text)) {
		if !slices.ContainsFunc(in, func(s *string) bool { return s != nil && strings.Contains(strings.ToLower(*s), word) }) {
			return false
		}
	}
	return true
}

// within reports whether a time lies within days; "" bounds nothing.
func within(t *time.Time, from, to string) bool {
	if from == "" && to == "" {
		return true
	}
	if t == nil {
		return false
	}
	day := t.Format(time.DateOnly)
	return (from == "" || day >= from) && (to == "" || day <= to)
}

// named reports whether a member refers to a row that has a name.
func (m memory) named(entity string, names []string, f fields, member, want string) bool {
	if want == "" {
		return true
	}
	row := m.find(entity, f.number(member))
	return slices.ContainsFunc(names, func(n string) bool {
		name := row.text(n)
		return name != nil && strings.EqualFold(*name, want)
	})
}

// filtered returns what the rows of an entity become that fulfil a condition, in an order.
func filtered[T any](rows []fields, holds func(fields) bool, order func(a, b fields) int, item func(fields) T) []T {
	rows = slices.Clone(rows)
	slices.SortStableFunc(rows, order)
	list := []T{}
	for _, f := range rows {
		if holds(f) {
			list = append(list, item(f))
		}
	}
	return list
}

// lastFirst orders rows by id, the highest first.
func lastFirst(a, b fields) int { return cmp.Compare(b.id(), a.id()) }

// newestFirst orders rows by a time, the latest first and null last, and then by id.
func newestFirst(of func(fields) *time.Time) func(a, b fields) int {
	return func(a, b fields) int {
		x, y := of(a), of(b)
		if x == nil || y == nil {
			return cmp.Or(cmp.Compare(boolean(x == nil), boolean(y == nil)), lastFirst(a, b))
		}
		return cmp.Or(y.Compare(*x), lastFirst(a, b))
	}
}

// oldestFirst orders rows by a time, null first, and then by id.
func oldestFirst(of func(fields) *time.Time) func(a, b fields) int {
	newest := newestFirst(of)
	return func(a, b fields) int { return newest(b, a) }
}
