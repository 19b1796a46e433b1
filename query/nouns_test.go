package query_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"odastream/odasim"
	"odastream/query"
)

// chained returns a parliament with generated rows, in which cases are raised under others
// and parts of others, and documents answer others.
func chained(t *testing.T, scale float64) *parliament {
	t.Helper()
	sim := odasim.New(odasim.Options{PageCap: math.MaxInt32, Compare: odasim.CompareText})
	sim.Generate(7, scale)
	refer := func(entity, member string, every int) {
		rows := sim.Rows(entity)
		for n := every; n < len(rows); n += every {
			var row map[string]any
			if err := json.Unmarshal(rows[n], &row); err != nil {
				t.Fatal(err)
			}
			row[member] = n/2 + 1
			data, err := json.Marshal(row)
			if err != nil {
				t.Fatal(err)
			}
			if err := sim.Put(entity, data); err != nil {
				t.Fatal(err)
			}
		}
	}
	refer("Sag", "fremsatundersagid", 3)
	refer("Sag", "deltundersagid", 5)
	refer("Dokument", "spørgsmålsid", 3)
	return newParliament(t, sim)
}

// compareItems compares each item of the copy with the one in memory.
func compareItems[T any](t *testing.T, rows []fields, memory func(fields) T, copied func(id int64) (T, error)) {
	t.Helper()
	for _, f := range rows {
		got, err := copied(f.id())
		if err != nil {
			t.Fatalf("%d: %v", f.id(), err)
		}
		if diff := cmp.Diff(memory(f), got); diff != "" {
			t.Fatalf("%d (-memory +copy):\n%s", f.id(), diff)
		}
	}
	if len(rows) == 0 {
		t.Error("there are no rows, which proves nothing")
	}
}

// items returns what rows become.
func items[F, T any](rows []F, item func(F) T) []T {
	list := []T{}
	for _, f := range rows {
		list = append(list, item(f))
	}
	return list
}

// participants evaluates rows that link to an actor with a role.
func (m memory) participants(rows []fields, roles string) []query.Participant {
	return items(rows, func(l fields) query.Participant {
		return query.Participant{Actor: l.number("aktørid"), Name: m.word("Aktør", "navn", l, "aktørid"), Role: m.word(roles, "rolle", l, "rolleid")}
	})
}

// readers are the lists, each with the parameter that it is read by.
func readers(p *parliament) map[string]func(t *testing.T, f map[string]string, after string) (next string, err error) {
	return map[string]func(t *testing.T, f map[string]string, after string) (string, error){
		"votes": func(t *testing.T, f map[string]string, after string) (string, error) {
			l, err := p.reader.Votes(t.Context(), query.VoteFilter{
				Session: f["session"], Type: f["type"], Status: f["status"], Actor: f["actor"], Q: f["q"], From: f["from"], To: f["to"],
			}, after, 2)
			return l.Next, err
		},
		"cases": func(t *testing.T, f map[string]string, after string) (string, error) {
			l, err := p.reader.Cases(t.Context(), query.CaseFilter{
				Session: f["session"], Type: f["type"], Status: f["status"], Party: f["party"], Actor: f["actor"], Q: f["q"], From: f["from"], To: f["to"],
			}, after, 2)
			return l.Next, err
		},
		"actors": func(t *testing.T, f map[string]string, after string) (string, error) {
			l, err := p.reader.Actors(t.Context(), query.ActorFilter{Session: f["session"], Type: f["type"], Party: f["party"], Q: f["q"]}, after, 2)
			return l.Next, err
		},
		"documents": func(t *testing.T, f map[string]string, after string) (string, error) {
			l, err := p.reader.Documents(t.Context(), query.DocumentFilter{
				Type: f["type"], Status: f["status"], Actor: f["actor"], Q: f["q"], From: f["from"], To: f["to"],
			}, after, 2)
			return l.Next, err
		},
		"meetings": func(t *testing.T, f map[string]string, after string) (string, error) {
			l, err := p.reader.Meetings(t.Context(), query.MeetingFilter{
				Session: f["session"], Type: f["type"], Status: f["status"], Actor: f["actor"], Q: f["q"], From: f["from"], To: f["to"],
			}, after, 2)
			return l.Next, err
		},
		"search": func(t *testing.T, f map[string]string, after string) (string, error) {
			q := f["q"]
			if q == "" {
				q = "e"
			}
			l, err := p.reader.Search(t.Context(), query.SearchFilter{Q: q, Type: f["type"]}, after, 2)
			return l.Next, err
		},
	}
}

