package query_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"odastream/query"
	"odastream/schema"
)

// changedRows gives each row of the copy a change, the one with the highest id the newest.
const changedRows = `INSERT INTO parliamentary_history (entity_type, entity_id, seq, action, changed, before, after)
SELECT entity_type, entity_id, seq + entity_id, 'update', '{titel}', '{"titel": "a"}', '{"titel": "b"}' FROM parliamentary_data`

// The changes of a list are those of its rows, whatever the filter, and a first load is
// none.
func TestTheChangesOfAListAreThoseOfItsRows(t *testing.T) {
	t.Parallel()
	p := chained(t, 0.05)
	m := remembered(t, p.sim)
	r := p.reader
	actor, session := fmt.Sprint(*m["SagAktør"][0].number("aktørid")), *m.word("Periode", "titel", m["Sag"][0], "periodeid")
	meetings := query.MeetingFilter{Session: *m.word("Periode", "titel", m["Møde"][0], "periodeid")}
	lists := map[string]struct {
		ids     func(ctx context.Context) ([]int64, error)
		changes func(ctx context.Context) ([]query.Change, error)
	}{}
	add := func(name string, ids func(ctx context.Context) ([]int64, error), changes func(ctx context.Context) ([]query.Change, error)) {
		lists[name] = struct {
			ids     func(ctx context.Context) ([]int64, error)
			changes func(ctx context.Context) ([]query.Change, error)
		}{ids, changes}
	}
	for name, f := range map[string]query.CaseFilter{"all": {}, "actor": {Actor: actor}, "q": {Q: "e"}, "session": {Session: session}, "from": {From: "2023-03-01"}} {
		add("cases by "+name, func(ctx context.Context) ([]int64, error) {
			l, err := r.Cases(ctx, f, "", 10_000)
			return idsOf(l.Items, func(c query.Case) int64 { return c.ID }), err
		}, func(ctx context.Context) ([]query.Change, error) { return r.CaseChanges(ctx, f, 10_000) })
	}
	for name, f := range map[string]query.VoteFilter{"all": {}, "q": {Q: "e"}, "status": {Status: "passed"}} {
		add("votes by "+name, func(ctx context.Context) ([]int64, error) {
			l, err := r.Votes(ctx, f, "", 10_000)
			return idsOf(l.Items, func(v query.Vote) int64 { return v.ID }), err
		}, func(ctx context.Context) ([]query.Change, error) { return r.VoteChanges(ctx, f, 10_000) })
	}
	add("actors", func(ctx context.Context) ([]int64, error) {
		l, err := r.Actors(ctx, query.ActorFilter{Q: "an"}, "", 10_000)
		return idsOf(l.Items, func(a query.Actor) int64 { return a.ID }), err
	}, func(ctx context.Context) ([]query.Change, error) {
		return r.ActorChanges(ctx, query.ActorFilter{Q: "an"}, 10_000)
	})
	add("documents", func(ctx context.Context) ([]int64, error) {
		l, err := r.Documents(ctx, query.DocumentFilter{Q: "o"}, "", 10_000)
		return idsOf(l.Items, func(d query.Document) int64 { return d.ID }), err
	}, func(ctx context.Context) ([]query.Change, error) {
		return r.DocumentChanges(ctx, query.DocumentFilter{Q: "o"}, 10_000)
	})
	add("meetings", func(ctx context.Context) ([]int64, error) {
		l, err := r.Meetings(ctx, meetings, "", 10_000)
		return idsOf(l.Items, func(m query.Meeting) int64 { return m.ID }), err
	}, func(ctx context.Context) ([]query.Change, error) {
		return r.MeetingChanges(ctx, meetings, 10_000)
	})
	for _, typ := range []string{"actor", "case", "document"} {
		f := query.SearchFilter{Q: "an", Type: typ}
		add("search of "+typ, func(ctx context.Context) ([]int64, error) {
			l, err := r.Search(ctx, f, "", 10_000)
			return idsOf(l.Items, func(h query.Hit) int64 { return h.ID }), err
		}, func(ctx context.Context) ([]query.Change, error) { return r.SearchChanges(ctx, f, 10_000) })
	}
	for name, l := range lists {
		if changes, err := l.changes(t.Context()); err != nil || len(changes) > 0 {
			t.Errorf("%s has %d changes after a first load, %v", name, len(changes), err)
		}
	}
	if _, err := p.pool.Exec(t.Context(), changedRows); err != nil {
		t.Fatal(err)
	}
	for name, l := range lists {
		want, err := l.ids(t.Context())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		changes, err := l.changes(t.Context())
		if err != nil {
			t.Fatalf("changes of %s: %v", name, err)
		}
		got := idsOf(changes, func(c query.Change) int64 { return c.ID })
		slices.Sort(want)
		slices.Reverse(want)
		if diff := cmp.Diff(want, got); diff != "" || len(got) == 0 {
			t.Errorf("changes of %s (-rows +changes):\n%s", name, diff)
		}
	}
}

func idsOf[T any](list []T, id func(T) int64) (ids []int64) {
	for _, item := range list {
		ids = append(ids, id(item))
	}
	return ids
}

