package schema

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

func fieldsOf(t *testing.T, row string) Fields {
	t.Helper()
	hash, fields, err := Fingerprint([]byte(row))
	if err != nil {
		t.Fatalf("Fingerprint(%s) = %v", row, err)
	}
	if want := mustHash(t, row); hash != want {
		t.Errorf("Fingerprint(%s) has hash %x, want ContentHash's %x", row, hash, want)
	}
	return fields
}

func TestChangedNamesTheMembersThatDiffer(t *testing.T) {
	t.Parallel()
	for claim, c := range map[string]struct {
		before, after string
		want          []string
	}{
		"one of several":              {`{"id":1,"titel":"a","nr":1}`, `{"id":1,"titel":"b","nr":1}`, []string{"titel"}},
		"several, in the row's order": {`{"a":1,"b":1,"c":1}`, `{"c":2,"b":1,"a":2}`, []string{"c", "a"}},
		"one that is new":             {`{"a":1}`, `{"a":1,"b":null}`, []string{"b"}},
		"null and an empty text":      {`{"a":null}`, `{"a":""}`, []string{"a"}},
		"a Danish name in escapes":    {`{"afg\u00f8relse":1}`, `{"afg\u00F8relse":2}`, []string{"afgørelse"}},
		"inside a nested value":       {`{"a":{"x":1}}`, `{"a":{"x":2}}`, []string{"a"}},
		"nothing":                     {`{"a":1,"b":[2, 3]}`, ` {"b":[2,3], "a":1}`, nil},
		"the stamp alone":             {`{"a":1,"opdateringsdato":"2014"}`, `{"a":1,"opdateringsdato":"2015"}`, nil},
		"spelling alone":              {`{"a":"\u00f8"}`, `{"a":"ø"}`, nil},
		"one that is gone":            {`{"a":1,"b":1}`, `{"a":2}`, nil},
		"one under another name":      {`{"a":1,"b":1}`, `{"a":1,"c":1}`, nil},
		"a name that was there twice": {`{"a":1,"a":2,"b":1}`, `{"a":1,"a":2,"b":2}`, nil},
		"what is no row any more":     {`{"a":1}`, `[1]`, nil},
		"an empty row before":         {`{}`, `{"a":1}`, nil},
		"a name that is no Unicode":   {`{"\ud83d":1}`, `{"\ud83d":2}`, nil},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			got := fieldsOf(t, c.before).Changed([]byte(c.after))
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("Changed from %s to %s (-want +got):\n%s", c.before, c.after, diff)
			}
		})
	}
}

func TestChangedCannotTellFromOtherBytes(t *testing.T) {
	t.Parallel()
	for claim, f := range map[string]Fields{"nil": nil, "empty": {}, "cut off": fieldsOf(t, `{"a":1,"b":2}`)[:7]} {
		if got := f.Changed([]byte(`{"a":2,"b":2}`)); got != nil {
			t.Errorf("%s: Changed = %q, want nil", claim, got)
		}
	}
}

func TestFingerprintRefusesANonObject(t *testing.T) {
	t.Parallel()
	for _, row := range []string{``, `null`, `[]`, `{"a":1`, `{} x`} {
		if hash, fields, err := Fingerprint([]byte(row)); err == nil || fields != nil || hash != (Hash{}) {
			t.Errorf("Fingerprint(%q) = %x, %x, %v, want an error alone", row, hash, fields, err)
		}
	}
}

// Exactly the changed members are named, in any spelling.
func TestChangedAgainstAModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		before := objects(1).Filter(func(n node) bool { return len(n.nodes) > 0 && apart(n.names) }).Draw(t, "before")
		after := before
		after.nodes = slices.Clone(before.nodes)
		var want []string
		for i := range after.nodes {
			if before.names[i] == "opdateringsdato" || !rapid.Bool().Draw(t, "changes") {
				continue
			}
			// A text that is never drawn.
			after.nodes[i] = node{kind: '"', text: "changed: " + before.nodes[i].text}
			want = append(want, before.names[i])
		}
		_, fields, err := Fingerprint(before.spell(nil, styles(t)))
		if err != nil {
			t.Fatal(err)
		}
		got := fields.Changed(after.spell(nil, styles(t)))
		sorted := cmpopts.SortSlices(func(a, b string) bool { return a < b })
		if diff := cmp.Diff(want, got, sorted, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("Changed (-want +got):\n%s", diff)
		}
	})
}

// apart reports whether all names have different two-byte hashes.
func apart(names []string) bool {
	seen := map[uint16]bool{}
	for _, name := range names {
		hash := member{name: spellText(nil, name, plain)}.nameHash()
		if seen[hash] {
			return false
		}
		seen[hash] = true
	}
	return true
}

// Two bytes must distinguish an entity's names, or its updates would never say what
// changed.
func TestFieldNamesOfEachEntityAreDistinct(t *testing.T) {
	t.Parallel()
	for _, e := range Entities() {
		var names []string
		for _, f := range e.Fields {
			names = append(names, f.Name)
		}
		if !apart(names) {
			t.Errorf("two fields of %s have one hash", e.Name)
		}
	}
}
