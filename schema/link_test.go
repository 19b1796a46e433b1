package schema_test

import (
	"encoding/json"
	"os"
	"testing"

	"odastream/schema"
)

func TestEachLinkJoinsFieldsThatExist(t *testing.T) {
	t.Parallel()
	n := 0
	for _, e := range schema.Entities() {
		for _, l := range e.Links {
			n++
			to, err := schema.Lookup(l.Entity)
			if err != nil || to.Name != l.Entity {
				t.Errorf("%s/%s leads to %s: %v", e.Name, l.Name, l.Entity, err)
			}
			own, okOwn := e.Field(l.Own)
			theirs, okTheirs := to.Field(l.Theirs)
			if !okOwn || !okTheirs || own.Type != theirs.Type {
				t.Errorf("%s/%s joins %s (%s) with %s.%s (%s), want two fields of one type", e.Name, l.Name, l.Own, own.Type, l.Entity, l.Theirs, theirs.Type)
			}
			if one := l.Theirs == "id"; one == l.Many {
				t.Errorf("%s/%s leads to many rows: %t, by %s", e.Name, l.Name, l.Many, l.Theirs)
			}
		}
	}
	if n != 118 {
		t.Errorf("there are %d links, want the 118 of $metadata", n)
	}
}

// A link to one row and the link back to many join the same two fields.
func TestEachLinkHasOneBack(t *testing.T) {
	t.Parallel()
	for _, e := range schema.Entities() {
		for _, l := range e.Links {
			to, err := schema.Lookup(l.Entity)
			if err != nil {
				t.Fatal(err)
			}
			back := 0
			for _, b := range to.Links {
				if b.Entity == e.Name && b.Own == l.Theirs && b.Theirs == l.Own && b.Many != l.Many {
					back++
				}
			}
			if back != 1 {
				t.Errorf("%s/%s has %d links back by the same fields, want one", e.Name, l.Name, back)
			}
		}
	}
}

// captured returns the fields of all rows of a real capture, by entity.
func captured(t *testing.T, capture string) map[string][]map[string]any {
	t.Helper()
	all := map[string][]map[string]any{}
	for _, e := range schema.Entities() {
		if _, err := os.Stat(realFile(capture, e)); err != nil && e.Name != "Afstemning" {
			continue // not every entity was captured; without Afstemning the test is skipped
		}
		rows := realRows(t, capture, e)
		for _, row := range rows[:min(len(rows), 25_000)] { // the votes are many more
			var fields map[string]any
			if err := json.Unmarshal([]byte(row[2].(string)), &fields); err != nil {
				t.Fatal(err)
			}
			all[e.Name] = append(all[e.Name], fields)
		}
	}
	return all
}

// Nearly each row that a link's field refers to is in the same capture. That of 2014 has
// few cases: those that changed.
func TestLinksOfRealRowsLeadToRows(t *testing.T) {
	t.Parallel()
	tried := 0
	for _, capture := range []string{"2014-10", "2019-03"} {
		all := captured(t, capture)
		for _, e := range schema.Entities() {
			for _, l := range e.Links {
				refers, found := joined(all[e.Name], l, all[l.Entity])
				if refers == 0 || len(all[l.Entity]) == 0 {
					continue
				}
				tried++
				t.Logf("%s: %s/%s: %d of %d rows are there", capture, e.Name, l.Name, found, refers)
				if e.Name == "Sag" {
					continue
				}
				if !l.Many && found < refers*95/100 {
					t.Errorf("%s: %s/%s leads %d rows to %d, want nearly all", capture, e.Name, l.Name, refers, found)
				}
				if found == 0 {
					t.Errorf("%s: %s/%s leads nowhere", capture, e.Name, l.Name)
				}
			}
		}
	}
	if tried < 15 {
		t.Errorf("%d links were tried, want 15 at least", tried)
	}
}

// joined counts the rows that have a value in the link's own field, and those of them that
// the link leads on.
func joined(rows []map[string]any, l schema.Link, to []map[string]any) (refers, found int) {
	values := map[any]bool{}
	for _, row := range to {
		values[row[l.Theirs]] = true
	}
	for _, row := range rows {
		if v := row[l.Own]; v != nil {
			refers++
			if values[v] {
				found++
			}
		}
	}
	return refers, found
}