func TestATokenIsOfItsList(t *testing.T) {
	t.Parallel()
	p := chained(t, 0.2)
	lists := readers(p)
	tokens := map[string]string{}
	for name, read := range lists {
		next, err := read(t, nil, "")
		if err != nil || next == "" {
			t.Fatalf("the first page of %s gives token %q, %v", name, next, err)
		}
		tokens[name] = next
	}
	for name, read := range lists {
		for of, token := range tokens {
			want := query.ErrToken
			if of == name {
				want = nil
			}
			if _, err := read(t, nil, token); !errors.Is(err, want) {
				t.Errorf("%s with a token of %s gives %v, want %v", name, of, err, want)
			}
		}
		for _, values := range []string{`["%s"]`, `["%s","1"]`, `["%s",null]`, `["%s","1","2","3","4"]`, `["%s","x","y"]`, `["%s","2020-02-30 00:00:00","1"]`, `["%s","\u0000","x"]`, `{}`, `null`, ``} {
			text := strings.Replace(values, "%s", name, 1)
			oneKey := name == "cases" || name == "documents"
			if oneKey && strings.Count(text, ",") == 1 || name == "actors" && strings.Contains(text, "2020") {
				continue // it is one
			}
			if _, err := read(t, nil, base64.RawURLEncoding.EncodeToString([]byte(text))); text != "" && !errors.Is(err, query.ErrToken) {
				t.Errorf("%s with token %s gives %v, want ErrToken", name, text, err)
			}
		}
		if _, err := read(t, nil, "!"); !errors.Is(err, query.ErrToken) {
			t.Errorf("%s with a token that is no base64 gives %v, want ErrToken", name, err)
		}
	}
}

func TestAWrongFilterIsNamedWithWhatIsAllowed(t *testing.T) {
	t.Parallel()
	p := chained(t, 0.05)
	takes := map[string]string{
		"votes": "session type status actor q from to", "cases": "session type status party actor q from to", "actors": "session type party q",
		"documents": "type status actor q from to", "meetings": "session type status actor q from to", "search": "type q",
	}
	wrong := map[string][]string{
		"session": {"2099-00", " ", "'", "\x00", "%"}, "type": {"Ukendt", "' OR true --"}, "status": {"maybe", "PASSED?"}, "party": {"Ingen", "  ", "%"},
		"actor": {"x", "-1", "1.5", "123456789012345678901234567890", "1 OR 1=1"}, "q": {"\xff", "a\x00b", strings.Repeat("ø", 201), strings.Repeat("a ", 11)},
		"from": {"2026-02-30", "i går", "0000-01-01", "2026-01-01T00:00:00", "99999-01-01"}, "to": {"2026-13-01", "infinity"},
	}
	for name, read := range readers(p) {
		for parameter := range strings.FieldsSeq(takes[name]) {
			for _, value := range wrong[parameter] {
				_, err := read(t, map[string]string{parameter: value}, "")
				var bad *query.FilterError
				if !errors.As(err, &bad) || bad.Parameter != parameter || bad.Value != value || bad.Want == "" {
					t.Errorf("%s with %s=%q gives %v, want an error that names it", name, parameter, value, err)
				}
			}
		}
	}
	_, err := p.reader.Votes(t.Context(), query.VoteFilter{Type: "Ukendt"}, "", 1)
	if want := `type is "Ukendt", want the name of a row of Afstemningstype: `; err == nil || !strings.HasPrefix(err.Error(), want) || !strings.Contains(err.Error(), "Endelig vedtagelse") {
		t.Errorf("the error is %v, want %q and the names", err, want)
	}
}