// A change of anything that belongs to a case, or to an actor, is one of it.
func TestTheChangesOfACaseAreThoseOfWhatBelongsToIt(t *testing.T) {
	t.Parallel()
	p := chained(t, 0.05)
	m := remembered(t, p.sim)
	if _, err := p.pool.Exec(t.Context(), changedRows); err != nil {
		t.Fatal(err)
	}
	belong := func(set map[string]bool, entity string, rows []fields) {
		for _, f := range rows {
			set[fmt.Sprintf("%s %d", entity, f.id())] = true
		}
	}
	ofCase := func(id int64) map[string]bool {
		set := map[string]bool{fmt.Sprintf("Sag %d", id): true}
		belong(set, "Sagstrin", m.of("Sagstrin", "sagid", id))
		belong(set, "SagAktør", m.of("SagAktør", "sagid", id))
		belong(set, "SagDokument", m.of("SagDokument", "sagid", id))
		for _, l := range m.of("SagDokument", "sagid", id) {
			if d := m.find("Dokument", l.number("dokumentid")); d != nil {
				belong(set, "Dokument", []fields{d})
			}
		}
		for _, s := range m.of("Sagstrin", "sagid", id) {
			belong(set, "Afstemning", m.of("Afstemning", "sagstrinid", s.id()))
		}
		return set
	}
	ofActor := func(id int64) map[string]bool {
		set := map[string]bool{fmt.Sprintf("Aktør %d", id): true}
		for _, entity := range []string{"SagAktør", "DokumentAktør", "MødeAktør", "Stemme"} {
			belong(set, entity, m.of(entity, "aktørid", id))
		}
		belong(set, "AktørAktør", m.of("AktørAktør", "fraaktørid", id))
		belong(set, "AktørAktør", m.of("AktørAktør", "tilaktørid", id))
		return set
	}
	compare := func(name string, want map[string]bool, list []query.Change, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got := map[string]bool{}
		for i, c := range list {
			key := fmt.Sprintf("%s %d", c.Entity, c.ID)
			if got[key] {
				t.Errorf("%s: %s comes twice", name, key)
			}
			got[key] = true
			if i > 0 && c.Seq > list[i-1].Seq {
				t.Errorf("%s: seq %d comes after %d", name, c.Seq, list[i-1].Seq)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-memory +copy):\n%s", name, diff)
		}
	}
	for _, f := range m["Sag"] {
		list, err := p.reader.ChangesOfCase(t.Context(), f.id(), 10_000)
		compare(fmt.Sprintf("case %d", f.id()), ofCase(f.id()), list, err)
	}
	for _, f := range m["Aktør"] {
		list, err := p.reader.ChangesOfActor(t.Context(), f.id(), 10_000)
		compare(fmt.Sprintf("actor %d", f.id()), ofActor(f.id()), list, err)
	}
	if _, err := p.reader.ChangesOfCase(t.Context(), -1, 1); !errors.Is(err, query.ErrNoRow) {
		t.Errorf("the changes of no case: %v, want ErrNoRow", err)
	}
}

// The changes of an entity have its deletes, with the title that the row had.
func TestTheChangesOfAnEntityHaveItsDeletes(t *testing.T) {
	t.Parallel()
	p := chained(t, 0.05)
	for _, sql := range []string{
		`INSERT INTO parliamentary_history (entity_type, entity_id, seq, action, before) VALUES ('Sag', 1, 900, 'delete', '{"id": 1, "titel": "Borte"}')`,
		`DELETE FROM parliamentary_data WHERE entity_type = 'Sag' AND entity_id = 1`,
		`INSERT INTO parliamentary_history (entity_type, entity_id, seq, action, after) VALUES ('Sag', 2, 901, 'create', '{"id": 2}')`,
		`INSERT INTO parliamentary_history (entity_type, entity_id, seq, action, after) VALUES ('Møde', 2, 902, 'create', '{"id": 2}')`,
	} {
		if _, err := p.pool.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	list, err := p.reader.ChangesOfEntity(t.Context(), "sag", 10)
	if err != nil || len(list) != 2 {
		t.Fatalf("%d changes, %v, want two", len(list), err)
	}
	if c := list[0]; c.ID != 2 || c.Action != "create" || c.Title == nil {
		t.Errorf("the newest is %+v, want the create, with a title", c)
	}
	if c := list[1]; c.ID != 1 || c.Action != "delete" || c.Title == nil || *c.Title != "Borte" || c.Seq != 900 || c.RecordedAt.IsZero() {
		t.Errorf("the other is %+v, want the delete, with its title", c)
	}
	if newest, err := p.reader.ChangesOfEntity(t.Context(), "Sag", 1); err != nil || len(newest) != 1 || newest[0].ID != 2 {
		t.Errorf("the newest one is %+v, %v", newest, err)
	}
	if gone, err := p.reader.ChangesOfCase(t.Context(), 1, 10); err != nil || len(gone) != 1 || gone[0].Action != "delete" {
		t.Errorf("the changes of a case that was deleted: %+v, %v", gone, err)
	}
	var unknown *schema.UnknownEntityError
	if _, err := p.reader.ChangesOfEntity(t.Context(), "Sager", 1); !errors.As(err, &unknown) {
		t.Errorf("the changes of no entity: %v", err)
	}
}

// A moment answers all questions from one state of the copy.
func TestAMomentAnswersFromOneState(t *testing.T) {
	t.Parallel()
	p := chained(t, 0.05)
	err := p.reader.Moment(t.Context(), func(m query.Moment) error {
		before, err := m.Reader().Cases(t.Context(), query.CaseFilter{}, "", 10_000)
		if err != nil {
			return err
		}
		if _, err := p.pool.Exec(t.Context(), `DELETE FROM parliamentary_data WHERE entity_type = 'Sag'`); err != nil {
			return err
		}
		after, err := m.Reader().Cases(t.Context(), query.CaseFilter{}, "", 10_000)
		if diff := cmp.Diff(before, after); diff != "" || len(before.Items) == 0 {
			t.Errorf("the second answer differs (-first +second):\n%s", diff)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