// Text of the caller is searched for and nothing else.
func TestWhatIsSearchedForIsNoSQLAndNoPattern(t *testing.T) {
	t.Parallel()
	hostile := []string{`';DROP`, `%`, `_`, `\`, `\%`, `$1`, `"`, `{0}`, `ÆØÅ😀`, `--`}
	sets := map[string][]string{}
	for _, text := range hostile {
		quoted, err := json.Marshal("foran" + text + "bag")
		if err != nil {
			t.Fatal(err)
		}
		for entity, member := range map[string]string{"Sag": "titel", "Dokument": "titel", "Aktør": "navn", "Møde": "titel", "Afstemning": "konklusion"} {
			sets[entity] = append(sets[entity], fmt.Sprintf(`"%s":%s`, member, quoted))
		}
	}
	p := made(t, sets)
	for i, text := range hostile {
		want := []int64{int64(i + 1)}
		for n, other := range hostile {
			if n != i && strings.Contains(other, text) {
				want = append(want, int64(n+1))
			}
		}
		votes, err1 := p.reader.Votes(t.Context(), query.VoteFilter{Q: strings.ToLower(text)}, "", 100)
		cases, err2 := p.reader.Cases(t.Context(), query.CaseFilter{Q: text}, "", 100)
		actors, err3 := p.reader.Actors(t.Context(), query.ActorFilter{Q: text}, "", 100)
		documents, err4 := p.reader.Documents(t.Context(), query.DocumentFilter{Q: text}, "", 100)
		meetings, err5 := p.reader.Meetings(t.Context(), query.MeetingFilter{Q: text}, "", 100)
		found, err6 := p.reader.Search(t.Context(), query.SearchFilter{Q: text}, "", 100)
		if err := errors.Join(err1, err2, err3, err4, err5, err6); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		for list, n := range map[string]int{
			"votes": len(votes.Items), "cases": len(cases.Items), "actors": len(actors.Items),
			"documents": len(documents.Items), "meetings": len(meetings.Items), "search": len(found.Items) / 3,
		} {
			if n != len(want) {
				t.Errorf("%q finds %d %s, want %d", text, n, list, len(want))
			}
		}
	}
}

// Whatever the size of the answer, its statements are as many as the kinds of what it has.
func TestStatementsDoNotGrowWithTheAnswer(t *testing.T) {
	t.Parallel()
	p := chained(t, 0.2)
	m := remembered(t, p.sim)
	reader, s := p.counted(t)
	for name, c := range map[string]struct {
		want int64
		read func() error
	}{
		"case":     {9, func() error { _, err := reader.Case(t.Context(), m["Sag"][3].id()); return err }},
		"actor":    {4, func() error { _, err := reader.Actor(t.Context(), *m["Stemme"][0].number("aktørid"), 100); return err }},
		"document": {5, func() error { _, err := reader.Document(t.Context(), m["Dokument"][1].id()); return err }},
		"meeting":  {6, func() error { _, err := reader.Meeting(t.Context(), m["Møde"][0].id()); return err }},
		"cases":    {1, func() error { _, err := reader.Cases(t.Context(), query.CaseFilter{}, "", 1000); return err }},
		"cases by names": {2, func() error {
			_, err := reader.Cases(t.Context(), query.CaseFilter{Type: *m["Sagstype"][2].text("type"), Status: *m["Sagsstatus"][0].text("status")}, "", 1000)
			return err
		}},
		"actors":               {1, func() error { _, err := reader.Actors(t.Context(), query.ActorFilter{}, "", 1000); return err }},
		"documents with files": {2, func() error { _, err := reader.Documents(t.Context(), query.DocumentFilter{}, "", 1000); return err }},
		"meetings":             {1, func() error { _, err := reader.Meetings(t.Context(), query.MeetingFilter{}, "", 1000); return err }},
		"search":               {1, func() error { _, err := reader.Search(t.Context(), query.SearchFilter{Q: "e"}, "", 1000); return err }},
		"entities":             {1, func() error { _, err := reader.Entities(t.Context()); return err }},
		"row":                  {1, func() error { _, err := reader.RowOf(t.Context(), "Sag", m["Sag"][0].id(), nil); return err }},
	} {
		s.n.Store(0)
		if err := c.read(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if n := s.n.Load(); n != c.want {
			t.Errorf("%s: %d statements, want %d", name, n, c.want)
		}
	}
}

// Rows that are written between two pages shift none.
func TestListsShiftUnderNoReader(t *testing.T) {
	t.Parallel()
	sets := map[string][]string{}
	for id := range 9 {
		sets["Møde"] = append(sets["Møde"], fmt.Sprintf(`"dato":"2020-01-0%dT10:00:00"`, id/3+1))
		sets["Sag"] = append(sets["Sag"], `"titel":"t"`)
	}
	sets["Møde"] = append(sets["Møde"], `"dato":null`, `"dato":"x"`)
	p := made(t, sets)
	var meetings, cases []string
	write := func(entity, data string) {
		if _, err := p.pool.Exec(t.Context(), `INSERT INTO parliamentary_data (entity_type, entity_id, data, seq)
SELECT $1, 1000 + count(*), $2, 1 FROM parliamentary_data WHERE entity_type = $1`, entity, data); err != nil {
			t.Fatal(err)
		}
	}
	for after := ""; ; {
		page, err := p.reader.Meetings(t.Context(), query.MeetingFilter{}, after, 2)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range page.Items {
			meetings = append(meetings, strconv.FormatInt(i.ID, 10))
		}
		write("Møde", `{"dato":"2021-01-01T00:00:00"}`)
		if after = page.Next; after == "" {
			break
		}
	}
	for after := ""; ; {
		page, err := p.reader.Cases(t.Context(), query.CaseFilter{}, after, 2)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range page.Items {
			cases = append(cases, strconv.FormatInt(i.ID, 10))
		}
		write("Sag", `{}`)
		if after = page.Next; after == "" {
			break
		}
	}
	if got, want := strings.Join(meetings, " "), "9 8 7 6 5 4 3 2 1 11 10"; got != want {
		t.Errorf("meetings are %s, want %s", got, want)
	}
	if got, want := strings.Join(cases, " "), "9 8 7 6 5 4 3 2 1"; got != want {
		t.Errorf("cases are %s, want %s", got, want)
	}
}

// on returns the time of a member, for an order.
func on(member string) func(fields) *time.Time {
	return func(f fields) *time.Time { return f.moment(member) }
}
